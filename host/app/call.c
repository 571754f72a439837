/* Calling Lua with typed values, and being called: mph_eval, mph_call, mph_get, mph_set,
 * mph_define. */
#include <string.h>

#include "app/host.h"
#include "app/value.h"

static void clear(mph_value *results, int n) {
  for (int i = 0; i < n; i++) results[i] = mph_nil();
}

/* Calls the function on top with the order's args; reads what it returns. */
static int call_top(lua_State *L, struct order *order) {
  int base = lua_gettop(L);
  order->rc = value_push_all(L, order->args, order->nargs);
  if (order->rc < 0) return 0;
  lua_call(L, (int)order->nargs, LUA_MULTRET);
  int n = lua_gettop(L) - base + 1;
  value_begin(L);
  for (int i = 0; i < n && i < (int)order->nresults; i++)
    value_read(L, order->host, base + i, &order->results[i]);
  order->rc = n;
  return 0;
}

static int do_call(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  order->rc = value_push_ref(L, order->function);
  return order->rc < 0 ? 0 : call_top(L, order);
}

static int do_eval(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  int status = luaL_loadbuffer(L, order->text, order->size, order->name);
  if (status == LUA_OK) return call_top(L, order);
  int rc = status == LUA_ERRMEM ? MPH_ENOMEM : MPH_ESYNTAX;
  order->rc = host_note(order->host, rc, lua_tostring(L, -1));
  return 0;
}

static bool valid_lists(const mph_value *args, int nargs, mph_value *results, int nresults) {
  return nargs >= 0 && nresults >= 0 && (nargs == 0 || args) && (nresults == 0 || results);
}

static int call(mph_host *h, lua_CFunction helper, struct order *order, const mph_value *args,
                int nargs, mph_value *results, int nresults) {
  int rc = host_enter(h, valid_lists(args, nargs, results, nresults));
  if (rc < 0) return rc;
  order->args = args, order->nargs = (size_t)nargs;
  order->results = results, order->nresults = (size_t)nresults;
  rc = host_do(h, helper, order);
  int read = rc < 0 ? 0 : rc < nresults ? rc : nresults;
  clear(results + read, nresults - read); /* only now: results may be where the args are */
  return host_leave(h, rc);
}

int mph_eval(mph_host *h, const char *code, const char *chunkname, const mph_value *args, int nargs,
             mph_value *results, int nresults) {
  if (h && !code) return host_run(h, false, NULL, NULL);
  struct order order = {.text = code, .name = chunkname ? chunkname : code};
  order.size = code ? strlen(code) : 0;
  return call(h, do_eval, &order, args, nargs, results, nresults);
}

int mph_call(mph_host *h, mph_ref f, const mph_value *args, int nargs, mph_value *results,
             int nresults) {
  struct order order = {.function = f};
  return call(h, do_call, &order, args, nargs, results, nresults);
}

/* ---- names ---- */

/* The field of the value on top under the path: in its place. */
static void walk(lua_State *L, const char *path) {
  while (*path && !lua_isnil(L, -1)) {
    size_t size = strcspn(path, ".");
    lua_pushlstring(L, path, size);
    lua_gettable(L, -2);
    lua_remove(L, -2);
    path += size + (path[size] == '.');
  }
}

/* package.loaded under each prefix of the path, the longest first. */
static void walk_modules(lua_State *L, const char *path) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  for (size_t size = strlen(path); size > 0; size--) {
    if (path[size] && path[size] != '.') continue;
    lua_pushlstring(L, path, size);
    lua_rawget(L, -2);
    walk(L, path[size] ? path + size + 1 : "");
    if (!lua_isnil(L, -1)) return;
    lua_pop(L, 1);
  }
  lua_pushnil(L);
}

static int do_get(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  lua_pushglobaltable(L);
  walk(L, order->text);
  if (lua_isnil(L, -1)) walk_modules(L, order->text);
  value_begin(L);
  value_read(L, order->host, -1, order->results);
  return 0;
}

int mph_get(mph_host *h, const char *path, mph_value *value) {
  if (value) *value = mph_nil();
  struct order order = {.text = path, .results = value};
  return host_run(h, path && *path && value, do_get, &order);
}

static int do_set(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  order->rc = value_push(L, order->args);
  if (order->rc == 0) lua_setglobal(L, order->text);
  return 0;
}

int mph_set(mph_host *h, const char *name, mph_value value) {
  struct order order = {.text = name, .args = &value};
  return host_run(h, name && *name, do_set, &order);
}
