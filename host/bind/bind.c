/* The module mphost.core: the entry, and what all bindings share. See bind.h. */
#include "bind/bind.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "os/clock.h"
#include "shm/family.h"
#include "shm/pipe.h"

static const struct answer {
  int rc;
  const char *message, *name;
} answers[] = {
    {-ETIMEDOUT, "timed out", "timeout"},   {-EAGAIN, "it would have to wait", "timeout"},
    {-EPIPE, "closed", "closed"},           {-ESRCH, "no such process", "gone"},
    {-ECANCELED, "cancelled", "cancelled"},
};

int bind_fail(lua_State *L, int rc) {
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    if (answers[i].rc != rc) continue;
    lua_pushnil(L);
    lua_pushstring(L, answers[i].message);
    lua_pushstring(L, answers[i].name);
    return 3;
  }
  if (rc == -ENOMEM) return luaL_error(L, "not enough shared memory");
  return luaL_error(L, "%s", strerror(-rc));
}

int bind_raise(lua_State *L) {
  luaL_where(L, 1);
  lua_insert(L, -2);
  lua_concat(L, 2);
  return lua_error(L);
}

/* Called by C code, as an ipairs's next, a function has no line of its caller's: the nearest line
 * of Lua code is. */
static void push_line(lua_State *L) {
  lua_Debug ar;
  int level = 1;
  while (lua_getstack(L, level, &ar) && lua_getinfo(L, "l", &ar) && ar.currentline < 0) level++;
  luaL_where(L, level);
}

int bind_closed(lua_State *L, int arg, const char *class) {
  lua_Debug ar;
  int named = lua_getstack(L, 0, &ar) && lua_getinfo(L, "n", &ar) && ar.name;
  if (arg && named && strcmp(ar.namewhat, "metamethod") != 0)
    return luaL_argerror(L, arg, "it is closed");
  push_line(L);
  lua_pushfstring(L, "the %s cannot be used: it is closed", strrchr(class, '.') + 1);
  lua_concat(L, 2);
  return lua_error(L);
}

int64_t bind_deadline(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg)) return CLOCK_NEVER;
  lua_Number seconds = luaL_checknumber(L, arg);
  luaL_argcheck(L, seconds == seconds, arg, "a number of seconds expected, got nan");
  return clock_deadline(seconds);
}

void bind_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction close) {
  luaL_newmetatable(L, name);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__methods"); /* for the prompt, also where __index is a function */
  lua_setfield(L, -2, "__index");
  if (close) {
    lua_pushcfunction(L, close);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__gc");
    lua_setfield(L, -2, "__close");
  }
  lua_pop(L, 1);
}

void bind_check_family(lua_State *L) {
  if (family_index() >= 0) return;
  luaL_error(L, family_is_foreign() ? BIND_FOREIGN : "the library is closed");
}

static const char membership; /* its address: the state's key for what closes the family with it */

static int leave_family(lua_State *L) {
  int *open = lua_touserdata(L, 1);
  if (*open) family_close();
  *open = 0;
  return 0;
}

/* Finalizers run in the reverse order of their making: this one, made first, runs after those of
 * all handles. */
static void join_family(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &membership) != LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  int *open = lua_newuserdatauv(L, sizeof *open, 0);
  *open = 0;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, leave_family);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  int rc = family_open();
  *open = rc == 0;
  if (rc == -EPERM) luaL_error(L, BIND_FOREIGN);
  if (rc < 0) luaL_error(L, "cannot reserve shared memory: %s", strerror(-rc));
  lua_rawsetp(L, LUA_REGISTRYINDEX, &membership);
  lua_pop(L, 1);
}

/* A child's exit handler must still be there when the state, and with it the module, is closed. */
static void stay_loaded(void) {
  Dl_info here;
  if (dladdr(&membership, &here) && here.dli_fname)
    dlopen(here.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

void bind_metamethod(lua_State *L, const char *class, const char *name, lua_CFunction function) {
  luaL_getmetatable(L, class);
  lua_pushcfunction(L, function);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

int luaopen_mphost_core(lua_State *L) {
  join_family(L);
  stay_loaded();
  pipe_init();
  lua_newtable(L);
  bind_handle(L);
  bind_system(L);
  bind_pack(L);
  bind_launch(L);
  bind_process(L);
  bind_pipe(L);
  bind_queue(L);
  bind_value(L);
  bind_dict(L);
  bind_array(L);
  bind_file(L);
  bind_pool(L);
  bind_job(L);
  bind_worker(L);
  bind_joblog(L);
  bind_peek(L);
  bind_lock(L);
  bind_semaphore(L);
  bind_event(L);
  bind_condition(L);
  bind_barrier(L);
  return 1;
}
