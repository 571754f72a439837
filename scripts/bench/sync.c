/* The same on bare words, both processes spinning: a permit taken and given back alone, by both,
   and as two methods called from Lua; two flags there and back; turns under a lock; a barrier of
   both. None survives a death. */
#include "tool/from_lua.h"
#include "tool/pair.h"

struct words {
  _Atomic uint32_t permits BENCH_LINE;
  _Atomic uint32_t there BENCH_LINE;
  _Atomic uint32_t back BENCH_LINE;
  _Atomic uint32_t lock BENCH_LINE;
  _Atomic uint32_t turn BENCH_LINE;
  _Atomic uint32_t came BENCH_LINE;
};

struct job {
  struct words *words;
  long n;
};

static inline void acquire(struct words *w) {
  for (uint32_t n = atomic_load(&w->permits);;) {
    if (!n) {
      bench_pause();
      n = atomic_load(&w->permits);
    } else if (atomic_compare_exchange_weak(&w->permits, &n, n - 1)) {
      return;
    }
  }
}

static inline void release(struct words *w) {
  atomic_fetch_add(&w->permits, 1);
}

static int l_acquire(lua_State *L) {
  acquire(*(struct words **)lua_touserdata(L, 1));
  lua_pushboolean(L, 1);
  return 1;
}

static int l_release(lua_State *L) {
  release(*(struct words **)lua_touserdata(L, 1));
  return 0;
}

static void permits(void *work) {
  struct job *job = work;
  for (long i = 0; i < job->n; i++) {
    acquire(job->words);
    release(job->words);
  }
}

static void take(_Atomic uint32_t *flag) { /* waits until it is set, and clears it */
  while (!atomic_load(flag)) bench_pause();
  atomic_store(flag, 0);
}

static void hear(void *work) {
  struct job *job = work;
  for (long i = 0; i < job->n; i++) {
    take(&job->words->there);
    atomic_store(&job->words->back, 1);
  }
}

static void speak(void *work) {
  struct job *job = work;
  for (long i = 0; i < job->n; i++) {
    atomic_store(&job->words->there, 1);
    take(&job->words->back);
  }
}

static void take_turns(struct job *job, uint32_t me) {
  struct words *w = job->words;
  for (long i = 0; i < job->n; i++) {
    while (atomic_load(&w->turn) != me) bench_pause();
    while (atomic_exchange(&w->lock, 1)) bench_pause();
    atomic_store(&w->turn, 1 - me);
    atomic_store(&w->lock, 0);
  }
}

static void second(void *work) {
  take_turns(work, 1);
}

static void first(void *work) {
  take_turns(work, 0);
}

static void meet(void *work) {
  struct job *job = work;
  for (uint32_t i = 1; i <= (uint32_t)job->n; i++) {
    atomic_fetch_add(&job->words->came, 1);
    while (atomic_load(&job->words->came) < 2 * i) bench_pause();
  }
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  struct job job = {bench_shared(sizeof *job.words), bench_count(2e7)};
  double n = (double)job.n;
  atomic_store(&job.words->permits, 1);
  bench_figure("semaphore", pair_alone(permits, &job) / n * 1e9);
  n = (double)(job.n = bench_count(2e6));
  bench_figure("contended", pair_time(permits, permits, &job) / (2 * n) * 1e9);

  n = (double)(job.n = bench_count(3e5));
  bench_figure("event", pair_time(hear, speak, &job) / n * 1e6);
  bench_figure("condition", pair_time(second, first, &job) / n * 1e6);
  bench_figure("barrier", pair_time(meet, meet, &job) / n * 1e6);

  static const luaL_Reg none[] = {{NULL, NULL}};
  static const luaL_Reg methods[] = {{"acquire", l_acquire}, {"release", l_release}, {NULL, NULL}};
  lua_State *L = from_lua_begin(none);
  from_lua_object(L, "s", job.words, methods);
  n = (double)(job.n = bench_count(2e6));
  double seconds =
      from_lua_time(L, "local s = s for i = 1, ... do s:acquire() s:release() end", job.n);
  bench_figure("semaphore.lua", seconds / n * 1e9);
}
