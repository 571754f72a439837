/* Globals that come with functions: which of them are set here, and what comes back. See codec.h.
 *
 * Two tables in the registry, both made on their first use and only by CODEC_REPLACE_GLOBALS:
 *
 *   sent       name -> true            a message has set this global of no fresh state, so a later
 *                                      message may take it away: nil for a name that only this
 *                                      state gave a value leaves it alone
 *   originals  name -> value or mark   what a fresh state's name had before a message replaced it;
 *                                      the mark stands for nothing
 *
 * A name is noted before the global is set: an error for want of memory in between does no harm. */
#include "codec/decode.h"
#include "codec/names.h"

#include <lauxlib.h>
#include <lualib.h>

static const char sent_key = 's', originals_key = 'o', nil_mark = 'n'; /* their addresses matter */

enum { GLOBALS_STACK = 12 };

void decode_push_nil_mark(lua_State *L) {
  lua_pushlightuserdata(L, (void *)(uintptr_t)&nil_mark);
}

static int globals_is_nil_mark(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == &nil_mark;
}

/* Pushes the registry's table, which is made if need be. */
static void globals_push_table(lua_State *L, const char *key) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

/* Pushes what a fresh state has under the name, or nothing: 0. The functions have no upvalues, so
 * one of another state is the same. */
static int globals_push_fresh(lua_State *L, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushstring(L, name);
  int type = lua_rawget(L, -2);
  lua_remove(L, -2);
  if (type == LUA_TTABLE) return 1;
  lua_pop(L, 1);
  lua_State *fresh = luaL_newstate();
  if (fresh == NULL) return 0;
  luaL_requiref(fresh, LUA_GNAME, luaopen_base, 1);
  lua_CFunction f = lua_getglobal(fresh, name) == LUA_TFUNCTION ? lua_tocfunction(fresh, -1) : NULL;
  lua_close(fresh);
  if (f != NULL) lua_pushcfunction(L, f);
  return f != NULL;
}

/* What is on top stands under a fresh state's name: what would come back, in its place. It may be a
 * replacement itself: of the process that forked this one. */
static void globals_to_original(lua_State *L, const char *name) {
  if (!lua_iscfunction(L, -1) && !lua_isstring(L, -1) && globals_push_fresh(L, name))
    lua_remove(L, -2);
  if (!lua_isnil(L, -1)) return;
  decode_push_nil_mark(L);
  lua_remove(L, -2);
}

/* The name at `name` is about to be set to what is behind it, in place of what is on top: notes
 * it, and says whether it is to be set at all. Pops the top. */
static int globals_replace(lua_State *L, int name) {
  size_t size;
  const char *text = lua_tolstring(L, name, &size);
  int standard = names_are_standard(text, size);
  globals_push_table(L, standard ? &originals_key : &sent_key);
  lua_pushvalue(L, name);
  int fresh = lua_rawget(L, -2) == LUA_TNIL;
  lua_pop(L, 1);
  int set = !fresh || !globals_is_nil_mark(L, name + 1);
  if (fresh && set) {
    if (!standard) {
      lua_pushboolean(L, 1);
      lua_replace(L, -3);
    }
    lua_pushvalue(L, name);
    lua_pushvalue(L, -3);
    if (standard) globals_to_original(L, text);
    lua_rawset(L, -3);
  }
  lua_pop(L, 2);
  return set;
}

void decode_set_globals(decoder *d) {
  lua_State *L = d->L;
  int pending = decode_slot(d, DECODE_GLOBALS);
  if (lua_isnil(L, pending) || (d->flags & DECODE_INERT)) return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  int globals = lua_gettop(L), name = globals + 1, value = globals + 2;
  lua_pushnil(L);
  for (; lua_next(L, pending); lua_settop(L, name)) {
    lua_pushvalue(L, name);
    int there = lua_rawget(L, globals) != LUA_TNIL;
    int set = d->flags & CODEC_REPLACE_GLOBALS ? globals_replace(L, name)
                                               : !there && !globals_is_nil_mark(L, value);
    lua_settop(L, value);
    if (!set) continue;
    lua_pushvalue(L, name);
    if (globals_is_nil_mark(L, value))
      lua_pushnil(L);
    else
      lua_pushvalue(L, value);
    lua_rawset(L, globals);
  }
  lua_settop(L, globals - 1);
  lua_pushnil(L);
  lua_replace(L, pending);
}

void codec_restore_globals(lua_State *L) {
  luaL_checkstack(L, GLOBALS_STACK, NULL);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &originals_key) != LUA_TTABLE) {
    lua_pop(L, 1);
    return;
  }
  int originals = lua_gettop(L), globals = originals + 1;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  lua_pushnil(L);
  for (; lua_next(L, originals); lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    if (globals_is_nil_mark(L, -2))
      lua_pushnil(L);
    else
      lua_pushvalue(L, -2);
    lua_rawset(L, globals);
  }
  lua_settop(L, originals - 1);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &originals_key);
}
