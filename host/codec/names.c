/* Walks package.loaded: modules first, then their fields; Lua's own before everybody else's, so
 * that string.format is not called by the name of someone who re-exports it. */
#include "codec/names.h"

#include "codec/wire.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdlib.h>

static const char names_struct_key = 's', names_table_key = 't'; /* their addresses matter */

static int names_compare(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int names_listed(const char *const *list, size_t count, const char *name) {
  return bsearch(&name, list, count, sizeof *list, names_compare) != NULL;
}

int names_are_standard(const char *name, size_t size) {
  static const char *const list[] = {
      "_G",       "_VERSION",     "assert",   "collectgarbage", "coroutine",
      "debug",    "dofile",       "error",    "getmetatable",   "io",
      "ipairs",   "load",         "loadfile", "math",           "next",
      "os",       "package",      "pairs",    "pcall",          "print",
      "rawequal", "rawget",       "rawlen",   "rawset",         "require",
      "select",   "setmetatable", "string",   "table",          "tonumber",
      "tostring", "type",         "utf8",     "warn",           "xpcall",
  };
  char text[16];
  if (size >= sizeof text) return 0;
  memcpy(text, name, size);
  text[size] = '\0';
  return names_listed(list, sizeof list / sizeof *list, text);
}

static bool names_module_is_ours(const char *module) {
  static const char *const list[] = {"_G", "coroutine", "debug",  "io",    "math",
                                     "os", "package",   "string", "table", "utf8"};
  if (names_listed(list, sizeof list / sizeof *list, module)) return true;
  return strncmp(module, "mphost", 6) == 0 && (module[6] == '\0' || module[6] == '.');
}

/* package.searchpath(name, package[field]), where anything that fails is a no. */
static bool names_on_path(lua_State *L, int package, const char *name, const char *field) {
  lua_pushliteral(L, "searchpath");
  lua_rawget(L, package);
  lua_pushstring(L, name);
  lua_pushstring(L, field);
  lua_rawget(L, package);
  int status = lua_pcall(L, 2, 1, 0);
  if (status == LUA_ERRMEM) lua_error(L);
  bool found = status == LUA_OK && lua_isstring(L, -1);
  lua_pop(L, 1);
  return found;
}

static bool names_preloaded(lua_State *L, const char *module) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushstring(L, module);
  bool found = lua_rawget(L, -2) != LUA_TNIL;
  lua_pop(L, 2);
  return found;
}

/* Will `require` find the module in a process that has not loaded it? A C library may hold its
 * submodules, so "a.b" is found where "a" is. */
static bool names_can_require(lua_State *L, int loaded, const char *module) {
  if (names_module_is_ours(module) || names_preloaded(L, module)) return true;
  lua_pushliteral(L, LUA_LOADLIBNAME);
  bool found = false;
  if (lua_rawget(L, loaded) == LUA_TTABLE) {
    int package = lua_gettop(L);
    found = names_on_path(L, package, module, "path") || names_on_path(L, package, module, "cpath");
    const char *dot = strchr(module, '.');
    if (!found && dot != NULL) {
      const char *root = lua_pushlstring(L, module, (size_t)(dot - module));
      found = names_on_path(L, package, root, "cpath");
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
  return found;
}

static void names_add_string(luaL_Buffer *b, const char *text, size_t size) {
  char head[WIRE_HEAD];
  codec_sink sink = {head, head + sizeof head, NULL, 0};
  wire_set_string_head(&sink, size);
  luaL_addlstring(b, head, (size_t)(sink.at - head));
  luaL_addlstring(b, text, size);
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

typedef struct collection {
  lua_State *L;
  names *n;
  int loaded, known; /* stack indices: package.loaded; value -> name */
  bool ours;         /* this round is for Lua's own modules and the library's */
  bool last;         /* for what has no better name than that of a global variable */
} collection;

/* The module's name is at `module`; the field's at `field`, or 0 for the module itself. */
static void names_push_name(lua_State *L, int use, int type, int module, int field) {
  luaL_Buffer b;
  size_t module_size, field_size = 0;
  const char *module_name = lua_tolstring(L, module, &module_size);
  const char *field_name = field == 0 ? NULL : lua_tolstring(L, field, &field_size);
  luaL_buffinit(L, &b);
  luaL_addchar(&b, (char)use);
  luaL_addchar(&b, (char)WIRE_NAMED);
  luaL_addchar(&b, type == LUA_TTABLE ? WIRE_NAMED_TABLE : WIRE_NAMED_FUNCTION);
  names_add_string(&b, module_name, module_size);
  if (field == 0)
    luaL_addchar(&b, (char)WIRE_NIL);
  else
    names_add_string(&b, field_name, field_size);
  luaL_pushresult(&b);
}

/* Enters the value at index unless it has a name already. */
static void names_enter(const collection *c, int index, int use, int module, int field) {
  lua_State *L = c->L;
  lua_pushvalue(L, index);
  bool fresh = lua_rawget(L, c->known) == LUA_TNIL;
  lua_pop(L, 1);
  if (!fresh) return;
  uint32_t bit = names_bit(lua_topointer(L, index));
  c->n->bits[bit / 64] |= UINT64_C(1) << bit % 64;
  lua_pushvalue(L, index);
  names_push_name(L, use, lua_type(L, index), module, field);
  lua_rawset(L, c->known);
}

/* The table on top goes by the name of the globals table. */
static void names_enter_as_globals(const collection *c) {
  lua_State *L = c->L;
  const char name[] = {NAMES_VALUE, (char)WIRE_GLOBALS};
  uint32_t bit = names_bit(lua_topointer(L, -1));
  c->n->bits[bit / 64] |= UINT64_C(1) << bit % 64;
  lua_pushlstring(L, name, sizeof name);
  lua_rawset(L, c->known);
}

static void names_enter_globals(const collection *c) {
  lua_rawgeti(c->L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  names_enter_as_globals(c);
  if (lua_getfield(c->L, LUA_REGISTRYINDEX, NAMES_STD) == LUA_TTABLE)
    names_enter_as_globals(c);
  else
    lua_pop(c->L, 1);
}

static bool names_looks_like_class(lua_State *L, int index) {
  static const char *const fields[] = {"__index", "__name", "__unpack"};
  bool class = false;
  for (size_t i = 0; i < 3 && !class; i++) {
    lua_pushstring(L, fields[i]);
    class = lua_rawget(L, index) != LUA_TNIL;
    lua_pop(L, 1);
  }
  return class;
}

/* The value at index is a field of a module that can be required, or of any. */
static void names_field(const collection *c, int module, int field, int index, bool required) {
  lua_State *L = c->L;
  int type = lua_type(L, index);
  if (type == LUA_TFUNCTION) {
    bool own = c->ours || lua_iscfunction(L, index) || (required && !names_are_of_script(L, index));
    if (own) names_enter(c, index, NAMES_VALUE, module, field);
  } else if (type == LUA_TTABLE && required) {
    int use = names_looks_like_class(L, index) ? NAMES_VALUE : NAMES_METATABLE;
    names_enter(c, index, use, module, field);
  }
}

/* Of the globals only C functions: Lua's own in their round, others in the last one, because a
 * module that has them is there in a fresh state, too. */
static bool names_is_due(const collection *c, bool globals) {
  size_t size;
  if (lua_type(c->L, -2) != LUA_TSTRING) return false;
  if (!globals) return !c->last;
  const char *name = lua_tolstring(c->L, -2, &size);
  return lua_iscfunction(c->L, -1) && names_are_standard(name, size) == !c->last;
}

/* The fields of the module whose name and value are on top. */
static void names_fields(const collection *c, bool required) {
  lua_State *L = c->L;
  int value = lua_gettop(L), module = value - 1;
  bool globals = strcmp(lua_tostring(L, module), LUA_GNAME) == 0;
  lua_pushnil(L);
  for (; lua_next(L, value); lua_pop(L, 1))
    if (names_is_due(c, globals)) names_field(c, module, value + 1, value + 2, required);
}

/* Does the module, at index, that can be required or cannot, have its name as a whole? */
static bool names_whole_module(lua_State *L, int index, bool required) {
  if (lua_iscfunction(L, index)) return true;
  return required && (lua_istable(L, index) || !names_are_of_script(L, index));
}

/* One round through package.loaded. */
static void names_round(const collection *c, bool fields) {
  lua_State *L = c->L;
  lua_pushnil(L);
  for (; lua_next(L, c->loaded); lua_pop(L, 1)) {
    int value = lua_gettop(L);
    if (lua_type(L, -2) != LUA_TSTRING) continue;
    const char *module = lua_tostring(L, -2);
    int type = lua_type(L, -1);
    if (names_module_is_ours(module) != c->ours) continue;
    if (type != LUA_TTABLE && type != LUA_TFUNCTION) continue;
    bool required = names_can_require(L, c->loaded, module);
    if (fields && type == LUA_TTABLE)
      names_fields(c, required);
    else if (!fields && names_whole_module(L, value, required))
      names_enter(c, value, NAMES_VALUE, value - 1, 0);
  }
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

static void names_push_weak_table(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
}

void names_collect(lua_State *L, names *n) {
  int top = lua_gettop(L);
  memset(n->bits, 0, sizeof n->bits);
  names_push_loaded(L);
  names_push_weak_table(L);
  collection c = {L, n, top + 1, top + 2, true, false};
  names_enter_globals(&c);
  for (int round = 0; round < 5; round++) {
    c.ours = round % 2 == 0;
    c.last = round == 4;
    names_round(&c, round >= 2);
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, &names_table_key);
  lua_settop(L, top);
  n->loaded = names_fingerprint(L);
}

int names_refresh(lua_State *L, names *n) {
  if (names_fingerprint(L) == n->loaded) return 0;
  names_collect(L, n);
  return 1;
}

names *names_get(lua_State *L) {
  names *n;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &names_struct_key) == LUA_TUSERDATA) {
    n = lua_touserdata(L, -1);
  } else {
    n = lua_newuserdatauv(L, sizeof *n, 0);
    names_collect(L, n);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &names_struct_key);
    lua_remove(L, -2);
  }
  lua_pop(L, 1);
  return n;
}

int names_push(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &names_table_key);
  lua_pushvalue(L, -2);
  if (lua_rawget(L, -2) == LUA_TSTRING) {
    lua_remove(L, -2);
    return 1;
  }
  lua_pop(L, 2);
  return 0;
}
