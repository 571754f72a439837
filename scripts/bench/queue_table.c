/* Records {x, y, s} from one process to another through a ring; and from Lua table to Lua table,
   with the fields known beforehand. */
#include "tool/from_lua.h"
#include "tool/ring.h"

struct record {
  int64_t x, y;
  uint64_t length;
  char s[8];
};

static struct ring *ring;
static _Atomic uint32_t *ready;

static int l_put(lua_State *L) {
  struct record r;
  size_t length;
  lua_getfield(L, 1, "x");
  lua_getfield(L, 1, "y");
  lua_getfield(L, 1, "s");
  r.x = lua_tointeger(L, -3);
  r.y = lua_tointeger(L, -2);
  const char *s = lua_tolstring(L, -1, &length);
  r.length = length < sizeof r.s ? length : sizeof r.s;
  memcpy(r.s, s, r.length);
  ring_put(ring, &r, sizeof r);
  return 0;
}

static int l_get(lua_State *L) {
  struct record r;
  ring_get(ring, &r, sizeof r);
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, r.x);
  lua_setfield(L, -2, "x");
  lua_pushinteger(L, r.y);
  lua_setfield(L, -2, "y");
  lua_pushlstring(L, r.s, r.length);
  lua_setfield(L, -2, "s");
  return 1;
}

static void consume(long n) {
  int64_t sum = 0;
  for (long i = 0; i < n; i++) {
    struct record r;
    ring_get(ring, &r, sizeof r);
    sum += r.x + r.y + (int64_t)r.length;
  }
  if (sum != 6 * n) exit(1);
}

static double run(long n, lua_State *L) { /* messages per second */
  memset(ring, 0, sizeof *ring);
  *ready = 0;
  pid_t pid = bench_fork();
  if (!pid) {
    bench_pin(1);
    bench_ready(ready);
    if (L)
      from_lua_time(L, "local get = get for i = 1, ... do assert(get().y == 2) end", n);
    else
      consume(n);
    _exit(0);
  }
  bench_pin(0);
  bench_await(ready, 1);
  double start = bench_now();
  struct record r = {1, 2, 3, "abc"};
  if (L)
    from_lua_time(L, "local put = put for i = 1, ... do put{x = 1, y = 2, s = 'abc'} end", n);
  else
    for (long i = 0; i < n; i++) ring_put(ring, &r, sizeof r);
  bench_join(pid);
  return (double)n / (bench_now() - start);
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  ring = bench_shared(sizeof *ring);
  ready = bench_shared(4096);
  static const luaL_Reg functions[] = {{"put", l_put}, {"get", l_get}, {NULL, NULL}};
  bench_figure("rate", run(bench_count(5e6), NULL) / 1e6);
  bench_figure("rate.lua", run(bench_count(1e6), from_lua_begin(functions)) / 1e6);
}
