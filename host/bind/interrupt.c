/* Interrupting Lua code: see interrupt.h. */
#include "bind/interrupt.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <lauxlib.h>

#include "bind/std.h"
#include "os/futex.h"

#define WORD "interrupted!" /* Lua code of ours looks for it, too */
#define OWN "mphost/"       /* so the names of the library's chunks begin */
#define MOST 32             /* states asked at the same time; those beyond have the hook only */

void (*interrupt_raised)(lua_State *L);
void (*interrupt_look)(lua_State *L);
static _Atomic(lua_State *) asked[MOST]; /* by their main threads */

static lua_State *main_of(lua_State *L) {
  luaL_checkstack(L, 3, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_State *main = lua_tothread(L, -1);
  lua_pop(L, 1);
  return main;
}

static int is_asked(lua_State *main) {
  for (int i = 0; i < MOST; i++)
    if (atomic_load(&asked[i]) == main) return 1;
  return 0;
}

/* luaL_where of the first function from this level on that is neither C nor the library's own. */
static void push_where(lua_State *L, int level) {
  lua_Debug ar;
  for (; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline <= 0 || strncmp(ar.short_src, OWN, sizeof OWN - 1) == 0) continue;
    lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
    return;
  }
  lua_pushliteral(L, "");
}

static int raise_at(lua_State *L, int level) {
  interrupt_forget(main_of(L));
  if (interrupt_raised) interrupt_raised(L);
  push_where(L, level);
  lua_pushliteral(L, WORD);
  lua_concat(L, 2);
  return lua_error(L);
}

/* A hook has no frame of its own: level 0 is the code it comes between. */
static void raise_it(lua_State *L, lua_Debug *ar) {
  (void)ar;
  if (lua_gethook(L) == raise_it) lua_sethook(L, NULL, 0, 0); /* a coroutine's: once */
  raise_at(L, 0);
}

void interrupt_ask(lua_State *L) {
  int i = is_asked(L) ? MOST : 0;
  for (lua_State *none = NULL; i < MOST; i++, none = NULL)
    if (atomic_compare_exchange_strong(&asked[i], &none, L)) break;
  futex_disturbed = 1;
  lua_sethook(L, raise_it, INTERRUPT_EVENTS, 1);
}

void interrupt_ask_in(lua_State *L, lua_State *main) {
  interrupt_ask(main);
  lua_sethook(L, raise_it, INTERRUPT_EVENTS, 1);
}

int interrupt_is_told(lua_State *L) {
  size_t size, tail = sizeof WORD - 1;
  const char *text = lua_tolstring(L, -1, &size);
  return text && size >= tail && memcmp(text + size - tail, WORD, tail) == 0;
}

int interrupt_is_asked(lua_State *L) {
  return is_asked(main_of(L));
}

void interrupt_calm(void) {
  futex_disturbed = 0; /* who is asked from here on sets it again */
  for (int i = 0; i < MOST; i++)
    if (atomic_load(&asked[i])) futex_disturbed = 1;
}

int interrupt_closed(const lua_State *L) {
  int found = 0;
  for (int i = 0; i < MOST; i++) {
    lua_State *state = (lua_State *)L;
    if (atomic_compare_exchange_strong(&asked[i], &state, NULL)) found = 1;
  }
  if (found) interrupt_calm();
  return found;
}

void interrupt_forget(lua_State *L) {
  if (interrupt_closed(L) && lua_gethook(L) == raise_it) lua_sethook(L, NULL, 0, 0);
}

void interrupt_forget_all(void) {
  for (int i = 0; i < MOST; i++) {
    lua_State *state = atomic_load(&asked[i]);
    if (state) interrupt_forget(state);
  }
}

/* Whether the main thread has the hook that stock lua's handler sets there, and not one of
 * debug.sethook's. */
static int has_stock_hook(lua_State *L, lua_State *main) {
  if (!lua_gethook(main) || lua_gethookmask(main) != INTERRUPT_EVENTS ||
      lua_gethookcount(main) != 1)
    return 0;
  std_push_field(L, "debug");
  lua_getfield(L, -1, "gethook");
  lua_pushthread(main);
  lua_xmove(main, L, 1);
  lua_call(L, 1, 1);
  int external = lua_type(L, -1) == LUA_TSTRING;
  lua_pop(L, 2);
  return external;
}

/* A call is where a hook fires. That of stock lua is the main thread's, whatever runs: a coroutine
 * calls it by itself, and it raises there. */
static int call_hook(lua_State *L) {
  lua_State *main = main_of(L);
  lua_Debug here = {.event = LUA_HOOKCOUNT};
  lua_Hook hook = lua_gethook(main);
  if (L == main || !has_stock_hook(L, main)) return 0;
  lua_sethook(main, NULL, 0, 0);
  hook(L, &here);
  return 0;
}

int interrupt_again(lua_State *L, int rc) {
  if (rc != -EINTR) return 0;
  if (is_asked(main_of(L))) raise_at(L, 1); /* L may be a coroutine, which has not that hook */
  if (interrupt_look) interrupt_look(L);
  luaL_checkstack(L, 1, NULL);
  lua_pushcfunction(L, call_hook);
  lua_call(L, 0, 0);
  return 1;
}

void interrupt_notice(lua_State *L) {
  lua_State *main = main_of(L);
  if (futex_disturbed || (L != main && lua_gethook(main)))
    interrupt_again(L, -EINTR);
  else if (interrupt_look)
    interrupt_look(L);
}
