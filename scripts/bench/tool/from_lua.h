/* For the limits that are called from Lua: a state with some bare C functions as globals, or with
   an object that has them as methods. */
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

/* A userdata that holds a pointer and has these methods, as a global. */
static inline void from_lua_object(lua_State *L, const char *name, void *pointer,
                                   const luaL_Reg *methods) {
  *(void **)lua_newuserdatauv(L, sizeof pointer, 0) = pointer;
  lua_createtable(L, 0, 1);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_setglobal(L, name);
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
