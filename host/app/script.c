/* Running files and code, with values on mph_lua's stack. */
#include <string.h>

#include "app/host.h"
#include "app/state.h"
#include "bind/std.h"
#include "os/proc.h"

/* Both loaders return the chunk or a message, and the status. */
static int load_file(lua_State *L) {
  const struct order *order = lua_touserdata(L, 1);
  lua_pushinteger(L, luaL_loadfile(L, order->text));
  return 2;
}

static int load_string(lua_State *L) {
  const struct order *order = lua_touserdata(L, 1);
  lua_pushinteger(L, luaL_loadbuffer(L, order->text, order->size, order->name));
  return 2;
}

/* Leaves the chunk on the stack and returns 0. */
static int load(mph_host *h, lua_CFunction loader, struct order *order) {
  int rc = host_call(h, loader, order);
  if (rc < 0) return rc;
  int status = (int)lua_tointeger(h->L, -1);
  lua_pop(h->L, 1);
  return status == LUA_OK ? MPH_OK : host_fail(h, status);
}

/* The values of the global table `arg` from 1 on. */
static int unpack_args(lua_State *L) {
  if (lua_getglobal(L, "arg") != LUA_TTABLE) return luaL_error(L, "'arg' is not a table");
  int n = (int)luaL_len(L, -1);
  luaL_checkstack(L, n + 1, "too many arguments to script");
  for (int i = 1; i <= n; i++) lua_rawgeti(L, 2, i);
  return n;
}

static int run_file(mph_host *h, const char *path, int nargs) {
  struct order order = {.text = path};
  if (nargs == MPH_ARGS && (nargs = host_call(h, unpack_args, &order)) < 0) return nargs;
  int rc = load(h, load_file, &order);
  if (rc < 0) {
    lua_pop(h->L, nargs);
    return rc;
  }
  lua_insert(h->L, -(nargs + 1));
  return host_call_values(h, nargs);
}

int mph_run_file(mph_host *h, const char *path, int nargs) {
  int rc = host_enter(h, nargs >= MPH_ARGS);
  if (rc < 0) return rc;
  if (nargs > lua_gettop(h->L)) return host_leave(h, MPH_EINVAL);
  return host_leave(h, run_file(h, path, nargs));
}

int mph_run_string(mph_host *h, const char *code, const char *chunkname) {
  int rc = host_enter(h, code);
  if (rc < 0) return rc;
  struct order order = {.text = code, .size = strlen(code), .name = chunkname ? chunkname : code};
  rc = load(h, load_string, &order);
  return host_leave(h, rc < 0 ? rc : host_call_values(h, 0));
}

static int create_args(lua_State *L) {
  const struct order *order = lua_touserdata(L, 1);
  int argc = (int)order->size;
  int script = order->script == argc ? 0 : order->script;
  lua_createtable(L, argc - script, script + 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, order->argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
  return 0;
}

int mph_set_args(mph_host *h, int argc, char *const argv[], int script) {
  bool valid = argc >= 0 && (argc == 0 || argv) && script >= 0 && script <= argc;
  struct order order = {.size = (size_t)argc, .script = script, .argv = argv};
  return host_run(h, valid, create_args, &order);
}

static int require_into(lua_State *L) {
  const struct order *order = lua_touserdata(L, 1);
  lua_getglobal(L, "require");
  lua_pushstring(L, order->text);
  lua_call(L, 1, 1);
  if (order->name) lua_setglobal(L, order->name);
  return 0;
}

int mph_require(mph_host *h, const char *module, const char *global) {
  struct order order = {.text = module, .name = global};
  return host_run(h, module, require_into, &order);
}

/* Calls a function of a module of ours. */
static int call_module(lua_State *L) {
  const struct order *order = lua_touserdata(L, 1);
  std_push_field(L, "require");
  lua_pushstring(L, order->text);
  lua_call(L, 1, 1);
  lua_getfield(L, -1, order->name);
  lua_call(L, 0, 0);
  return 0;
}

int mph_repl(mph_host *h) {
  struct order order = {.text = "mphost.repl", .name = "main"};
  return host_run(h, true, call_module, &order);
}

/* Ends them if there can be any: the library may not have been asked for. */
static int stop_processes(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "mphost.process") == LUA_TNIL) return 0;
  lua_pop(L, 2);
  return call_module(L);
}

int mph_stop(mph_host *h) {
  struct order order = {.text = "mphost.process", .name = "stop"};
  return host_run(h, true, stop_processes, &order);
}

int luaopen_mphost(lua_State *L) {
  luaL_checkversion(L);
  proc_shed_handler();
  state_preload(L);
  state_open(L);
  return 1;
}
