/* An integer to another process and back through two rings, both spinning; and called from Lua. */
#include "tool/from_lua_ring.h"
#include "tool/pair.h"

struct job {
  struct ring *there, *back;
  lua_State *L; /* NULL: in C */
  uint64_t n;
};

static void echo(void *work) {
  struct job *job = work;
  for (uint64_t x, i = 0; i < job->n; i++) {
    ring_get(job->there, &x, sizeof x);
    ring_put(job->back, &x, sizeof x);
  }
}

static void ask(void *work) {
  struct job *job = work;
  for (uint64_t x, i = 0; i < job->n; i++) {
    ring_put(job->there, &i, sizeof i);
    ring_get(job->back, &x, sizeof x);
    if (x != i) exit(1);
  }
}

static void echo_in_lua(void *work) {
  struct job *job = work;
  from_lua_ring(job->L, "get", from_lua_get, job->there);
  from_lua_ring(job->L, "put", from_lua_put, job->back);
  from_lua_time(job->L, "local put, get = put, get for i = 1, ... do put(get()) end",
                (lua_Integer)job->n);
}

static void ask_in_lua(void *work) {
  struct job *job = work;
  from_lua_ring(job->L, "put", from_lua_put, job->there);
  from_lua_ring(job->L, "get", from_lua_get, job->back);
  from_lua_time(job->L, "local put, get = put, get for i = 1, ... do put(i) assert(get() == i) end",
                (lua_Integer)job->n);
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  struct job job = {ring_new(), ring_new(), NULL, (uint64_t)bench_count(1e6)};
  bench_figure("time", pair_time(echo, ask, &job) / (double)job.n * 1e6);

  static const luaL_Reg none[] = {{NULL, NULL}};
  job.L = from_lua_begin(none);
  job.n = (uint64_t)bench_count(5e5);
  bench_figure("time.lua", pair_time(echo_in_lua, ask_in_lua, &job) / (double)job.n * 1e6);
}
