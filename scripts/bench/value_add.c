/* fetch_add on a shared word by one process and by two; and as a method called from Lua. */
#include "tool/from_lua.h"

struct shared {
  _Atomic int64_t value BENCH_LINE;
  _Atomic uint32_t ready BENCH_LINE;
};
static struct shared *shared;

static int l_add(lua_State *L) {
  _Atomic int64_t *value = *(_Atomic int64_t **)lua_touserdata(L, 1);
  lua_pushinteger(L, atomic_fetch_add(value, luaL_checkinteger(L, 2)));
  return 1;
}

/* The global v, an object with the method add. */
static lua_State *with_value(void) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  lua_State *L = from_lua_begin(none);
  *(_Atomic int64_t **)lua_newuserdatauv(L, sizeof(void *), 0) = &shared->value;
  lua_createtable(L, 0, 1);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_add);
  lua_setfield(L, -2, "add");
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_setglobal(L, "v");
  return L;
}

static void add(lua_State *L, long n) {
  if (L)
    from_lua_time(L, "local v = v for i = 1, ... do v:add(1) end", n);
  else
    for (long i = 0; i < n; i++) atomic_fetch_add(&shared->value, 1);
}

static double alone(lua_State *L, long n) {
  bench_pin(0);
  double start = bench_now();
  add(L, n);
  return (double)n / (bench_now() - start) / 1e6;
}

static double two(lua_State *L, long n) {
  shared->ready = 0;
  pid_t pid = bench_fork();
  bench_pin(pid == 0);
  bench_ready(&shared->ready);
  bench_await(&shared->ready, 2);
  double start = bench_now();
  add(L, n);
  if (!pid) _exit(0);
  bench_join(pid);
  return 2 * (double)n / (bench_now() - start) / 1e6;
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  shared = bench_shared(sizeof *shared);
  lua_State *L = with_value();
  bench_figure("alone", alone(NULL, bench_count(2e7)));
  bench_figure("alone.lua", alone(L, bench_count(5e6)));
  bench_figure("two", two(NULL, bench_count(3e6)));
  bench_figure("two.lua", two(L, bench_count(2e6)));
}
