/* Lua's names for the library's own modules: see std.h. */
#include "bind/std.h"

#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "codec/names.h"

/* The table on top -> a copy of it in its place. */
static void copy_table(lua_State *L) {
  int from = lua_gettop(L);
  lua_newtable(L);
  lua_pushnil(L);
  while (lua_next(L, from)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, from + 1);
  }
  lua_remove(L, from);
}

/* The globals with standard names, from the table at `globals`, into the one at `std`. */
static void copy_globals(lua_State *L, int globals, int std) {
  lua_pushnil(L);
  for (; lua_next(L, globals); lua_pop(L, 1)) {
    size_t size;
    if (lua_type(L, -2) != LUA_TSTRING || lua_istable(L, -1)) continue;
    const char *name = lua_tolstring(L, -2, &size);
    if (!names_are_standard(name, size)) continue;
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, std);
  }
}

/* The libraries as they were loaded, whatever stands in the globals under their names. */
static void copy_libraries(lua_State *L, int std) {
  static const char *const list[] = {LUA_COLIBNAME,   LUA_TABLIBNAME, LUA_IOLIBNAME,
                                     LUA_OSLIBNAME,   LUA_STRLIBNAME, LUA_UTF8LIBNAME,
                                     LUA_MATHLIBNAME, LUA_DBLIBNAME,  LUA_LOADLIBNAME};
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    lua_pushstring(L, list[i]);
    if (lua_rawget(L, -2) == LUA_TTABLE && strcmp(list[i], LUA_LOADLIBNAME) != 0) copy_table(L);
    lua_setfield(L, std, list[i]);
  }
  lua_pop(L, 1);
}

void std_open(lua_State *L) {
  luaL_checkstack(L, 10, NULL);
  int top = lua_gettop(L);
  if (lua_getfield(L, LUA_REGISTRYINDEX, NAMES_STD) != LUA_TTABLE) {
    lua_newtable(L);
    lua_pushglobaltable(L);
    copy_globals(L, top + 3, top + 2);
    lua_setfield(L, top + 2, LUA_GNAME);
    copy_libraries(L, top + 2);
    lua_setfield(L, LUA_REGISTRYINDEX, NAMES_STD);
  }
  lua_settop(L, top);
}

void std_push(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, NAMES_STD);
}

void std_push_field(lua_State *L, const char *name) {
  std_push(L);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
}
