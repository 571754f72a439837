/* Records {x, y, s} from one process to another through a ring; and from Lua table to Lua table,
   with the fields known beforehand. */
#include "tool/from_lua_ring.h"
#include "tool/pair.h"

struct record {
  int64_t x, y;
  uint64_t length;
  char s[8];
};

struct job {
  struct ring *ring;
  lua_State *L; /* NULL: in C */
  long n;
};

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
  ring_put(lua_touserdata(L, lua_upvalueindex(1)), &r, sizeof r);
  return 0;
}

static int l_get(lua_State *L) {
  struct record r;
  ring_get(lua_touserdata(L, lua_upvalueindex(1)), &r, sizeof r);
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, r.x);
  lua_setfield(L, -2, "x");
  lua_pushinteger(L, r.y);
  lua_setfield(L, -2, "y");
  lua_pushlstring(L, r.s, r.length);
  lua_setfield(L, -2, "s");
  return 1;
}

static void consume(void *work) {
  struct job *job = work;
  int64_t sum = 0;
  for (long i = 0; i < job->n; i++) {
    struct record r;
    ring_get(job->ring, &r, sizeof r);
    sum += r.x + r.y + (int64_t)r.length;
  }
  if (sum != 6 * job->n) exit(1);
}

static void produce(void *work) {
  struct job *job = work;
  struct record r = {1, 2, 3, "abc"};
  for (long i = 0; i < job->n; i++) ring_put(job->ring, &r, sizeof r);
}

static void consume_in_lua(void *work) {
  struct job *job = work;
  from_lua_time(job->L, "local get = get for i = 1, ... do assert(get().y == 2) end", job->n);
}

static void produce_in_lua(void *work) {
  struct job *job = work;
  from_lua_time(job->L, "local put = put for i = 1, ... do put{x = 1, y = 2, s = 'abc'} end",
                job->n);
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  struct job job = {ring_new(), NULL, bench_count(5e6)};
  bench_figure("rate", (double)job.n / pair_time(consume, produce, &job) / 1e6);

  static const luaL_Reg none[] = {{NULL, NULL}};
  job = (struct job){ring_new(), from_lua_begin(none), bench_count(1e6)};
  from_lua_ring(job.L, "put", l_put, job.ring);
  from_lua_ring(job.L, "get", l_get, job.ring);
  bench_figure("rate.lua", (double)job.n / pair_time(consume_in_lua, produce_in_lua, &job) / 1e6);
}
