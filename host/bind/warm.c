/* Metatables of handles that are used much. See warm.h. */
#include "bind/warm.h"

#include "bind/bind.h"

static const char given; /* its address: the registry's number of such metatables made */

/* Sets the key and value on top, which stay, in the table at an index too. */
static void copy_field(lua_State *L, int to) {
  lua_pushvalue(L, -2);
  lua_pushvalue(L, -2);
  lua_rawset(L, to);
}

/* Pushes the table that is the handle's __index: the functions of the class's __methods. */
static void push_index(lua_State *L, int handle, int field, int methods) {
  lua_createtable(L, 0, 16);
  int index = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, methods); lua_pop(L, 1))
    if (lua_isfunction(L, -1)) copy_field(L, index);
  lua_createtable(L, 0, 2);
  lua_pushvalue(L, handle);
  lua_pushvalue(L, methods);
  lua_pushcclosure(L, lua_tocfunction(L, field), 2);
  lua_setfield(L, -2, "__index");
  lua_pushvalue(L, methods);
  lua_setfield(L, -2, "__methods"); /* for the prompt, which looks for fields there */
  lua_setmetatable(L, index);
}

/* (handle, field): may run out of memory, then nothing has changed. */
static int give(lua_State *L) {
  enum { HANDLE = 1, FIELD, CLASS, METHODS, OWN };
  struct handle *handle = lua_touserdata(L, HANDLE);
  luaL_getmetatable(L, handle->class);
  /* Somebody has put another one in its place: then it stays. */
  if (!lua_getmetatable(L, HANDLE) || !lua_rawequal(L, CLASS, -1)) return 0;
  lua_settop(L, CLASS);
  if (lua_getfield(L, CLASS, "__methods") != LUA_TTABLE) return 0;
  lua_createtable(L, 0, 16);
  for (lua_pushnil(L); lua_next(L, CLASS); lua_pop(L, 1)) copy_field(L, OWN);
  push_index(L, HANDLE, FIELD, METHODS);
  lua_setfield(L, OWN, "__index");
  lua_pushvalue(L, CLASS);
  lua_setfield(L, OWN, "__metatable");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &given);
  lua_pushinteger(L, lua_tointeger(L, -1) + 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &given);
  lua_pop(L, 1);
  lua_setmetatable(L, HANDLE);
  return 0;
}

void warm_vote(lua_State *L, const char *class, lua_CFunction field) {
  struct handle *handle = handle_as(L, 1, class);
  if (!handle || handle->object == 0) return;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &given);
  lua_Integer others = lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (handle->votes++ < others) return;
  lua_pushcfunction(L, give);
  lua_pushvalue(L, 1);
  lua_pushcfunction(L, field);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) lua_pop(L, 1);
}
