/* Integers from one process to another through a ring; and the same called from Lua. */
#include "tool/from_lua_ring.h"
#include "tool/pair.h"

struct job {
  struct ring *ring;
  lua_State *L; /* NULL: in C */
  uint64_t n;
};

static void consume(void *work) {
  struct job *job = work;
  uint64_t x, sum = 0;
  for (uint64_t i = 0; i < job->n; i++) {
    ring_get(job->ring, &x, sizeof x);
    sum += x;
  }
  if (sum != job->n * (job->n + 1) / 2) exit(1);
}

static void produce(void *work) {
  struct job *job = work;
  for (uint64_t i = 1; i <= job->n; i++) ring_put(job->ring, &i, sizeof i);
}

static void consume_in_lua(void *work) {
  struct job *job = work;
  from_lua_time(job->L, "local get = get for i = 1, ... do assert(get() == i) end",
                (lua_Integer)job->n);
}

static void produce_in_lua(void *work) {
  struct job *job = work;
  from_lua_time(job->L, "local put = put for i = 1, ... do put(i) end", (lua_Integer)job->n);
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  struct job job = {ring_new(), NULL, (uint64_t)bench_count(1e7)};
  bench_figure("rate", (double)job.n / pair_time(consume, produce, &job) / 1e6);

  static const luaL_Reg none[] = {{NULL, NULL}};
  job = (struct job){ring_new(), from_lua_begin(none), (uint64_t)bench_count(3e6)};
  from_lua_ring(job.L, "put", from_lua_put, job.ring);
  from_lua_ring(job.L, "get", from_lua_get, job.ring);
  bench_figure("rate.lua", (double)job.n / pair_time(consume_in_lua, produce_in_lua, &job) / 1e6);
}
