/* Integers from one process to another through a ring; and the same called from Lua. */
#include "tool/from_lua.h"
#include "tool/ring.h"

static struct ring *ring;
static _Atomic uint32_t *ready;

static int l_put(lua_State *L) {
  lua_Integer x = luaL_checkinteger(L, 1);
  ring_put(ring, &x, sizeof x);
  return 0;
}

static int l_get(lua_State *L) {
  lua_Integer x;
  ring_get(ring, &x, sizeof x);
  lua_pushinteger(L, x);
  return 1;
}

static void consume(uint64_t n) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n; i++) {
    uint64_t x;
    ring_get(ring, &x, sizeof x);
    sum += x;
  }
  if (sum != n * (n + 1) / 2) exit(1);
}

static double run(uint64_t n, lua_State *L) { /* messages per second */
  memset(ring, 0, sizeof *ring);
  *ready = 0;
  pid_t pid = bench_fork();
  if (!pid) {
    bench_pin(1);
    bench_ready(ready);
    if (L)
      from_lua_time(L, "local get = get for i = 1, ... do assert(get() == i) end", (lua_Integer)n);
    else
      consume(n);
    _exit(0);
  }
  bench_pin(0);
  bench_await(ready, 1);
  double start = bench_now();
  if (L)
    from_lua_time(L, "local put = put for i = 1, ... do put(i) end", (lua_Integer)n);
  else
    for (uint64_t i = 1; i <= n; i++) ring_put(ring, &i, sizeof i);
  bench_join(pid);
  return (double)n / (bench_now() - start);
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  ring = bench_shared(sizeof *ring);
  ready = bench_shared(4096);
  static const luaL_Reg functions[] = {{"put", l_put}, {"get", l_get}, {NULL, NULL}};
  bench_figure("rate", run((uint64_t)bench_count(1e7), NULL) / 1e6);
  bench_figure("rate.lua", run((uint64_t)bench_count(3e6), from_lua_begin(functions)) / 1e6);
}
