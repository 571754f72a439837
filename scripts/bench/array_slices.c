/* A million shared doubles: filled, read and written in slices of a thousand, read one by one; and
   the same between the array and Lua's tables, by functions called from Lua. */
#include "tool/from_lua.h"

#define SLICE 1000

static double *array;
static long n;

static int l_get(lua_State *L) {
  long first = luaL_checkinteger(L, 1) - 1;
  lua_createtable(L, SLICE, 0);
  for (int k = 0; k < SLICE; k++) {
    lua_pushnumber(L, array[first + k]);
    lua_rawseti(L, -2, k + 1);
  }
  return 1;
}

static int l_set(lua_State *L) {
  long first = luaL_checkinteger(L, 1) - 1;
  for (int k = 0; k < SLICE; k++) {
    lua_rawgeti(L, 2, k + 1);
    array[first + k] = lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  return 0;
}

static int l_index(lua_State *L) {
  lua_pushnumber(L, array[luaL_checkinteger(L, 2) - 1]);
  return 1;
}

static void keep(void *p) { /* the compiler may not leave it out */
  __asm__ volatile("" ::"r"(p) : "memory");
}

static void figure(const char *name, double seconds, long turns) {
  bench_figure(name, (double)(n * turns) / seconds / 1e6);
}

static void in_c(long turns) {
  static double slice[SLICE];
  double start = bench_now(), sum = 0;
  for (long t = 0; t < turns; t++, keep(array))
    for (long i = 0; i < n; i++) array[i] = (double)t;
  figure("fill", bench_now() - start, turns);
  start = bench_now();
  for (long t = 0; t < turns; t++)
    for (long i = 0; i < n; i += SLICE, keep(slice)) memcpy(slice, array + i, sizeof slice);
  figure("read", bench_now() - start, turns);
  start = bench_now();
  for (long t = 0; t < turns; t++)
    for (long i = 0; i < n; i += SLICE, keep(array)) memcpy(array + i, slice, sizeof slice);
  figure("write", bench_now() - start, turns);
  start = bench_now();
  for (long t = 0; t < turns; t++, keep(&sum))
    for (long i = 0; i < n; i++) sum += *(volatile double *)&array[i];
  figure("element", bench_now() - start, turns);
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  n = (bench_count(1e6) + SLICE - 1) / SLICE * SLICE;
  array = bench_shared((size_t)n * sizeof *array);
  in_c(50);

  static const luaL_Reg functions[] = {{"get", l_get}, {"set", l_set}, {NULL, NULL}};
  lua_State *L = from_lua_begin(functions);
  lua_newuserdatauv(L, 1, 0);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_index);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_setglobal(L, "array");
  const char *read = "local get = get for t = 1, 5 do for i = 1, ..., 1000 do get(i) end end";
  const char *write = "local set, list = set, get(1) "
                      "for t = 1, 5 do for i = 1, ..., 1000 do set(i, list) end end";
  const char *element = "local a, sum = array, 0 "
                        "for t = 1, 5 do for i = 1, ... do sum = sum + a[i] end end";
  figure("read.lua", from_lua_time(L, read, n), 5);
  figure("write.lua", from_lua_time(L, write, n), 5);
  figure("element.lua", from_lua_time(L, element, n), 5);
}
