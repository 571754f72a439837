/* fetch_add on a shared word by one process and by two; and as a method called from Lua. */
#include "tool/from_lua.h"
#include "tool/pair.h"

struct job {
  _Atomic int64_t *value;
  lua_State *L; /* NULL: in C */
  long n;
};

static int l_add(lua_State *L) {
  _Atomic int64_t *value = *(_Atomic int64_t **)lua_touserdata(L, 1);
  lua_pushinteger(L, atomic_fetch_add(value, luaL_checkinteger(L, 2)));
  return 1;
}

static void add(void *work) {
  struct job *job = work;
  if (job->L)
    from_lua_time(job->L, "local v = v for i = 1, ... do v:add(1) end", job->n);
  else
    for (long i = 0; i < job->n; i++) atomic_fetch_add(job->value, 1);
}

static double alone(struct job job, long n) {
  job.n = n;
  return (double)n / pair_alone(add, &job) / 1e6;
}

static double two(struct job job, long n) {
  job.n = n;
  return 2 * (double)n / pair_time(add, add, &job) / 1e6;
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  static const luaL_Reg none[] = {{NULL, NULL}}, methods[] = {{"add", l_add}, {NULL, NULL}};
  struct job job = {bench_shared(4096), NULL, 0};
  bench_figure("alone", alone(job, bench_count(2e7)));
  bench_figure("two", two(job, bench_count(3e6)));
  job.L = from_lua_begin(none);
  from_lua_object(job.L, "v", job.value, methods);
  bench_figure("alone.lua", alone(job, bench_count(5e6)));
  bench_figure("two.lua", two(job, bench_count(2e6)));
}
