/* C functions for Lua: see define.h. */
#include "app/define.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/value.h"
#include "os/latch.h"

struct definition {
  mph_function function;
  void *user;
  mph_host *host;
};

/* Reads the arguments below `top` without keeping strings alive: the stack does. */
static mph_value *read_args(lua_State *L, mph_host *h, int top) {
  mph_value *args = lua_newuserdatauv(L, sizeof *args * (size_t)(top + 1), 0);
  for (int i = 0; i < top; i++) {
    size_t size;
    if (lua_type(L, i + 1) == LUA_TSTRING) {
      const char *text = lua_tolstring(L, i + 1, &size);
      args[i] = mph_bytes(text, size);
    } else {
      value_read(L, h, i + 1, &args[i]);
    }
  }
  return args;
}

static int call_defined(lua_State *L) {
  struct definition *d = lua_touserdata(L, lua_upvalueindex(1));
  int top = lua_gettop(L);
  mph_value *args = read_args(L, d->host, top), result = mph_nil();
  int rc = d->function(d->host, d->user, args, top, &result);
  int pushed = value_push(L, &result);
  for (int i = 0; i < top; i++)
    if (args[i].type == MPH_REF) value_release(L, args[i].ref);
  if (rc >= 0 && pushed == 0) return 1;
  if (rc < 0 && pushed == 0 && lua_type(L, -1) == LUA_TSTRING) return lua_error(L);
  return luaL_error(L, "%s", mph_strerror(rc < 0 ? rc : pushed));
}

static int do_define(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  luaL_getsubtable(L, -1, "mphost.c");
  struct definition *d = lua_newuserdatauv(L, sizeof *d, 0);
  *d = (struct definition){order->callback, order->user, order->host};
  lua_pushcclosure(L, call_defined, 1);
  if (order->ref) {
    lua_pushvalue(L, -1);
    *order->ref = value_refer(L, order->host);
  }
  lua_setfield(L, 3, order->text);
  return 0;
}

/* ---- what the zygote's children get ---- */

static struct known {
  struct known *next;
  const mph_host *host;
  mph_function function;
  void *user;
  char name[];
} * known; /* of all hosts of this process, under the latch */

static int note(const mph_host *host, const char *name, mph_function function, void *user) {
  struct known *k = malloc(sizeof *k + strlen(name) + 1);
  if (!k) return MPH_ENOMEM;
  *k = (struct known){.host = host, .function = function, .user = user};
  strcpy(k->name, name);
  latch_lock();
  k->next = known;
  known = k;
  latch_unlock();
  return MPH_OK;
}

int define_any(void) {
  latch_lock();
  int any = known != NULL;
  latch_unlock();
  return any;
}

void define_forget(const mph_host *host) {
  latch_lock();
  for (struct known **at = &known; *at;) {
    struct known *k = *at;
    if (k->host == host) {
      *at = k->next;
      free(k);
    } else {
      at = &k->next;
    }
  }
  latch_unlock();
}

static int define(mph_host *h, const char *name, mph_function function, void *user, mph_ref *ref) {
  struct order order = {.text = name, .callback = function, .user = user, .ref = ref};
  return host_run(h, name && *name && function, do_define, &order);
}

/* (mphost.c, name) */
static int explain(lua_State *L) {
  return luaL_error(L,
                    "C function '%s' is not in this process: it must be given to mph_define before "
                    "mph_zygote, or by the function that mph_member is given",
                    luaL_tolstring(L, 2, NULL));
}

static int do_explain(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  luaL_getsubtable(L, -1, "mphost.c");
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, explain);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  return 0;
}

/* Those that came last are first in the list, and a name that is there already stays: so the latest
 * wins. Runs in the zygote, which has one thread. */
int define_known(mph_host *h) {
  struct known *inherited = known;
  struct order order = {0};
  int rc = host_run(h, true, do_explain, &order);
  for (const struct known *k = inherited; k; k = k->next) {
    mph_value v = mph_nil();
    char path[256];
    if (snprintf(path, sizeof path, "mphost.c.%s", k->name) < (int)sizeof path)
      mph_get(h, path, &v);
    if (v.type == MPH_NIL) define(h, k->name, k->function, k->user, NULL);
    if (v.type == MPH_REF) mph_release(h, v.ref);
  }
  return rc;
}

int mph_define(mph_host *h, const char *name, mph_function function, void *user, mph_ref *ref) {
  if (ref) *ref = 0;
  int rc = define(h, name, function, user, ref);
  return rc < 0 ? rc : note(h, name, function, user);
}
