/* fetch_add on a thousand shared words by one process and by two, and on one word by two; and as a
   method called from Lua. */
#include "tool/from_lua.h"
#include "tool/pair.h"

#define ELEMENTS 1000

struct job {
  _Atomic int64_t *array;
  lua_State *L; /* NULL: in C */
  long n;
  int elements; /* that are added to */
};

static int l_add(lua_State *L) {
  _Atomic int64_t *array = *(_Atomic int64_t **)lua_touserdata(L, 1);
  lua_Integer i = luaL_checkinteger(L, 2);
  luaL_argcheck(L, i >= 1 && i <= ELEMENTS, 2, "out of bounds");
  lua_pushinteger(L, atomic_fetch_add(&array[i - 1], luaL_checkinteger(L, 3)));
  return 1;
}

static void add(void *work) {
  struct job *job = work;
  if (job->L)
    from_lua_time(job->L,
                  job->elements == 1 ? "local a = a for i = 1, ... do a:add(1, 1) end"
                                     : "local a = a for i = 1, ... do a:add(i % 1000 + 1, 1) end",
                  job->n);
  else
    for (long i = 0; i < job->n; i++) atomic_fetch_add(&job->array[i % job->elements], 1);
}

static double alone(struct job job, long n) {
  job.n = n;
  return (double)n / pair_alone(add, &job) / 1e6;
}

static double two(struct job job, long n, int elements) {
  job.n = n;
  job.elements = elements;
  return 2 * (double)n / pair_time(add, add, &job) / 1e6;
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  static const luaL_Reg none[] = {{NULL, NULL}}, methods[] = {{"add", l_add}, {NULL, NULL}};
  struct job job = {bench_shared(ELEMENTS * sizeof(int64_t)), NULL, 0, ELEMENTS};
  bench_figure("alone", alone(job, bench_count(1e7)));
  bench_figure("two", two(job, bench_count(3e6), ELEMENTS));
  bench_figure("one", two(job, bench_count(3e6), 1));
  job.L = from_lua_begin(none);
  from_lua_object(job.L, "a", job.array, methods);
  bench_figure("alone.lua", alone(job, bench_count(3e6)));
  bench_figure("two.lua", two(job, bench_count(2e6), ELEMENTS));
  bench_figure("one.lua", two(job, bench_count(2e6), 1));
}
