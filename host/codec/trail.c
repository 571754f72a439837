/* The way to what cannot be sent, as the user would write it:
 *
 *   value[1].cfg.on_done
 *   argument 2.cfg[1]
 *   upvalue 'sock'.fd of function 'fetch' (crawl.lua:14)
 *   global 'cache' of function 'get' (a.lua:3), upvalue 'get' of function 'main' (a.lua:9)
 *
 * Read off the frames from the innermost outward, so a function's part comes before the way to the
 * function. Long ways are cut in their middle: nobody reads a million brackets. */
#include "codec/encode.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>

enum {
  TRAIL_STEPS = 8,     /* most table steps shown at the inner end of each way */
  TRAIL_FUNCTIONS = 3, /* most functions */
  TRAIL_NAME = 60,     /* most bytes of a name */
};

typedef struct trail {
  encoder *e;
  char text[1024];
  size_t size;
} trail;

__attribute__((format(printf, 2, 3))) static void trail_add(trail *t, const char *format, ...) {
  size_t room = sizeof t->text - t->size;
  va_list values;
  va_start(values, format);
  /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the analyser of clang 14 is mistaken */
  int size = vsnprintf(t->text + t->size, room, format, values);
  va_end(values);
  if (size > 0) t->size += (size_t)size < room ? (size_t)size : room - 1;
}

static void trail_push_object(const trail *t, uint32_t depth) {
  encoder *e = t->e;
  if (depth == e->depth)
    lua_pushvalue(e->L, encode_slot(e, ENCODE_CURRENT));
  else
    lua_rawgeti(e->L, encode_slot(e, ENCODE_OBJECTS), e->frames[depth - 1].ordinal + 1);
}

/* Pushes what the frame of that depth keeps: a key, or for globals the name at hand. */
static void trail_push_kept(const trail *t, uint32_t depth) {
  encoder *e = t->e;
  const encode_frame *f = &e->frames[depth - 1];
  lua_rawgeti(e->L, encode_slot(e, ENCODE_KEYS), depth);
  if (f->kind != ENCODE_GLOBALS) return;
  lua_rawgeti(e->L, -1, f->i);
  lua_remove(e->L, -2);
}

static int trail_is_identifier(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (!isalpha((unsigned char)text[i]) && text[i] != '_' &&
        (i == 0 || !isdigit((unsigned char)text[i])))
      return 0;
  }
  return size > 0 && size <= TRAIL_NAME;
}

/* The string in quotes, as Lua would read it: it stays on one line. */
static void trail_add_quoted(trail *t, const char *text, size_t size) {
  for (size_t i = 0; i < size && i < TRAIL_NAME; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == '"' || c == '\\')
      trail_add(t, "\\%c", c);
    else if (c == '\n')
      trail_add(t, "\\n");
    else if (c < ' ' || c == 127)
      trail_add(t, "\\%03d", c);
    else
      trail_add(t, "%c", c);
  }
}

/* The step that the key on top takes; pops it. */
static void trail_add_key(trail *t) {
  lua_State *L = t->e->L;
  size_t size;
  if (lua_type(L, -1) == LUA_TSTRING) {
    const char *key = lua_tolstring(L, -1, &size);
    if (trail_is_identifier(key, size)) {
      trail_add(t, ".%s", key);
    } else {
      trail_add(t, "[\"");
      trail_add_quoted(t, key, size);
      trail_add(t, "\"]");
    }
  } else if (lua_isinteger(L, -1)) {
    trail_add(t, "[" LUA_INTEGER_FMT "]", lua_tointeger(L, -1));
  } else if (lua_type(L, -1) == LUA_TNUMBER) {
    trail_add(t, "[" LUA_NUMBER_FMT "]", lua_tonumber(L, -1));
  } else if (lua_type(L, -1) == LUA_TBOOLEAN) {
    trail_add(t, "[%s]", lua_toboolean(L, -1) ? "true" : "false");
  } else {
    trail_add(t, "[%s]", luaL_typename(L, -1));
  }
  lua_pop(L, 1);
}

/* The step from a table or object to the child at hand. */
static void trail_add_step(trail *t, uint32_t depth) {
  const encode_frame *f = &t->e->frames[depth - 1];
  switch ((enum encode_kind)f->kind) {
  case ENCODE_LIST: trail_add(t, "[%u]", f->i); break;
  case ENCODE_PAIRS:
    if (f->keyed) {
      trail_add(t, "<key>");
    } else {
      trail_push_kept(t, depth);
      trail_add_key(t);
    }
    break;
  case ENCODE_OBJECT: trail_add(t, f->i == 1 ? "<metatable>" : "<__pack>"); break;
  default: trail_add(t, "<metatable>"); break;
  }
}

static int trail_is_function(const trail *t, uint32_t depth) {
  int kind = t->e->frames[depth - 1].kind;
  return kind == ENCODE_UPVALUES || kind == ENCODE_GLOBALS;
}

/* The value, and what it is a piece of: from which frame on steps lead from there. */
static uint32_t trail_add_root(trail *t) {
  int key = t->e->out.sink->key;
  if (key == CODEC_ARGUMENTS && t->e->depth > 0) {
    const encode_frame *list = &t->e->frames[0];
    if (list->kind == ENCODE_LIST) {
      trail_add(t, "argument %u", list->i);
      return 2;
    }
    trail_push_kept(t, 1);
    trail_add(t, "argument " LUA_INTEGER_FMT, lua_tointeger(t->e->L, -1));
    lua_pop(t->e->L, 1);
    return 2;
  }
  trail_add(t, "value");
  if (key > 0) {
    lua_pushvalue(t->e->L, key);
    trail_add_key(t);
  }
  return 1;
}

/* The steps of the frames from `outer` to `inner`, of which the last ones are shown. */
static void trail_add_steps(trail *t, uint32_t outer, uint32_t inner) {
  if (inner - outer >= TRAIL_STEPS && inner >= outer) {
    trail_add(t, "...");
    outer = inner - TRAIL_STEPS + 1;
  }
  for (uint32_t depth = outer; depth <= inner; depth++) trail_add_step(t, depth);
}

/* Pushes the name that leads to the function on top in the table at index, or nil. */
static void trail_push_key_of(lua_State *L, int table) {
  int function = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, table)) {
    if (lua_rawequal(L, -1, function) && lua_type(L, -2) == LUA_TSTRING) {
      lua_pop(L, 1);
      return;
    }
    lua_pop(L, 1);
  }
  lua_pushnil(L);
}

/* A function that nothing leads to: a global, or one that calls itself by a local's name. */
static const char *trail_name_of_root(lua_State *L) {
  const char *name;
  int function = lua_gettop(L);
  for (int i = 1; (name = lua_getupvalue(L, function, i)) != NULL; i++) {
    int itself = lua_rawequal(L, -1, function);
    lua_pop(L, 1);
    if (itself) return name;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  lua_insert(L, function);
  trail_push_key_of(L, function);
  name = lua_tostring(L, -1); /* the globals keep it alive */
  lua_pop(L, 1);
  lua_remove(L, function);
  return name;
}

/* What the function of the frame at depth, which is on top, is called by what leads to it. */
static const char *trail_function_name(const trail *t, uint32_t depth) {
  lua_State *L = t->e->L;
  const encode_frame *outer = depth > 1 ? &t->e->frames[depth - 2] : NULL;
  const char *name = NULL;
  if (outer != NULL && outer->kind == ENCODE_UPVALUES) {
    trail_push_object(t, depth - 1);
    name = lua_getupvalue(L, -1, (int)outer->i);
    lua_pop(L, 2);
  } else if (outer != NULL && (outer->kind == ENCODE_PAIRS || outer->kind == ENCODE_GLOBALS)) {
    trail_push_kept(t, depth - 1);
    if (lua_type(L, -1) == LUA_TSTRING) name = lua_tostring(L, -1); /* KEYS keep it alive */
    lua_pop(L, 1);
  }
  return name != NULL ? name : trail_name_of_root(L);
}

/* "upvalue 'x'" or "global 'x'" of the function frame at depth. */
static void trail_add_variable(trail *t, uint32_t depth) {
  lua_State *L = t->e->L;
  const encode_frame *f = &t->e->frames[depth - 1];
  if (f->kind == ENCODE_GLOBALS) {
    trail_push_kept(t, depth);
    trail_add(t, "global '%.*s'", TRAIL_NAME, lua_tostring(L, -1));
    lua_pop(L, 1);
    return;
  }
  trail_push_object(t, depth);
  const char *name = lua_getupvalue(L, -1, (int)f->i);
  trail_add(t, "upvalue '%.*s'", TRAIL_NAME, name != NULL ? name : "?");
  lua_pop(L, name != NULL ? 2 : 1);
}

static void trail_add_function(trail *t, uint32_t depth) {
  lua_State *L = t->e->L;
  lua_Debug ar;
  trail_push_object(t, depth);
  const char *name = trail_function_name(t, depth);
  lua_getinfo(L, ">S", &ar);
  if (name != NULL)
    trail_add(t, " of function '%.*s' (%s:%d)", TRAIL_NAME, name, ar.short_src, ar.linedefined);
  else if (ar.what[0] == 'm')
    trail_add(t, " of main chunk (%s)", ar.short_src);
  else
    trail_add(t, " of function (%s:%d)", ar.short_src, ar.linedefined);
}

static void trail_add_way(trail *t) {
  uint32_t inner = t->e->depth;
  for (int functions = 0;; functions++) {
    uint32_t depth = inner;
    while (depth > 0 && !trail_is_function(t, depth)) depth--;
    if (depth == 0) {
      if (inner == 0 && functions > 0 && t->e->out.sink->key == 0) return;
      if (functions > 0) trail_add(t, ", ");
      trail_add_steps(t, trail_add_root(t), inner);
      return;
    }
    if (functions == TRAIL_FUNCTIONS) {
      trail_add(t, ", ...");
      return;
    }
    if (functions > 0) trail_add(t, ", ");
    trail_add_variable(t, depth);
    trail_add_steps(t, depth + 1, inner);
    trail_add_function(t, depth);
    inner = depth - 1;
  }
}

/* What the value on top is, as far as that tells why it stays. */
static void trail_add_kind(trail *t) {
  lua_State *L = t->e->L;
  int type = lua_type(L, -1);
  if (type == LUA_TTHREAD) {
    trail_add(t, "coroutine");
  } else if (type == LUA_TLIGHTUSERDATA) {
    trail_add(t, "light userdata");
  } else if (type == LUA_TFUNCTION) {
    trail_add(t, "C function that no loaded module leads to");
  } else {
    trail_add(t, "%s", lua_typename(L, type));
    if (!lua_getmetatable(L, -1)) return;
    lua_pushliteral(L, "__name");
    if (lua_rawget(L, -2) == LUA_TSTRING) trail_add(t, " '%.*s'", TRAIL_NAME, lua_tostring(L, -1));
    lua_pop(L, 2);
  }
}

int trail_refuse(encoder *e, const char *what) {
  trail t = {.e = e};
  lua_State *L = e->L;
  int top = lua_gettop(L);
  trail_add(&t, "cannot send ");
  lua_pushvalue(L, top); /* steps push and pop above it */
  trail_add_way(&t);
  trail_add(&t, ": ");
  if (what != NULL)
    trail_add(&t, "%s", what);
  else
    trail_add_kind(&t);
  lua_settop(L, top);
  lua_pushlstring(L, t.text, t.size);
  return ENCODE_REFUSED;
}
