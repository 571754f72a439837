/* What is code or may run some: functions, things by name, objects by their __unpack. */
#include "codec/decode.h"
#include "codec/globals.h"

#include <lauxlib.h>

/* Lua's own failures: out of memory goes on its way, all else is said of the message. */
static int code_failed(decoder *d, int status, const char *what) {
  lua_State *L = d->L;
  if (status == LUA_ERRMEM) return lua_error(L);
  const char *text = lua_tostring(L, -1);
  lua_pushfstring(L, "%s: %s", what, text != NULL ? text : luaL_typename(L, -1));
  return -EBADMSG;
}

typedef struct code_span {
  const char *bytes;
  size_t size;
} code_span;

static const char *code_read(lua_State *L, void *context, size_t *size) {
  code_span *span = context;
  (void)L;
  *size = span->size;
  span->size = 0;
  return span->bytes;
}

/* Kept from the fuzzer's eyes, which would otherwise learn to sign its own bytecode. */
#if defined(__clang__)
__attribute__((no_sanitize("coverage"), noinline))
#endif
static int
code_is_whole(const uint8_t *bytes, size_t size, uint64_t hash) {
  return wire_hash((const char *)bytes, size) == hash;
}

/* The checked bytecode becomes a function on top. */
static int code_load(decoder *d) {
  uint64_t hash;
  lua_State *L = d->L;
  if (decode_left(d) < sizeof hash + 4) return decode_fail(d, "truncated function");
  memcpy(&hash, d->at, sizeof hash);
  d->at += sizeof hash;
  uint32_t size = decode_u32(d);
  if (decode_left(d) < size) return decode_fail(d, "truncated function");
  if (!code_is_whole(d->at, size, hash)) return decode_fail(d, "damaged function");
  code_span span = {(const char *)d->at, size};
  int status = lua_load(L, code_read, &span, "=message", "b");
  if (status != LUA_OK) return code_failed(d, status, "bad message");
  d->at += size;
  return 0;
}

int decode_func_open(decoder *d) {
  lua_State *L = d->L;
  lua_Debug ar;
  if (d->flags & CODEC_NO_CODE) return decode_fail(d, "function, and code is refused");
  int rc = code_load(d);
  if (rc != 0) return rc;
  if (decode_left(d) == 0) return decode_fail(d, "truncated function");
  uint32_t ordinal = d->objects++, n = *d->at++;
  lua_pushvalue(L, -1);
  lua_getinfo(L, ">u", &ar);
  if (n != ar.nups) return decode_fail(d, "function with other upvalues");
  decode_adopt(d, ordinal);
  decode_push(d, DECODE_UPVALUES, ordinal)->n = n;
  return DECODE_FRAME;
}

static int func_join(decoder *d, const decode_frame *f) {
  lua_State *L = d->L;
  if (decode_left(d) < 4) return decode_fail(d, "truncated function");
  uint32_t cell = decode_u32(d);
  if (cell >= d->cells) return decode_fail(d, "reference to no upvalue");
  lua_rawgeti(L, decode_slot(d, DECODE_CELLS), (lua_Integer)cell + 1);
  lua_Integer place = lua_tointegerx(L, -1, NULL);
  lua_pop(L, 1);
  decode_push_object(d, (uint32_t)(place >> 8));
  lua_upvaluejoin(L, decode_slot(d, DECODE_CURRENT), (int)f->i, -1, (int)(place & 0xff));
  lua_pop(L, 1);
  return 0;
}

static void func_new_cell(decoder *d, const decode_frame *f) {
  lua_State *L = d->L;
  int cells = decode_slot(d, DECODE_CELLS);
  if (lua_isnil(L, cells)) {
    lua_newtable(L);
    lua_replace(L, cells);
  }
  lua_pushinteger(L, (lua_Integer)f->ordinal << 8 | f->i);
  lua_rawseti(L, cells, (lua_Integer)++d->cells);
}

static int func_upvalues(decoder *d, decode_frame *f) {
  while (f->i < f->n) {
    if (decode_left(d) == 0) return decode_fail(d, "truncated function");
    unsigned cell = *d->at++;
    f->i++;
    if (cell == WIRE_CELL_REF) {
      int rc = func_join(d, f);
      if (rc != 0) return rc;
      continue;
    }
    if (cell != WIRE_CELL_NEW) return decode_fail(d, "unknown kind of upvalue");
    func_new_cell(d, f);
    return decode_child(d);
  }
  f->kind = DECODE_GLOBAL;
  return 0;
}

static int func_globals(decoder *d) {
  if (decode_left(d) == 0) return decode_fail(d, "truncated function");
  if (*d->at == WIRE_END) {
    d->at++;
    return decode_finish(d);
  }
  int rc = decode_scalar(d);
  if (rc < 0) return rc;
  if (rc == 0 || lua_type(d->L, -1) != LUA_TSTRING) return decode_fail(d, "global without a name");
  decode_keep(d);
  if (decode_left(d) == 0 || *d->at != WIRE_END) return decode_child(d);
  d->at++;
  globals_push_mark(d->L, GLOBALS_FRESH);
  return decode_deliver(d);
}

int decode_func_step(decoder *d, decode_frame *f) {
  return f->kind == DECODE_UPVALUES ? func_upvalues(d, f) : func_globals(d);
}

int decode_func_deliver(decoder *d, decode_frame *f) {
  lua_State *L = d->L;
  if (f->kind == DECODE_UPVALUES) {
    lua_setupvalue(L, decode_slot(d, DECODE_CURRENT), (int)f->i);
    return 0;
  }
  int globals = decode_slot(d, DECODE_GLOBALS);
  if (lua_isnil(L, globals)) {
    lua_newtable(L);
    lua_replace(L, globals);
  }
  if (lua_isnil(L, -1)) {
    globals_push_mark(L, GLOBALS_NIL);
    lua_replace(L, -2);
  }
  decode_recall(d);
  lua_insert(L, -2);
  lua_rawset(L, globals);
  return 0;
}

/* Arguments: module, fields. Pushes what they lead to; all of them may run code of the module's. */
static int named_find(lua_State *L) {
  int fields = lua_gettop(L) - 1;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  lua_pushliteral(L, "require");
  lua_rawget(L, -2);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  for (int i = 0; i < fields; i++) {
    if (!lua_istable(L, -1) && !lua_isuserdata(L, -1)) lua_pushnil(L);
    if (lua_isnil(L, -1)) return 1;
    lua_pushvalue(L, 2 + i);
    lua_gettable(L, -2);
  }
  return 1;
}

/* The module at `module` is loaded and has what the fields behind it lead to: pushes that and
 * returns its type. */
static int named_loaded(lua_State *L, int module, int fields) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  int type = LUA_TTABLE;
  for (int i = 0; i <= fields && type == LUA_TTABLE; i++) {
    lua_pushvalue(L, module + i);
    type = lua_rawget(L, -2);
    lua_remove(L, -2);
    if (i == fields) return type;
  }
  lua_pop(L, 1);
  lua_pushnil(L);
  return LUA_TNIL;
}

static int named_missing(lua_State *L, int module, int fields, int type) {
  const char *name = lua_tostring(L, module), *kind = lua_typename(L, type);
  if (fields == 0) {
    lua_pushfstring(L, "module '%s' is no %s here", name, kind);
    return -EBADMSG;
  }
  lua_pushvalue(L, module + 1);
  for (int i = 2; i <= fields; i++) {
    lua_pushfstring(L, "%s.%s", lua_tostring(L, -1), lua_tostring(L, module + i));
    lua_remove(L, -2);
  }
  lua_pushfstring(L, "module '%s' has no %s '%s' here", name, kind, lua_tostring(L, -1));
  return -EBADMSG;
}

/* A module and that many fields are on top, by their kind they should lead to a `type`. */
static int named_push(decoder *d, int fields, int type) {
  lua_State *L = d->L;
  int module = lua_gettop(L) - fields;
  if (named_loaded(L, module, fields) == type) return 0;
  if (d->flags & CODEC_NO_CODE) {
    lua_pushfstring(L, "'%s' is not loaded, and code is refused", lua_tostring(L, module));
    return -EBADMSG;
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, named_find);
  for (int i = 0; i <= fields; i++) lua_pushvalue(L, module + i);
  int status = lua_pcall(L, 1 + fields, 1, 0);
  if (status != LUA_OK) return code_failed(d, status, "cannot be found by its name here");
  return lua_type(L, -1) == type ? 0 : named_missing(L, module, fields, type);
}

/* Pushes a string. */
static int named_string(decoder *d) {
  int rc = decode_scalar(d);
  if (rc < 0) return rc;
  if (rc == 1 && lua_type(d->L, -1) == LUA_TSTRING) return 0;
  return decode_fail(d, "name that is no string");
}

/* Pushes the fields, and says how many. */
static int named_fields(decoder *d, int *fields) {
  *fields = 1;
  if (decode_left(d) > 0 && *d->at == WIRE_NIL) {
    *fields = 0;
    d->at++;
  } else if (decode_left(d) > 0 && (*d->at & ~(unsigned)WIRE_FEW) == WIRE_LIST) {
    *fields = *d->at & WIRE_FEW;
    if (*fields < 2 || *fields > WIRE_PATH_MOST) return decode_fail(d, "name with odd fields");
    d->at++;
  }
  int rc = 0;
  for (int i = 0; i < *fields && rc == 0; i++) rc = named_string(d);
  return rc;
}

int decode_named_open(decoder *d) {
  lua_State *L = d->L;
  if (decode_left(d) == 0) return decode_fail(d, "truncated name");
  unsigned kind = *d->at++;
  if (kind != WIRE_NAMED_FUNCTION && kind != WIRE_NAMED_TABLE)
    return decode_fail(d, "unknown kind of name");
  if (kind == WIRE_NAMED_FUNCTION && (d->flags & CODEC_NO_CODE))
    return decode_fail(d, "function, and code is refused");
  int top = lua_gettop(L), fields;
  int rc = named_string(d);
  if (rc == 0) rc = named_fields(d, &fields);
  if (rc == 0 && (d->flags & DECODE_INERT))
    rc = decode_stand_in(d);
  else if (rc == 0)
    rc = named_push(d, fields, kind == WIRE_NAMED_TABLE ? LUA_TTABLE : LUA_TFUNCTION);
  if (rc != 0) return rc;
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
  decode_adopt(d, d->objects++);
  return 0;
}

int decode_object_open(decoder *d) {
  uint32_t ordinal = d->objects++;
  lua_pushnil(d->L);
  decode_adopt(d, ordinal); /* there is nothing yet, but from now on OBJECTS keeps the root */
  decode_push(d, DECODE_OBJECT, ordinal)->n = 2;
  return DECODE_FRAME;
}

int decode_object_step(decoder *d, decode_frame *f) {
  return f->i < f->n ? decode_child(d) : decode_finish(d);
}

/* KEYS holds the metatable, the value is on top: makes the object and enters it. */
static int object_unpack(decoder *d, decode_frame *f) {
  lua_State *L = d->L;
  if (d->flags & DECODE_INERT) {
    lua_pop(L, 1);
    decode_stand_in(d);
    decode_adopt(d, f->ordinal);
    lua_replace(L, decode_slot(d, DECODE_CURRENT));
    return 0;
  }
  decode_set_globals(d);
  decode_recall(d);
  lua_pushliteral(L, "__unpack");
  lua_rawget(L, -2);
  lua_remove(L, -2);
  lua_insert(L, -2);
  int status = lua_pcall(L, 1, 1, 0);
  if (status != LUA_OK) return code_failed(d, status, "error in __unpack");
  if (lua_isnil(L, -1)) return decode_fail(d, "__unpack made nothing");
  decode_adopt(d, f->ordinal);
  lua_replace(L, decode_slot(d, DECODE_CURRENT));
  return 0;
}

int decode_object_deliver(decoder *d, decode_frame *f) {
  if (f->i++ == 1) return object_unpack(d, f);
  if (!lua_istable(d->L, -1)) return decode_fail(d, "metatable that is no table");
  decode_keep(d);
  return 0;
}
