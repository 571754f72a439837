/* The public C interface over one Lua state. Whatever may raise runs in a protected call, so no
 * Lua error ever leaves through a caller who is not Lua. */
#include "mphost.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "app/state.h"
#include "bind/interrupt.h"

struct mph_host {
  lua_State *L;
  char *message; /* of the last failure, malloc'ed; NULL: none, or no memory for it */
  int rc;        /* of the last call */
  volatile sig_atomic_t interrupted; /* asked for during the call that runs */
};

static const struct {
  const char *name, *text;
} results[] = {
    {"MPH_OK", "no error"},
    {"MPH_EINVAL", "invalid argument"},
    {"MPH_ENOMEM", "not enough memory"},
    {"MPH_EFILE", "cannot read the file"},
    {"MPH_ESYNTAX", "the code does not compile"},
    {"MPH_ERUN", "the code raised an error"},
    {"MPH_EINTR", "interrupted"},
};
enum { RESULTS = sizeof results / sizeof *results };

const char *mph_version(void) {
  return MPHOST_VERSION;
}

const char *mph_strerror(int rc) {
  if (rc >= 0) return results[0].text;
  return rc > -RESULTS ? results[-rc].text : "unknown error";
}

const char *mph_errname(int rc) {
  if (rc >= 0) return results[0].name;
  return rc > -RESULTS ? results[-rc].name : "MPH_EUNKNOWN";
}

int mph_open(mph_host **host, const mph_config *config) {
  if (!host) return MPH_EINVAL;
  *host = NULL;
  mph_config known = MPH_CONFIG_INIT;
  if (config) {
    if (config->size < sizeof config->size) return MPH_EINVAL;
    memcpy(&known, config, config->size < sizeof known ? config->size : sizeof known);
  }
  if (known.flags & ~(unsigned)MPH_NOENV) return MPH_EINVAL;
  mph_host *h = calloc(1, sizeof *h);
  if (!h) return MPH_ENOMEM;
  h->L = state_new(known.flags & MPH_NOENV);
  if (!h->L) {
    free(h);
    return MPH_ENOMEM;
  }
  *host = h;
  return MPH_OK;
}

void mph_close(mph_host *h) {
  if (!h) return;
  lua_close(h->L);
  free(h->message);
  free(h);
}

struct lua_State *mph_lua(mph_host *h) {
  return h ? h->L : NULL;
}

const char *mph_errmsg(mph_host *h) {
  if (!h || h->rc >= 0) return "";
  return h->message ? h->message : mph_strerror(h->rc);
}

static int note(mph_host *h, int rc, const char *text) {
  free(h->message);
  h->message = text ? strdup(text) : NULL;
  h->rc = rc;
  return rc;
}

/* How every call with a host begins: forgets the last failure and sees to room on the stack. */
static int begin(mph_host *h, bool valid) {
  if (!h) return MPH_EINVAL;
  interrupt_forget();
  h->interrupted = 0;
  return note(h, !valid ? MPH_EINVAL : lua_checkstack(h->L, 8) ? MPH_OK : MPH_ENOMEM, NULL);
}

/* A failure, its message on top of the stack, which is popped. */
static int fail(mph_host *h, int status) {
  int rc = status == LUA_ERRMEM      ? MPH_ENOMEM
           : status == LUA_ERRSYNTAX ? MPH_ESYNTAX
           : status == LUA_ERRFILE   ? MPH_EFILE
           : h->interrupted          ? MPH_EINTR
                                     : MPH_ERUN;
  note(h, rc, lua_type(h->L, -1) == LUA_TSTRING ? lua_tostring(h->L, -1) : NULL);
  lua_pop(h->L, 1);
  return rc;
}

/* Turns an error into what is shown: text with a traceback; an object speaks for itself by
 * __tostring, as in lua.c. Runs inside the failing call, while its stack can still be seen. */
static int describe_error(lua_State *L) {
  const char *text = lua_tostring(L, 1);
  if (!text) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING) return 1;
    text = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  }
  luaL_traceback(L, L, text, 1);
  return 1;
}

/* Calls the function below nargs values; its results stand in their place, or nothing. */
static int call(mph_host *h, int nargs) {
  int base = lua_gettop(h->L) - nargs;
  lua_pushcfunction(h->L, describe_error);
  lua_insert(h->L, base);
  int status = lua_pcall(h->L, nargs, LUA_MULTRET, base);
  lua_remove(h->L, base);
  return status == LUA_OK ? lua_gettop(h->L) - base + 1 : fail(h, status);
}

/* What a protected helper needs to know, passed to it as a light userdata. */
struct order {
  const char *text; /* a path, code or a module's name */
  const char *name; /* a chunk's name or a global's */
  size_t size;      /* of the code; the number of arguments */
  size_t script;    /* index of the script in argv */
  char *const *argv;
};

static int call_helper(mph_host *h, lua_CFunction helper, struct order *order) {
  lua_pushcfunction(h->L, helper);
  lua_pushlightuserdata(h->L, order);
  return call(h, 1);
}

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
  int rc = call_helper(h, loader, order);
  if (rc < 0) return rc;
  int status = (int)lua_tointeger(h->L, -1);
  lua_pop(h->L, 1);
  return status == LUA_OK ? MPH_OK : fail(h, status);
}

/* The values of the global table `arg` from 1 on. */
static int unpack_args(lua_State *L) {
  if (lua_getglobal(L, "arg") != LUA_TTABLE) return luaL_error(L, "'arg' is not a table");
  int n = (int)luaL_len(L, -1);
  luaL_checkstack(L, n + 1, "too many arguments to script");
  for (int i = 1; i <= n; i++) lua_rawgeti(L, 2, i);
  return n;
}

int mph_run_file(mph_host *h, const char *path, int nargs) {
  int rc = begin(h, h && nargs >= MPH_ARGS && nargs <= lua_gettop(h->L));
  if (rc < 0) return rc;
  struct order order = {.text = path};
  if (nargs == MPH_ARGS && (nargs = call_helper(h, unpack_args, &order)) < 0) return nargs;
  if ((rc = load(h, load_file, &order)) < 0) {
    lua_pop(h->L, nargs);
    return rc;
  }
  lua_insert(h->L, -(nargs + 1));
  return call(h, nargs);
}

int mph_run_string(mph_host *h, const char *code, const char *chunkname) {
  int rc = begin(h, code);
  if (rc < 0) return rc;
  struct order order = {.text = code, .size = strlen(code), .name = chunkname ? chunkname : code};
  rc = load(h, load_string, &order);
  return rc < 0 ? rc : call(h, 0);
}

static int create_args(lua_State *L) {
  const struct order *order = lua_touserdata(L, 1);
  int argc = (int)order->size;
  int script = order->script == order->size ? 0 : (int)order->script;
  lua_createtable(L, argc - script, script + 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, order->argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
  return 0;
}

int mph_set_args(mph_host *h, int argc, char *const argv[], int script) {
  int rc = begin(h, argc >= 0 && (argc == 0 || argv) && script >= 0 && script <= argc);
  if (rc < 0) return rc;
  struct order order = {.size = (size_t)argc, .script = (size_t)script, .argv = argv};
  return call_helper(h, create_args, &order);
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
  int rc = begin(h, module);
  if (rc < 0) return rc;
  struct order order = {.text = module, .name = global};
  return call_helper(h, require_into, &order);
}

void mph_interrupt(mph_host *h) {
  h->interrupted = 1;
  interrupt_ask(h->L);
}

/* Calls a function of a module of ours. */
static int call_module(lua_State *L) {
  const struct order *order = lua_touserdata(L, 1);
  lua_getglobal(L, "require");
  lua_pushstring(L, order->text);
  lua_call(L, 1, 1);
  lua_getfield(L, -1, order->name);
  lua_call(L, 0, 0);
  return 0;
}

int mph_repl(mph_host *h) {
  int rc = begin(h, h);
  if (rc < 0) return rc;
  struct order order = {.text = "mphost.repl", .name = "main"};
  return call_helper(h, call_module, &order);
}

int mph_stop(mph_host *h) {
  int rc = begin(h, h);
  if (rc < 0) return rc;
  luaL_getsubtable(h->L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  bool used = lua_getfield(h->L, -1, "mphost.process") != LUA_TNIL;
  lua_pop(h->L, 2);
  struct order order = {.text = "mphost.process", .name = "stop"};
  return used ? call_helper(h, call_module, &order) : MPH_OK;
}

int luaopen_mphost(lua_State *L) {
  luaL_checkversion(L);
  state_preload(L);
  state_open(L);
  return 1;
}
