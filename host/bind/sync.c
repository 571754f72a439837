/* Shared by the bindings of section "synchronisation": see sync.h. */
#include "bind/sync.h"

#include <errno.h>

void sync_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction close,
                lua_CFunction leave) {
  bind_class(L, name, methods, close);
  luaL_getmetatable(L, name);
  lua_pushcfunction(L, leave);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}

void sync_finalizer(lua_State *L, const char *name, lua_CFunction gc) {
  luaL_getmetatable(L, name);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

static const char closing; /* its address: the registry's key */

void sync_closing(lua_State *L) {
  lua_pushboolean(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &closing);
}

int sync_keep(lua_State *L, struct handle *handle) {
  int is_closing = lua_rawgetp(L, LUA_REGISTRYINDEX, &closing) != LUA_TNIL;
  lua_pop(L, 1);
  if (is_closing) return 0;
  handle->kept = 1;
  lua_pushvalue(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, handle);
  lua_getmetatable(L, 1); /* setting it anew is what makes the finalizer run once more */
  lua_setmetatable(L, 1);
  return 1;
}

int sync_taken(lua_State *L, int rc) {
  if (rc < 0) return bind_fail(L, rc);
  lua_settop(L, 1);
  if (rc == 0) return 1;
  lua_pushliteral(L, "owner died");
  return 2;
}

static int look_for_interrupt(lua_State *L) {
  interrupt_again(L, -EINTR);
  return 0;
}

int sync_again(lua_State *L) {
  luaL_checkstack(L, 4, NULL);
  lua_pushcfunction(L, look_for_interrupt);
  return lua_pcall(L, 0, 0, 0) == LUA_OK;
}

static int with_done(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  return lua_gettop(L) - 1;
}

int sync_with(lua_State *L) {
  int arguments = lua_gettop(L) - 2;
  lua_toclose(L, 1);
  lua_callk(L, arguments, LUA_MULTRET, 0, with_done);
  return with_done(L, LUA_OK, 0);
}

int sync_true(lua_State *L, int rc) {
  if (rc < 0) return bind_fail(L, rc);
  lua_pushboolean(L, 1);
  return 1;
}

void sync_open(lua_State *L, struct handle *handle, uint64_t object, uint64_t hold) {
  if (!object) bind_fail(L, -ENOMEM);
  handle_open(L, handle, object, hold);
}
