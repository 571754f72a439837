/* Asks package.searchpath what require's searchers would ask it. */
#include "codec/modules.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

static int module_compare(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool module_is_ours(const char *name) {
  static const char *const list[] = {"_G", "coroutine", "debug",  "io",    "math",
                                     "os", "package",   "string", "table", "utf8"};
  if (bsearch(&name, list, sizeof list / sizeof *list, sizeof *list, module_compare)) return true;
  return strncmp(name, "mphost", 6) == 0 && (name[6] == '\0' || name[6] == '.');
}

/* Pushes package.searchpath(name, package[field]), or nothing where that fails or finds nothing. */
static bool module_on_path(lua_State *L, int package, const char *name, const char *field) {
  lua_pushliteral(L, "searchpath");
  lua_rawget(L, package);
  lua_pushstring(L, name);
  lua_pushstring(L, field);
  lua_rawget(L, package);
  int status = lua_pcall(L, 2, 1, 0);
  if (status == LUA_ERRMEM) lua_error(L);
  if (status == LUA_OK && lua_isstring(L, -1)) return true;
  lua_pop(L, 1);
  return false;
}

/* A C library may hold its submodules, so "a.b" is found where "a" is. */
static bool module_in_library(lua_State *L, int package, const char *name) {
  bool found = module_on_path(L, package, name, "cpath");
  const char *dot = strchr(name, '.');
  if (!found && dot != NULL) {
    const char *root = lua_pushlstring(L, name, (size_t)(dot - name));
    found = module_on_path(L, package, root, "cpath");
    lua_remove(L, found ? -2 : -1);
  }
  if (found) lua_pop(L, 1);
  return found;
}

static bool module_preloaded(lua_State *L, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushstring(L, name);
  bool found = lua_rawget(L, -2) != LUA_TNIL;
  lua_pop(L, 2);
  return found;
}

void module_push_origin(lua_State *L, int loaded, const char *name) {
  if (module_is_ours(name)) {
    lua_pushboolean(L, 1);
    return;
  }
  if (module_preloaded(L, name)) {
    lua_pushliteral(L, "");
    return;
  }
  lua_pushliteral(L, LUA_LOADLIBNAME);
  if (lua_rawget(L, loaded) != LUA_TTABLE)
    lua_pushboolean(L, 0);
  else if (!module_on_path(L, lua_gettop(L), name, "path"))
    lua_pushboolean(L, module_in_library(L, lua_gettop(L), name));
  lua_remove(L, -2);
}
