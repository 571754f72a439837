/* For the limits that are called from Lua: a state with some bare C functions as globals. */
#ifndef FROM_LUA_H
#define FROM_LUA_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "tool/bench.h"

static inline lua_State *from_lua_begin(const luaL_Reg *functions) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  for (; functions->name; functions++) lua_register(L, functions->name, functions->func);
  return L;
}

/* Runs the chunk with n as its argument: seconds. */
static inline double from_lua_time(lua_State *L, const char *chunk, lua_Integer n) {
  if (luaL_loadstring(L, chunk) != LUA_OK) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    exit(1);
  }
  lua_pushinteger(L, n);
  double start = bench_now();
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    exit(1);
  }
  return bench_now() - start;
}

#endif
