/* Lua functions: their bytecode, the variables they close over, the globals they read.
 *
 *   db  u64 hash  u32 size  bytecode  u8 n  n x cell  globals  d4
 *     cell     00 value      a variable met for the first time: the next cell ordinal is its own
 *              01 u32        the variable with that cell ordinal: both functions share it
 *     globals  name value    each name once in a message, however many functions read it
 *              name d4       it is what a fresh state has, and was something else in a child
 *
 * Bytecode keeps its debug information, so that tracebacks name the user's lines elsewhere too.
 * _ENV is a variable like any other whose value is the globals table, and dd says so. The global
 * names come from the bytecode itself (bytecode.h). A name goes along unless its value here is what
 * a fresh state has; by its value's own rules, so modules go by name. One that is nil here goes
 * along as nil: the receiver may have it from an earlier message, or as a child of this process. */
#include "codec/encode.h"

#include "codec/bytecode.h"
#include "codec/globals.h"

#include <errno.h>
#include <lauxlib.h>

static int func_write(lua_State *L, const void *bytes, size_t size, void *context) {
  (void)L;
  return wire_put_bytes(context, bytes, size);
}

/* Appends the code of the function on top, under its hash and size. */
static int func_put_code(encoder *e, size_t *begin, size_t *size) {
  wire_out *out = &e->out;
  int rc = wire_room(out, WIRE_HEAD);
  if (rc != 0) return rc;
  out->sink->code = 1;
  wire_set_byte(out->sink, WIRE_FUNCTION);
  size_t head = wire_length(out);
  out->sink->at += sizeof(uint64_t) + sizeof(uint32_t); /* filled in below */
  *begin = wire_length(out);
  rc = lua_dump(e->L, func_write, out, 0);
  if (rc != 0) return rc;
  *size = wire_length(out) - *begin;
  if (*size > UINT32_MAX) return -EFBIG;
  uint64_t hash = wire_hash(wire_place(out, *begin), *size);
  uint32_t size32 = (uint32_t)*size;
  memcpy(wire_place(out, head), &hash, sizeof hash);
  memcpy(wire_place(out, head + sizeof hash), &size32, sizeof size32);
  return 0;
}

static void func_push_globals_table(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}

/* The upvalues of the function on top: their number, and which of them are the globals table. */
static uint32_t func_upvalues(lua_State *L, uint8_t env[BYTECODE_UPVALUES / 8]) {
  uint32_t n = 0;
  func_push_globals_table(L);
  while (lua_getupvalue(L, -2, (int)n + 1) != NULL) {
    if (lua_rawequal(L, -1, -2)) env[n / 8] |= (uint8_t)(1u << n % 8);
    lua_pop(L, 1);
    n++;
  }
  lua_pop(L, 1);
  return n;
}

typedef struct func_names {
  encoder *e;
  int list; /* stack index of the list of names to send, nil until there is one */
  uint32_t count;
} func_names;

int encode_is_fresh(lua_State *L, const char *name, size_t size) {
  if (lua_type(L, -1) != LUA_TTABLE) return lua_iscfunction(L, -1) || lua_isstring(L, -1);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushlstring(L, name, size);
  lua_rawget(L, -2);
  int same = lua_rawequal(L, -1, -3);
  lua_pop(L, 2);
  return same;
}

int encode_global_is_standard(lua_State *L, const char *name, size_t size) {
  return !lua_isnil(L, -1) && names_are_standard(name, size) && encode_is_fresh(L, name, size);
}

int encode_global_travels(lua_State *L, const char *name, size_t size) {
  return !encode_global_is_standard(L, name, size) || globals_are_lent(L, name, size);
}

/* Pushes the table in a slot, which is made on its first use. */
static void func_push_slot(encoder *e, int slot) {
  if (lua_isnil(e->L, slot)) {
    lua_newtable(e->L);
    lua_replace(e->L, slot);
  }
  lua_pushvalue(e->L, slot);
}

/* A name that the code reads as a global: noted if its value has to travel. */
static void func_note_global(void *context, const char *name, size_t size) {
  func_names *names = context;
  encoder *e = names->e;
  lua_State *L = e->L;
  int top = lua_gettop(L);
  func_push_globals_table(L);
  lua_pushlstring(L, name, size);
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  if (encode_global_travels(L, name, size)) {
    func_push_slot(e, encode_slot(e, ENCODE_SENT));
    lua_pushvalue(L, -3);
    if (lua_rawget(L, -2) == LUA_TNIL) {
      lua_pushvalue(L, top + 2);
      lua_pushboolean(L, 1);
      lua_rawset(L, -4);
      func_push_slot(e, names->list);
      lua_pushvalue(L, top + 2);
      lua_rawseti(L, -2, ++names->count);
    }
  }
  lua_settop(L, top);
}

int encode_func_open(encoder *e, uint32_t ordinal) {
  lua_State *L = e->L;
  size_t begin, size;
  int rc = func_put_code(e, &begin, &size);
  if (rc != 0) return rc;
  uint8_t env[BYTECODE_UPVALUES / 8] = {0};
  uint32_t n = func_upvalues(L, env);
  lua_pushnil(L);
  lua_insert(L, -2); /* list of names, function */
  func_names names = {e, lua_gettop(L) - 1, 0};
  rc = bytecode_globals(wire_place(&e->out, begin), size, env, func_note_global, &names);
  if (rc != 0) return trail_refuse(e, "its bytecode is not of Lua 5.4");
  rc = wire_put_byte(&e->out, n);
  if (rc != 0) return rc;
  encode_frame *f = encode_push(e, ENCODE_UPVALUES, ordinal);
  f->n = n;
  f->count = names.count;
  if (names.count > 0)
    encode_keep(e);
  else
    lua_pop(L, 1);
  return 0;
}

static int func_upvalue_steps(encoder *e, encode_frame *f) {
  lua_State *L = e->L;
  int current = encode_slot(e, ENCODE_CURRENT);
  while (f->i < f->n) {
    int rc = wire_room(&e->out, WIRE_HEAD);
    if (rc != 0) return rc;
    int index = (int)++f->i;
    uint32_t *known = memo_entry_of(&e->memo, L, lua_upvalueid(L, current, index));
    if (*known != MEMO_NONE) {
      wire_set_byte(e->out.sink, WIRE_CELL_REF);
      wire_set_u32(e->out.sink, *known - 1);
      continue;
    }
    *known = ++e->cells;
    wire_set_byte(e->out.sink, WIRE_CELL_NEW);
    lua_getupvalue(L, current, index);
    rc = wire_put_scalar(&e->out, L, -1, lua_type(L, -1));
    if (rc <= 0) return rc < 0 ? rc : encode_open(e);
    lua_pop(L, 1);
  }
  f->kind = ENCODE_GLOBALS;
  f->i = 0;
  f->n = f->count;
  return 0;
}

static int func_global_step(encoder *e, encode_frame *f) {
  lua_State *L = e->L;
  if (f->i == f->n) {
    int rc = wire_put_byte(&e->out, WIRE_END);
    if (rc == 0) encode_pop(e);
    return rc;
  }
  encode_recall(e);
  lua_rawgeti(L, -1, ++f->i);
  size_t size;
  const char *name = lua_tolstring(L, -1, &size);
  int rc = wire_put_string(&e->out, name, size);
  if (rc != 0) return rc;
  lua_remove(L, -2);
  func_push_globals_table(L);
  lua_pushvalue(L, -2);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  int fresh = globals_are_lent(L, name, size) && encode_global_is_standard(L, name, size);
  lua_remove(L, -2);
  if (!fresh) return encode_open(e);
  lua_pop(L, 1);
  return wire_put_byte(&e->out, WIRE_END);
}

int encode_func_step(encoder *e, encode_frame *f) {
  return f->kind == ENCODE_UPVALUES ? func_upvalue_steps(e, f) : func_global_step(e, f);
}
