/* An integer to another process and back through two rings, both spinning; and called from Lua. */
#include "tool/from_lua.h"
#include "tool/ring.h"

static struct ring *there, *back;
static _Atomic uint32_t *ready;

static int l_echo(lua_State *L) {
  lua_Integer x;
  ring_get(there, &x, sizeof x);
  lua_pushinteger(L, x);
  x = lua_tointeger(L, -1);
  ring_put(back, &x, sizeof x);
  return 1;
}

static int l_put(lua_State *L) {
  lua_Integer x = luaL_checkinteger(L, 1);
  ring_put(there, &x, sizeof x);
  return 0;
}

static int l_get(lua_State *L) {
  lua_Integer x;
  ring_get(back, &x, sizeof x);
  lua_pushinteger(L, x);
  return 1;
}

static double run(uint64_t n, lua_State *L) { /* seconds per round trip */
  memset(there, 0, sizeof *there);
  memset(back, 0, sizeof *back);
  *ready = 0;
  uint64_t x;
  pid_t pid = bench_fork();
  if (!pid) {
    bench_pin(1);
    bench_ready(ready);
    if (L) from_lua_time(L, "local echo = echo for i = 1, ... do echo() end", (lua_Integer)n);
    for (uint64_t i = 0; !L && i < n; i++) {
      ring_get(there, &x, sizeof x);
      ring_put(back, &x, sizeof x);
    }
    _exit(0);
  }
  bench_pin(0);
  bench_await(ready, 1);
  double start = bench_now();
  if (L)
    from_lua_time(L, "local put, get = put, get for i = 1, ... do put(i) assert(get() == i) end",
                  (lua_Integer)n);
  for (uint64_t i = 0; !L && i < n; i++) {
    ring_put(there, &i, sizeof i);
    ring_get(back, &x, sizeof x);
    if (x != i) exit(1);
  }
  double time = (bench_now() - start) / (double)n;
  bench_join(pid);
  return time;
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  there = bench_shared(sizeof *there);
  back = bench_shared(sizeof *back);
  ready = bench_shared(4096);
  static const luaL_Reg functions[] = {
      {"echo", l_echo}, {"put", l_put}, {"get", l_get}, {NULL, NULL}};
  bench_figure("time", run((uint64_t)bench_count(1e6), NULL) * 1e6);
  bench_figure("time.lua", run((uint64_t)bench_count(5e5), from_lua_begin(functions)) * 1e6);
}
