/* Typed values: see value.h. */
#include "app/value.h"

#include <string.h>

static const char refs, texts; /* their addresses: keys of the registry */

void value_init(lua_State *L) {
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &refs);
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &texts);
}

int value_push_ref(lua_State *L, mph_ref ref) {
  luaL_checkstack(L, 3, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &refs);
  lua_rawgeti(L, -1, ref);
  lua_remove(L, -2);
  if (!lua_isnil(L, -1)) return 0;
  lua_pop(L, 1);
  return MPH_EREF;
}

int value_push(lua_State *L, const mph_value *value) {
  luaL_checkstack(L, 3, NULL);
  switch (value->type) {
  case MPH_NIL: lua_pushnil(L); return 0;
  case MPH_BOOL: lua_pushboolean(L, value->boolean); return 0;
  case MPH_INT: lua_pushinteger(L, value->integer); return 0;
  case MPH_NUMBER: lua_pushnumber(L, value->number); return 0;
  case MPH_STRING:
    if (!value->data && value->size) return MPH_EINVAL;
    lua_pushlstring(L, value->data ? value->data : "", value->size);
    return 0;
  case MPH_REF: return value_push_ref(L, value->ref);
  default: return MPH_EINVAL;
  }
}

int value_push_all(lua_State *L, const mph_value *values, size_t n) {
  int top = lua_gettop(L);
  if (n > INT32_MAX / 2) return MPH_EINVAL;
  luaL_checkstack(L, (int)n + 4, "too many arguments");
  for (size_t i = 0; i < n; i++) {
    int rc = value_push(L, &values[i]);
    if (rc == 0) continue;
    lua_settop(L, top);
    return rc;
  }
  return 0;
}

void value_begin(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &texts);
  bool used = lua_rawlen(L, -1) > 0;
  lua_pop(L, 1);
  if (!used) return;
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &texts);
}

static void keep_text(lua_State *L, int index) {
  lua_pushvalue(L, index);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &texts);
  lua_insert(L, -2);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
}

mph_ref value_refer(lua_State *L, mph_host *h) {
  if (h->last_ref >= INT32_MAX) luaL_error(L, "no references left");
  luaL_checkstack(L, 3, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &refs);
  lua_insert(L, -2);
  lua_rawseti(L, -2, h->last_ref + 1);
  lua_pop(L, 1);
  return (mph_ref)++h->last_ref;
}

void value_read(lua_State *L, mph_host *h, int index, mph_value *value) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 4, NULL);
  *value = mph_nil();
  switch (lua_type(L, index)) {
  case LUA_TNONE:
  case LUA_TNIL: return;
  case LUA_TBOOLEAN: *value = mph_bool(lua_toboolean(L, index)); return;
  case LUA_TNUMBER:
    *value = lua_isinteger(L, index) ? mph_int(lua_tointeger(L, index))
                                     : mph_num(lua_tonumber(L, index));
    return;
  case LUA_TSTRING: {
    size_t size;
    const char *text = lua_tolstring(L, index, &size);
    keep_text(L, index);
    *value = mph_bytes(text, size);
    return;
  }
  default: lua_pushvalue(L, index); *value = mph_object(value_refer(L, h));
  }
}

void value_release(lua_State *L, mph_ref ref) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &refs);
  lua_pushnil(L);
  lua_rawseti(L, -2, ref);
  lua_pop(L, 1);
}

int value_kind(lua_State *L, int index) {
  static const struct {
    const char *name;
    int kind;
  } kinds[] = {
      {"mphost.Pool", MPH_KIND_POOL},   {"mphost.Future", MPH_KIND_FUTURE},
      {"mphost.Queue", MPH_KIND_QUEUE}, {"mphost.Value", MPH_KIND_CELL},
      {"mphost.Array", MPH_KIND_ARRAY}, {"mphost.Process", MPH_KIND_PROCESS},
  };
  int type = lua_type(L, index), kind = MPH_KIND_OTHER;
  if (type == LUA_TFUNCTION) return MPH_KIND_FUNCTION;
  if (type == LUA_TTABLE) kind = MPH_KIND_TABLE;
  luaL_checkstack(L, 3, NULL);
  if (luaL_getmetafield(L, index, "__name") == LUA_TNIL) return kind;
  const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(kinds[i].name, name) == 0) kind = kinds[i].kind;
  lua_pop(L, 1);
  return kind;
}

int value_push_kind(lua_State *L, mph_ref ref, int kind) {
  int rc = value_push_ref(L, ref);
  if (rc < 0 || value_kind(L, -1) == kind) return rc;
  lua_pop(L, 1);
  return MPH_ETYPE;
}

/* ---- mph_release, mph_kind ---- */

static int do_release(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  order->rc = value_push_ref(L, order->object);
  if (order->rc == 0) value_release(L, order->object);
  return 0;
}

int mph_release(mph_host *h, mph_ref ref) {
  struct order order = {.object = ref};
  return host_run(h, true, do_release, &order);
}

static int do_kind(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  order->rc = value_push_ref(L, order->object);
  if (order->rc == 0) order->rc = value_kind(L, -1);
  return 0;
}

int mph_kind(mph_host *h, mph_ref ref) {
  struct order order = {.object = ref};
  return host_run(h, true, do_kind, &order);
}
