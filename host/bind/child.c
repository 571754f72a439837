/* A child's life in Lua: see child.h. */
#include "bind/child.h"

#include <lauxlib.h>
#include <stdio.h>

#include "bind/autopsy.h"
#include "bind/lines.h"
#include "bind/outcome.h"
#include "os/proc.h"
#include "shm/family.h"

static struct {
  lua_State *own;
  int index; /* in the family: a child of this one has a stack of its own, or none */
} entered;

static void say(lua_State *L) {
  outcome_text(L, -1);
  fprintf(stderr, "mphost: %s\n", lua_tostring(L, -1));
}

/* Calls the function below n arguments on top of own's stack, and leaves. */
static _Noreturn void call_and_leave(lua_State *own, int n) {
  int code = 1;
  if (lua_pcall(own, n, 1, 0) == LUA_OK)
    code = (int)lua_tointeger(own, -1);
  else
    say(own);
  proc_leave(code & 0xff);
}

_Noreturn void child_run(lua_State *own, int n) {
  entered.own = own;
  entered.index = family_index();
  autopsy_watch(own);
  lines_begin(own);
  call_and_leave(own, n);
}

static int last; /* registry: what child_unwind is given */

/* Below lua_pcall, which takes the error handlers of that stack away. Its other C functions are
 * never returned to: what it is reset under does not matter. */
static int unwind(lua_State *own) {
  if (lua_resetthread(own) != LUA_OK) say(own);
  lua_settop(own, 0);
  lua_rawgeti(own, LUA_REGISTRYINDEX, last);
  call_and_leave(own, 0);
}

/* A program may have several states. */
static int is_same_state(lua_State *a, lua_State *b) {
  return lua_topointer(a, LUA_REGISTRYINDEX) == lua_topointer(b, LUA_REGISTRYINDEX);
}

int child_unwind(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *own = entered.own;
  if (!own || entered.index != family_index() || !is_same_state(L, own)) return 0;
  if (!lua_checkstack(own, LUA_MINSTACK)) return luaL_error(L, "stack overflow");
  /* Both outlive the stack that has them; L, a coroutine perhaps, is running. */
  lua_settop(L, 1);
  last = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushthread(L);
  luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushcfunction(own, unwind);
  call_and_leave(own, 0); /* unwind has left, unless it could not begin */
}
