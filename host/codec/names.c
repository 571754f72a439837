/* Keeps the names that collect.c finds, and tells whether one still leads where it did. */
#include "codec/names.h"

#include "codec/collect.h"

#include "codec/wire.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdlib.h>

static const char names_struct_key = 's', names_table_key = 't'; /* their addresses matter */

static int names_compare(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *const names_standard[NAMES_STANDARD] = {
    "_G",     "_VERSION",     "assert",   "collectgarbage", "coroutine", "debug",        "dofile",
    "error",  "getmetatable", "io",       "ipairs",         "load",      "loadfile",     "math",
    "next",   "os",           "package",  "pairs",          "pcall",     "print",        "rawequal",
    "rawget", "rawlen",       "rawset",   "require",        "select",    "setmetatable", "string",
    "table",  "tonumber",     "tostring", "type",           "utf8",      "warn",         "xpcall",
};

int names_are_standard(const char *name, size_t size) {
  char text[16];
  const char *key = text;
  if (size >= sizeof text) return 0;
  memcpy(text, name, size);
  text[size] = '\0';
  return bsearch(&key, names_standard, NAMES_STANDARD, sizeof key, names_compare) != NULL;
}

int names_are_of_script(lua_State *L, int index) {
  lua_Debug ar;
  lua_pushvalue(L, index);
  lua_getinfo(L, ">S", &ar);
  if (ar.source[0] != '@') return 1;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  lua_pushliteral(L, "arg");
  int same = 0;
  if (lua_rawget(L, -2) == LUA_TTABLE) {
    lua_rawgeti(L, -1, 0);
    const char *script = lua_tostring(L, -1);
    same = script != NULL && strcmp(script, ar.source + 1) == 0;
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  return same;
}

static void names_push_loaded(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
}

/* The modules and their names as one word: both sides of each entry by their address. */
static uint64_t names_fingerprint(lua_State *L) {
  uint64_t word = 1;
  names_push_loaded(L);
  lua_pushnil(L);
  for (; lua_next(L, -2); lua_pop(L, 1)) {
    word = (word ^ (uintptr_t)lua_topointer(L, -2)) * 0xff51afd7ed558ccdu;
    word = (word ^ (uintptr_t)lua_topointer(L, -1)) * 0xc4ceb9fe1a85ec53u;
    word ^= word >> 32;
  }
  lua_pop(L, 1);
  return word;
}

/* The C functions that had a name and are not in the table on top keep it. */
static void names_carry(lua_State *L, names *n) {
  int known = lua_gettop(L), old = known + 1, function = known + 2;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &names_table_key) == LUA_TTABLE) {
    lua_pushnil(L);
    for (; lua_next(L, old); lua_settop(L, function)) {
      lua_pushvalue(L, function);
      if (!lua_iscfunction(L, function) || lua_rawget(L, known) != LUA_TNIL) continue;
      names_note(n, lua_topointer(L, function));
      lua_pushvalue(L, function);
      lua_pushvalue(L, function + 1);
      lua_rawset(L, known);
    }
  }
  lua_settop(L, known);
}

void names_collect(lua_State *L, names *n) {
  n->loaded = 0; /* for want of memory it may end half done */
  collect_push_names(L, n);
  names_carry(L, n);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &names_table_key);
  n->loaded = names_fingerprint(L);
}

int names_refresh(lua_State *L, names *n) {
  if (names_fingerprint(L) == n->loaded) return 0;
  names_collect(L, n);
  return 1;
}

static int names_open(lua_State *L) {
  luaL_openlibs(L);
  return 0;
}

/* Asks a fresh state, in which all is what it was. Missing is what cannot be had. */
static void names_find_made(names *n) {
  static const char *const code[NAMES_MADE] = {
      "return (string.gmatch('', ''))",
      "return (coroutine.wrap(print))",
      "return (io.lines '/dev/null')",
  };
  lua_State *fresh = luaL_newstate();
  if (fresh == NULL) return;
  lua_pushcfunction(fresh, names_open);
  if (lua_pcall(fresh, 0, 0, 0) == LUA_OK)
    for (int i = 0; i < NAMES_MADE; i++)
      if (luaL_dostring(fresh, code[i]) == LUA_OK) n->made[i] = lua_tocfunction(fresh, -1);
  lua_close(fresh);
}

names *names_get(lua_State *L) {
  names *n;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &names_struct_key) == LUA_TUSERDATA) {
    n = lua_touserdata(L, -1);
  } else {
    n = lua_newuserdatauv(L, sizeof *n, 0);
    memset(n, 0, sizeof *n);
    names_find_made(n);
    names_collect(L, n);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &names_struct_key);
    lua_remove(L, -2);
  }
  lua_pop(L, 1);
  return n;
}

/* Pushes the string at `at`, as the wire has it; returns what follows. */
static const char *names_push_string(lua_State *L, const char *at) {
  size_t size = (uint8_t)*at++;
  size_t width = size == WIRE_STRING8    ? 1
                 : size == WIRE_STRING32 ? 4
                 : size == WIRE_STRING64 ? 8
                                         : 0;
  if (width == 0) {
    size &= WIRE_SHORT;
  } else {
    uint64_t wide = 0;
    memcpy(&wide, at, width);
    size = (size_t)wide;
  }
  lua_pushlstring(L, at + width, size);
  return at + width + size;
}

/* The name on top as a list: package.loaded, module, fields. The table below it, of names, keeps it
 * from the first use on. */
static void names_push_way(lua_State *L) {
  lua_pushvalue(L, -1);
  if (lua_rawget(L, -3) == LUA_TTABLE) return;
  lua_pop(L, 1);
  const char *at = lua_tostring(L, -1) + 3; /* use, tag, kind */
  lua_createtable(L, 3, 0);
  names_push_loaded(L);
  lua_rawseti(L, -2, 1);
  at = names_push_string(L, at);
  lua_rawseti(L, -2, 2);
  unsigned head = (uint8_t)*at, fields = head == WIRE_NIL ? 0 : 1;
  if ((head & ~(unsigned)WIRE_FEW) == WIRE_LIST) fields = (uint8_t)*at++ & WIRE_FEW;
  for (unsigned i = 0; i < fields; i++) {
    at = names_push_string(L, at);
    lua_rawseti(L, -2, 3 + (int)i);
  }
  lua_pushvalue(L, -2);
  lua_pushvalue(L, -2);
  lua_rawset(L, -5);
}

/* On top are a value, the table of names and its name there: does that still lead to it? */
static bool names_lead(lua_State *L) {
  if (lua_tostring(L, -1)[1] == (char)WIRE_GLOBALS) return true;
  names_push_way(L);
  int way = lua_gettop(L), at = way + 1, type = lua_rawgeti(L, way, 1);
  for (int i = 2; lua_rawgeti(L, way, i) != LUA_TNIL && type == LUA_TTABLE; i++)
    type = lua_rawget(L, at++); /* the string makes way for what it leads to */
  bool same = lua_isnil(L, -1) && lua_rawequal(L, at, way - 3);
  lua_settop(L, way - 1);
  return same;
}

int names_push(lua_State *L, int metatable) {
  int answer = NAMES_NONE;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &names_table_key);
  lua_pushvalue(L, -2);
  if (lua_rawget(L, -2) == LUA_TSTRING) {
    if (lua_tostring(L, -1)[0] == NAMES_METATABLE && !metatable)
      answer = NAMES_NONE;
    else if (lua_iscfunction(L, -3) || names_lead(L))
      answer = NAMES_PUSHED;
    else
      answer = NAMES_STALE;
  }
  if (answer == NAMES_PUSHED)
    lua_remove(L, -2);
  else
    lua_pop(L, 2);
  return answer;
}
