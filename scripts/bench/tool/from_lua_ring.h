/* Integers through a ring, called from Lua. */
#ifndef FROM_LUA_RING_H
#define FROM_LUA_RING_H

#include "tool/from_lua.h"
#include "tool/ring.h"

static inline int from_lua_put(lua_State *L) {
  lua_Integer x = luaL_checkinteger(L, 1);
  ring_put(lua_touserdata(L, lua_upvalueindex(1)), &x, sizeof x);
  return 0;
}

static inline int from_lua_get(lua_State *L) {
  lua_Integer x;
  ring_get(lua_touserdata(L, lua_upvalueindex(1)), &x, sizeof x);
  lua_pushinteger(L, x);
  return 1;
}

/* A function with the ring as its upvalue, as a global. */
static inline void from_lua_ring(lua_State *L, const char *name, lua_CFunction f, struct ring *r) {
  lua_pushlightuserdata(L, r);
  lua_pushcclosure(L, f, 1);
  lua_setglobal(L, name);
}

#endif
