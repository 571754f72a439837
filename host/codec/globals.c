/* Globals that come with functions: which of them are set here, and what comes back. See globals.h.
 */
#include "codec/globals.h"

#include "codec/decode.h"
#include "codec/encode.h"
#include "codec/names.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdatomic.h>

static const char sent_key = 's', originals_key = 'o', lent_key = 'l'; /* their addresses matter */
static const char marks[2] = {'n', 'f'};                               /* and theirs */
static atomic_int any_lent; /* by a state of this process or of one that it was forked from */

enum { GLOBALS_STACK = 16 };

void globals_push_mark(lua_State *L, int mark) {
  lua_pushlightuserdata(L, (void *)(uintptr_t)&marks[mark]);
}

static int globals_is_mark(lua_State *L, int index, int mark) {
  return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == &marks[mark];
}

/* Pushes the registry's table, which is made if need be. */
static void globals_push_table(lua_State *L, const char *key) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

int globals_are_lent(lua_State *L, const char *name, size_t size) {
  if (!atomic_load_explicit(&any_lent, memory_order_relaxed)) return 0;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &lent_key) == LUA_TTABLE) {
    lua_pushlstring(L, name, size);
    lua_rawget(L, -2);
    lua_remove(L, -2);
  }
  int lent = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return lent;
}

/* Notes the name on top, which stays, as lent. */
static void globals_lend(lua_State *L) {
  globals_push_table(L, &lent_key);
  lua_pushvalue(L, -2);
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  atomic_store_explicit(&any_lent, 1, memory_order_relaxed);
}

/* Notes in `sent` the names in the table at `globals`. */
static void globals_note_all(lua_State *L, int sent, int globals) {
  lua_pushnil(L);
  for (; lua_next(L, globals); lua_settop(L, globals + 1)) {
    if (lua_type(L, globals + 1) != LUA_TSTRING) continue;
    lua_pushvalue(L, globals + 1);
    lua_pushboolean(L, 1);
    lua_rawset(L, sent);
  }
}

/* Notes those of Lua's own names in the table at `globals` that are not what they were. */
static void globals_lend_all(lua_State *L, int sent, int globals) {
  for (int i = 0; i < NAMES_STANDARD; i++) {
    size_t size;
    lua_pushstring(L, names_standard[i]);
    const char *name = lua_tolstring(L, -1, &size);
    lua_pushvalue(L, -1);
    int type = lua_rawget(L, globals);
    int same = type != LUA_TNIL && encode_is_fresh(L, name, size);
    lua_settop(L, globals + 1);
    if (!same) globals_lend(L);
    if (!same && type != LUA_TNIL) {
      lua_pushboolean(L, 0);
      lua_rawset(L, sent);
    }
    lua_settop(L, globals);
  }
}

void codec_lend_globals(lua_State *L) {
  luaL_checkstack(L, GLOBALS_STACK, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &sent_key);
  lua_createtable(L, 1, NAMES_STANDARD + 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  int globals = lua_gettop(L), sent = globals - 1;
  lua_pushboolean(L, 1);
  lua_rawseti(L, sent, 1);
  globals_note_all(L, sent, globals);
  globals_lend_all(L, sent, globals);
  lua_settop(L, sent);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &sent_key);
}

void codec_lent_globals(lua_State *L) {
  lua_rawsetp(L, LUA_REGISTRYINDEX, &sent_key);
}

/* Pushes what a fresh state has under the name: 1, or 0 and nil. A function but `require` has no
 * upvalues, so one of another state is the same. */
static int globals_push_fresh(lua_State *L, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushstring(L, name);
  int type = lua_rawget(L, -2);
  lua_remove(L, -2);
  if (type == LUA_TTABLE) return 1;
  lua_pop(L, 1);
  if (lua_getfield(L, LUA_REGISTRYINDEX, NAMES_STD) == LUA_TTABLE) {
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    lua_remove(L, -2);
  }
  if (lua_iscfunction(L, -1)) return 1;
  lua_pop(L, 1);
  lua_pushnil(L);
  lua_State *fresh = luaL_newstate();
  if (fresh == NULL) return 0;
  luaL_requiref(fresh, LUA_GNAME, luaopen_base, 1);
  lua_CFunction f = lua_getglobal(fresh, name) == LUA_TFUNCTION ? lua_tocfunction(fresh, -1) : NULL;
  lua_close(fresh);
  if (f == NULL) return 0;
  lua_pushcfunction(L, f);
  lua_replace(L, -2);
  return 1;
}

/* What is said of a global: its name, at `name`, the value behind it, and what is here now. */
typedef struct globals_word {
  lua_State *L;
  const char *text;
  int name, standard;
  int sent, known; /* the table and what it has of the name */
} globals_word;

/* The sender has what a fresh state has: that is so for good. Only where the process was forked
 * with something else, or without. Pushes it, and says whether it is to be set. */
static int globals_freshen(globals_word *w) {
  lua_State *L = w->L;
  int was_other = lua_isboolean(L, w->known) && !lua_toboolean(L, w->known);
  int forked = lua_rawgeti(L, w->sent, 1) != LUA_TNIL;
  lua_pop(L, 1);
  if (!forked || !w->standard || (!was_other && !lua_isnil(L, w->name + 2))) return 0;
  if (!globals_push_fresh(L, w->text)) return 0;
  lua_replace(L, w->name + 1);
  lua_pushvalue(L, w->name);
  lua_pushboolean(L, 1);
  lua_rawset(L, w->sent);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &originals_key) == LUA_TTABLE) {
    lua_pushvalue(L, w->name);
    lua_pushvalue(L, w->name + 1);
    lua_rawset(L, -3);
  }
  return 1;
}

/* One of Lua's own names is replaced: notes what will come back. */
static int globals_replace_standard(globals_word *w) {
  lua_State *L = w->L;
  globals_push_table(L, &originals_key);
  lua_pushvalue(L, w->name);
  int noted = lua_rawget(L, -2) != LUA_TNIL;
  lua_pop(L, 1);
  if (noted) return 1;
  if (globals_is_mark(L, w->name + 1, GLOBALS_NIL) && lua_isnil(L, w->known)) {
    int forked = lua_rawgeti(L, w->sent, 1) != LUA_TNIL;
    lua_pop(L, 1);
    if (forked) return 0;
  }
  lua_pushvalue(L, w->name);
  if (lua_isnil(L, w->name + 2))
    globals_push_mark(L, GLOBALS_NIL);
  else
    lua_pushvalue(L, w->name + 2);
  lua_rawset(L, -3);
  return 1;
}

static int globals_replace_other(globals_word *w) {
  lua_State *L = w->L;
  if (!lua_isnil(L, w->known)) return 1;
  if (globals_is_mark(L, w->name + 1, GLOBALS_NIL)) return 0;
  lua_pushvalue(L, w->name);
  lua_pushboolean(L, 1);
  lua_rawset(L, w->sent);
  return 1;
}

/* The name at `name` is about to be set to what is behind it, in place of what is on top: notes
 * it, and says whether it is to be set at all; a mark for what is fresh makes way for that. */
static int globals_replace(lua_State *L, int name) {
  size_t size;
  globals_word w = {.L = L, .name = name, .text = lua_tolstring(L, name, &size)};
  w.standard = names_are_standard(w.text, size);
  globals_push_table(L, &sent_key);
  w.sent = lua_gettop(L);
  lua_pushvalue(L, name);
  lua_rawget(L, w.sent);
  w.known = w.sent + 1;
  if (globals_is_mark(L, name + 1, GLOBALS_FRESH)) return globals_freshen(&w);
  return w.standard ? globals_replace_standard(&w) : globals_replace_other(&w);
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
    int marked = globals_is_mark(L, value, GLOBALS_NIL) || globals_is_mark(L, value, GLOBALS_FRESH);
    int set = d->flags & CODEC_REPLACE_GLOBALS ? globals_replace(L, name) : !there && !marked;
    lua_settop(L, value);
    if (!set) continue;
    lua_pushvalue(L, name);
    if (globals_is_mark(L, value, GLOBALS_NIL))
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
    if (globals_is_mark(L, -2, GLOBALS_NIL))
      lua_pushnil(L);
    else
      lua_pushvalue(L, -2);
    lua_rawset(L, globals);
  }
  lua_settop(L, originals - 1);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &originals_key);
}
