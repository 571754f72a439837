/* Interrupting Lua code: see interrupt.h. */
#include "bind/interrupt.h"

#include <errno.h>
#include <signal.h>

#include <lauxlib.h>

#include "os/futex.h"

static volatile sig_atomic_t asked;
static lua_State *volatile target; /* whose hook is set; valid while asked */

static int raise_at(lua_State *L, int level) {
  interrupt_forget();
  luaL_checkstack(L, 3, NULL);
  luaL_where(L, level);
  lua_pushliteral(L, "interrupted!");
  lua_concat(L, 2);
  return lua_error(L);
}

/* A hook has no frame of its own: level 0 is the code it comes between. */
static void raise_it(lua_State *L, lua_Debug *ar) {
  (void)ar;
  raise_at(L, 0);
}

void interrupt_ask(lua_State *L) {
  target = L;
  asked = 1;
  futex_disturbed = 1;
  lua_sethook(L, raise_it, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

void interrupt_forget(void) {
  if (!asked) return;
  asked = 0;
  futex_disturbed = 0;
  if (lua_gethook(target) == raise_it) lua_sethook(target, NULL, 0, 0);
}

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

int interrupt_again(lua_State *L, int rc) {
  if (rc != -EINTR) return 0;
  if (asked) raise_at(L, 1); /* L may be a coroutine, which has not that hook */
  luaL_checkstack(L, 1, NULL);
  lua_pushcfunction(L, nothing); /* a call is where a hook fires */
  lua_call(L, 0, 0);
  return 1;
}
