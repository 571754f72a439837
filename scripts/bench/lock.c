/* A lock of one shared word, taken by compare-and-swap and given back by exchange, with nobody else
   there, by two processes at once, and as two methods called from Lua. It does not survive its
   owner. */
#include "tool/from_lua.h"

static _Atomic uint32_t *word;

static inline void lock(_Atomic uint32_t *w) {
  for (uint32_t free = 0; !atomic_compare_exchange_strong(w, &free, 1); free = 0)
    while (atomic_load(w)) bench_pause();
}

static inline void unlock(_Atomic uint32_t *w) {
  atomic_exchange(w, 0);
}

static int l_acquire(lua_State *L) {
  lock(*(_Atomic uint32_t **)lua_touserdata(L, 1));
  lua_pushboolean(L, 1);
  return 1;
}

static int l_release(lua_State *L) {
  unlock(*(_Atomic uint32_t **)lua_touserdata(L, 1));
  return 0;
}

static void pairs(long n) {
  for (long i = 0; i < n; i++) {
    lock(word);
    unlock(word);
  }
}

static double two(long n) { /* seconds per pair of both */
  _Atomic uint32_t *ready = bench_shared(4096);
  pid_t pid = bench_fork();
  bench_pin(pid == 0);
  bench_ready(ready);
  bench_await(ready, 2);
  double start = bench_now();
  pairs(n);
  if (!pid) _exit(0);
  bench_join(pid);
  return (bench_now() - start) / (2 * (double)n);
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  word = bench_shared(4096);
  bench_pin(0);
  long n = bench_count(2e7);
  double start = bench_now();
  pairs(n);
  bench_figure("pair", (bench_now() - start) / (double)n * 1e9);
  bench_figure("two", two(bench_count(2e6)) * 1e9);
  bench_pin(0);

  static const luaL_Reg none[] = {{NULL, NULL}};
  static const luaL_Reg methods[] = {{"acquire", l_acquire}, {"release", l_release}, {NULL, NULL}};
  lua_State *L = from_lua_begin(none);
  *(_Atomic uint32_t **)lua_newuserdatauv(L, sizeof(void *), 0) = word;
  lua_createtable(L, 0, 1);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_setglobal(L, "lock");
  n = bench_count(3e6);
  double seconds =
      from_lua_time(L, "local lock = lock for i = 1, ... do lock:acquire() lock:release() end", n);
  bench_figure("pair.lua", seconds / (double)n * 1e9);
}
