/* A lock of one shared word, taken by compare-and-swap and given back by exchange, with nobody else
   there, by two processes at once, and as two methods called from Lua. It does not survive its
   owner. */
#include "tool/from_lua.h"
#include "tool/pair.h"

struct job {
  _Atomic uint32_t *word;
  lua_State *L; /* NULL: in C */
  long n;
};

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

static void pairs(void *work) {
  struct job *job = work;
  if (job->L)
    from_lua_time(job->L, "local lock = lock for i = 1, ... do lock:acquire() lock:release() end",
                  job->n);
  for (long i = 0; !job->L && i < job->n; i++) {
    lock(job->word);
    unlock(job->word);
  }
}

static double alone(struct job job, long n) { /* ns */
  job.n = n;
  return pair_alone(pairs, &job) / (double)n * 1e9;
}

static double two(struct job job, long n) { /* ns per pair of both */
  job.n = n;
  return pair_time(pairs, pairs, &job) / (2 * (double)n) * 1e9;
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  static const luaL_Reg none[] = {{NULL, NULL}};
  static const luaL_Reg methods[] = {{"acquire", l_acquire}, {"release", l_release}, {NULL, NULL}};
  struct job job = {bench_shared(4096), NULL, 0};
  bench_figure("pair", alone(job, bench_count(2e7)));
  bench_figure("two", two(job, bench_count(2e6)));
  job.L = from_lua_begin(none);
  from_lua_object(job.L, "lock", job.word, methods);
  bench_figure("pair.lua", alone(job, bench_count(3e6)));
  bench_figure("two.lua", two(job, bench_count(1e6)));
}
