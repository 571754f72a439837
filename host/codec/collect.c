/* Rounds through package.loaded, and the walk through a module's inner tables. */
#include "codec/collect.h"

#include "codec/modules.h"
#include "codec/wire.h"

#include <lauxlib.h>

typedef struct collection {
  lua_State *L;
  names *n;
  int loaded, known; /* stack indices: package.loaded; value -> name */
  int origins, seen; /* module -> origin; inner table -> was it walked as a module's that can be
                        required? */
  bool ours;         /* this round is for Lua's own modules and the library's */
  bool last;         /* for what has no better name than that of a global variable */
} collection;

/* The way to a value: module, as many fields as `size` bytes at `fields` hold, and one more. */
typedef struct way {
  int module;         /* stack index */
  int field;          /* stack index of the last field, or 0 */
  unsigned before;    /* fields in front of it */
  const char *fields; /* as they are sent */
  size_t size;
} way;

static void collect_add_string(luaL_Buffer *b, int index) {
  char head[WIRE_HEAD];
  codec_sink sink = {.at = head, .end = head + sizeof head};
  size_t size;
  const char *text = lua_tolstring(b->L, index, &size);
  wire_set_string_head(&sink, size);
  luaL_addlstring(b, head, (size_t)(sink.at - head));
  luaL_addlstring(b, text, size);
}

static void collect_push_name(lua_State *L, int use, int type, const way *way) {
  luaL_Buffer b;
  unsigned count = way->before + (way->field != 0);
  luaL_buffinit(L, &b);
  luaL_addchar(&b, (char)use);
  luaL_addchar(&b, (char)WIRE_NAMED);
  luaL_addchar(&b, type == LUA_TTABLE ? WIRE_NAMED_TABLE : WIRE_NAMED_FUNCTION);
  collect_add_string(&b, way->module);
  if (count == 0) luaL_addchar(&b, (char)WIRE_NIL);
  if (count > 1) luaL_addchar(&b, (char)(WIRE_LIST | count));
  luaL_addlstring(&b, way->fields, way->size);
  if (way->field != 0) collect_add_string(&b, way->field);
  luaL_pushresult(&b);
}

/* Enters the value at index unless it has a name already. */
static void collect_enter(const collection *c, int index, int use, const way *way) {
  lua_State *L = c->L;
  lua_pushvalue(L, index);
  bool fresh = lua_rawget(L, c->known) == LUA_TNIL;
  lua_pop(L, 1);
  if (!fresh) return;
  names_note(c->n, lua_topointer(L, index));
  lua_pushvalue(L, index);
  collect_push_name(L, use, lua_type(L, index), way);
  lua_rawset(L, c->known);
}

/* The table on top goes by the name of the globals table; pops it. */
static void collect_as_globals(const collection *c) {
  lua_State *L = c->L;
  const char name[] = {NAMES_VALUE, (char)WIRE_GLOBALS};
  names_note(c->n, lua_topointer(L, -1));
  lua_pushlstring(L, name, sizeof name);
  lua_rawset(L, c->known);
}

static void collect_globals(const collection *c) {
  lua_rawgeti(c->L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  collect_as_globals(c);
  if (lua_getfield(c->L, LUA_REGISTRYINDEX, NAMES_STD) == LUA_TTABLE)
    collect_as_globals(c);
  else
    lua_pop(c->L, 1);
}

static int collect_use_of(lua_State *L, int table) {
  static const char *const fields[] = {"__index", "__name", "__unpack"};
  bool class = false;
  for (size_t i = 0; i < 3 && !class; i++) {
    lua_pushstring(L, fields[i]);
    class = lua_rawget(L, table) != LUA_TNIL;
    lua_pop(L, 1);
  }
  return class ? NAMES_VALUE : NAMES_METATABLE;
}

/* Is the Lua function at index the library's? Lua's own modules have none but what others added. */
static bool collect_is_ours(lua_State *L, int index) {
  lua_Debug ar;
  lua_pushvalue(L, index);
  lua_getinfo(L, ">S", &ar);
  return strncmp(ar.source, "@mphost/", 8) == 0;
}

/* Is the function at index, a field of a module, there in every process that has the module? */
static bool collect_owns(const collection *c, int index, bool required) {
  lua_State *L = c->L;
  if (lua_iscfunction(L, index)) return !names_is_made(c->n, lua_tocfunction(L, index));
  if (c->ours) return collect_is_ours(L, index);
  return required && !names_are_of_script(L, index);
}

/* The value at index is a field of a module that can be required, or of any. */
static void collect_field(const collection *c, int index, const way *way, bool required) {
  lua_State *L = c->L;
  int type = lua_type(L, index);
  if (type == LUA_TFUNCTION) {
    if (collect_owns(c, index, required)) collect_enter(c, index, NAMES_VALUE, way);
  } else if (type == LUA_TTABLE && required) {
    collect_enter(c, index, collect_use_of(L, index), way);
  }
}

/* Of the globals only C functions: Lua's own in their round, others in the last one, because a
 * module that has them is there in a fresh state, too. */
static bool collect_is_due(const collection *c, bool globals) {
  size_t size;
  if (lua_type(c->L, -2) != LUA_TSTRING) return false;
  if (!globals) return !c->last;
  const char *name = lua_tolstring(c->L, -2, &size);
  return lua_iscfunction(c->L, -1) && names_are_standard(name, size) == !c->last;
}

static bool collect_is_globals(lua_State *L, int module) {
  return strcmp(lua_tostring(L, module), LUA_GNAME) == 0;
}

/* The fields of the module whose name, value and origin are on top. */
static void collect_fields(const collection *c) {
  lua_State *L = c->L;
  int origin = lua_gettop(L), value = origin - 1;
  bool required = lua_toboolean(L, origin), globals = collect_is_globals(L, value - 1);
  way way = {value - 1, origin + 1, 0, "", 0};
  lua_pushnil(L);
  for (; lua_next(L, value); lua_pop(L, 1))
    if (collect_is_due(c, globals)) collect_field(c, origin + 2, &way, required);
}

/* The same as a whole: a Lua function only if require finds the same. */
static void collect_module(const collection *c) {
  lua_State *L = c->L;
  int origin = lua_gettop(L), value = origin - 1;
  bool required = lua_toboolean(L, origin);
  way way = {value - 1, 0, 0, "", 0};
  if (lua_iscfunction(L, value) ||
      (required && (lua_istable(L, value) || !names_are_of_script(L, value))))
    collect_enter(c, value, NAMES_VALUE, &way);
  if (!lua_istable(L, value)) return;
  lua_pushvalue(L, value); /* it is walked by its own name only */
  lua_pushboolean(L, required);
  lua_rawset(L, c->seen);
}

/* ---- below a module's own fields ---- */

typedef struct walk {
  const collection *c;
  lua_State *L;
  int module, origin; /* stack indices */
  int queue;          /* table, its fields as they are sent, table, ... */
  int path;           /* those of the table at hand */
  lua_Integer queued; /* entries of the queue */
  unsigned depth;     /* fields that lead to the table at hand */
  uint32_t budget;    /* entries that may still be looked at */
  bool required;
  bool native;  /* what it holds was made by C, or is ours */
  bool scripts; /* a script had a hand in the table at hand */
} walk;

static bool walk_budget(walk *w, uint32_t *here) {
  if (w->budget == 0 || *here == 0) return false;
  w->budget--;
  --*here;
  return true;
}

/* Did the module's own source make the Lua function at index? */
static bool walk_wrote(const walk *w, int index) {
  lua_State *L = w->L;
  lua_Debug ar;
  if (w->c->ours) return collect_is_ours(L, index);
  lua_pushvalue(L, index);
  lua_getinfo(L, ">S", &ar);
  if (lua_type(L, w->origin) != LUA_TSTRING || names_are_of_script(L, index)) return false;
  const char *file = lua_tostring(L, w->origin);
  return *file == '\0' || strcmp(ar.source + 1, file) == 0;
}

static bool walk_is_closure(lua_State *L, int index) {
  if (lua_getupvalue(L, index, 1) == NULL) return false;
  lua_pop(L, 1);
  return true;
}

/* Is the function at index the module's, in every process that has it? */
static bool walk_owns(const walk *w, int index) {
  if (lua_iscfunction(w->L, index))
    return w->native ? !names_is_made(w->c->n, lua_tocfunction(w->L, index))
                     : !walk_is_closure(w->L, index);
  return w->required && !w->scripts && walk_wrote(w, index);
}

/* What a function tells of the table that holds it: that the module made it, that a script had a
 * hand in it. A C function in a Lua module may be anybody's. */
enum { WALK_OURS = 1, WALK_SCRIPTS = 2 };

static unsigned walk_tells(const walk *w, int index) {
  if (!lua_isfunction(w->L, index)) return 0;
  if (lua_iscfunction(w->L, index)) return w->native ? WALK_OURS : 0;
  if (w->required && walk_wrote(w, index)) return WALK_OURS;
  return names_are_of_script(w->L, index) ? WALK_SCRIPTS : 0;
}

/* Queues the table at index, the field of the one at hand whose name is in front of it. */
static void walk_queue(walk *w, int index) {
  lua_State *L = w->L;
  lua_pushvalue(L, index);
  bool known = lua_rawget(L, w->c->seen) != LUA_TNIL;
  bool better = known && w->required && !lua_toboolean(L, -1);
  lua_pop(L, 1);
  if (known && !better) return;
  lua_pushvalue(L, index);
  lua_pushboolean(L, w->required);
  lua_rawset(L, w->c->seen);
  lua_pushvalue(L, index);
  lua_rawseti(L, w->queue, ++w->queued);
  luaL_Buffer b;
  size_t size = 0;
  const char *path = w->depth == 0 ? "" : lua_tolstring(L, w->path, &size);
  luaL_buffinit(L, &b);
  luaL_addlstring(&b, path, size);
  collect_add_string(&b, index - 1);
  luaL_pushresult(&b);
  lua_rawseti(L, w->queue, ++w->queued);
}

/* What the functions of the table at index tell, as far as `here` entries go: how many are left. */
static unsigned walk_table_tells(const walk *w, int table, uint32_t *here) {
  lua_State *L = w->L;
  unsigned told = 0;
  lua_pushnil(L);
  for (; lua_next(L, table); lua_pop(L, 1)) {
    if (*here == 0 || told & WALK_SCRIPTS) {
      lua_pop(L, 2);
      break;
    }
    --*here;
    told |= walk_tells(w, lua_gettop(L));
  }
  return told;
}

/* The same of its __index, if that is another table. Many may have the same one, so each pays. */
static unsigned walk_index_tells(walk *w, int table) {
  lua_State *L = w->L;
  unsigned told = 0;
  lua_pushliteral(L, "__index");
  int type = lua_rawget(L, table), index = lua_gettop(L);
  if (type == LUA_TTABLE && !lua_rawequal(L, index, table)) {
    uint32_t most = w->budget < COLLECT_TABLE ? w->budget : COLLECT_TABLE, left = most;
    told = walk_table_tells(w, index, &left);
    w->budget -= most - left;
  }
  lua_pop(L, 1);
  return told;
}

/* Names the functions of the table at index, if they are the module's, and queues its tables. */
static void walk_fields(walk *w, int table, const way *way) {
  lua_State *L = w->L;
  uint32_t here = w->depth == 0 ? COLLECT_ENTRIES : COLLECT_TABLE;
  lua_pushnil(L);
  for (; lua_next(L, table); lua_pop(L, 1)) {
    if (!walk_budget(w, &here)) {
      lua_pop(L, 2);
      break;
    }
    int value = lua_gettop(L), type = lua_type(L, value);
    if (lua_type(L, -2) != LUA_TSTRING || w->depth == COLLECT_DEEP) continue;
    if (type == LUA_TTABLE) walk_queue(w, value);
    if (type == LUA_TFUNCTION && way != NULL && walk_owns(w, value))
      collect_enter(w->c, value, NAMES_VALUE, way);
  }
}

/* The inner table whose fields, as they are sent, are on top of it. */
static void walk_table(walk *w) {
  lua_State *L = w->L;
  int table = w->path - 1;
  way way = {w->module, w->path + 1, w->depth, NULL, 0};
  way.fields = lua_tolstring(L, w->path, &way.size);
  uint32_t here = COLLECT_TABLE;
  unsigned told = walk_table_tells(w, table, &here) | walk_index_tells(w, table);
  w->scripts = (told & WALK_SCRIPTS) != 0;
  walk_fields(w, table, &way);
  if (!w->required || w->depth == 1 || told != WALK_OURS) return; /* one field: it has a name */
  way.field = 0;
  collect_enter(w->c, table, collect_use_of(L, table), &way);
}

/* Level by level through the queue. */
static void walk_levels(walk *w) {
  lua_State *L = w->L;
  lua_Integer at = 0;
  for (w->depth = 1; w->depth <= COLLECT_DEEP; w->depth++) {
    for (lua_Integer end = w->queued; at < end && w->budget > 0; lua_settop(L, w->queue)) {
      lua_rawgeti(L, w->queue, ++at);
      lua_rawgeti(L, w->queue, ++at);
      w->path = lua_gettop(L);
      walk_table(w);
    }
  }
}

/* What lies below the fields of the module whose name, value and origin are on top. */
static void collect_deep(const collection *c) {
  lua_State *L = c->L;
  int origin = lua_gettop(L);
  bool globals = collect_is_globals(L, origin - 2);
  if (globals != c->last) return;
  walk w = {c, L, origin - 2, origin, origin + 1, 0, 0, 0, COLLECT_ENTRIES, false, false, false};
  w.native = lua_isboolean(L, origin) && lua_toboolean(L, origin) && !globals;
  w.required = lua_toboolean(L, origin) && !globals;
  lua_newtable(L);
  walk_fields(&w, origin - 1, NULL);
  walk_levels(&w);
}

/* ---- rounds ---- */

typedef void collect_step(const collection *c);

static void collect_push_origin(const collection *c, int module) {
  lua_State *L = c->L;
  lua_pushvalue(L, module);
  if (lua_rawget(L, c->origins) != LUA_TNIL) return;
  lua_pop(L, 1);
  module_push_origin(L, c->loaded, lua_tostring(L, module));
  lua_pushvalue(L, module);
  lua_pushvalue(L, -2);
  lua_rawset(L, c->origins);
}

/* How good a module's name is: Lua's or the library's own, one that can be required, any. */
static int collect_rank(const collection *c, int module) {
  lua_State *L = c->L;
  if (module_is_ours(lua_tostring(L, module))) return 2;
  collect_push_origin(c, module);
  int rank = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return rank;
}

/* Is the name at `other` a better one than that at `module` for the same value? The shorter one, as
 * a rule, is that of the file which others are parts of: when it is required, all is there. */
static bool collect_is_better(const collection *c, int other, int module) {
  lua_State *L = c->L;
  int mine = collect_rank(c, module), its = collect_rank(c, other);
  size_t size = lua_rawlen(L, module), its_size = lua_rawlen(L, other);
  if (its != mine) return its > mine;
  if (its_size != size) return its_size < size;
  return strcmp(lua_tostring(L, other), lua_tostring(L, module)) < 0;
}

/* The module's name and value are on top: does the value stand in package.loaded under a better
 * name, too? Which comes first there is chance. */
static bool collect_is_alias(const collection *c) {
  lua_State *L = c->L;
  int value = lua_gettop(L), other = value + 1;
  bool alias = false;
  lua_pushnil(L);
  for (; lua_next(L, c->loaded); lua_settop(L, other)) {
    if (alias || lua_type(L, other) != LUA_TSTRING || !lua_rawequal(L, -1, value)) continue;
    lua_settop(L, other);
    alias = !lua_rawequal(L, other, value - 1) && collect_is_better(c, other, value - 1);
    lua_pushnil(L); /* for settop */
  }
  return alias;
}

/* One round through package.loaded, for modules of any kind or those that have fields. */
static void collect_round(const collection *c, collect_step *step, bool tables) {
  lua_State *L = c->L;
  lua_pushnil(L);
  int module = lua_gettop(L), value = module + 1;
  for (; lua_next(L, c->loaded); lua_settop(L, module)) {
    int type = lua_type(L, value);
    if (lua_type(L, module) != LUA_TSTRING) continue;
    if (module_is_ours(lua_tostring(L, module)) != c->ours) continue;
    if (type != LUA_TTABLE && (type != LUA_TFUNCTION || tables)) continue;
    if (collect_is_alias(c)) continue;
    collect_push_origin(c, module);
    step(c);
  }
}

static void collect_push_weak_table(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
}

static void collect_rounds(collection *c, collect_step *step, bool tables, bool last) {
  for (int round = 0; round < (last ? 3 : 2); round++) {
    c->ours = round % 2 == 0;
    c->last = round == 2;
    collect_round(c, step, tables);
  }
}

void collect_push_names(lua_State *L, names *n) {
  int top = lua_gettop(L);
  memset(n->bits, 0, sizeof n->bits);
  collect_push_weak_table(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_newtable(L);
  lua_newtable(L);
  collection c = {L, n, top + 2, top + 1, top + 3, top + 4, true, false};
  collect_globals(&c);
  lua_pushvalue(L, c.loaded); /* no way leads through these two */
  lua_pushboolean(L, 1);
  lua_rawset(L, c.seen);
  collect_rounds(&c, collect_module, false, false);
  collect_rounds(&c, collect_fields, true, true);
  collect_rounds(&c, collect_deep, true, true);
  lua_settop(L, top + 1);
}
