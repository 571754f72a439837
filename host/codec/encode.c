/* From a Lua value to bytes: scalars at once, everything else frame by frame. */
#include "codec/encode.h"

#include "codec/bare.h"

#include <errno.h>
#include <lauxlib.h>

/* Slots, what a step pushes above them at most, and on top of that names may be collected. */
enum { ENCODE_STACK = 24 + NAMES_STACK };

static void encode_grow(encoder *e) {
  uint32_t room = 2 * e->room;
  encode_frame *frames = lua_newuserdatauv(e->L, room * sizeof *frames, 0);
  memcpy(frames, e->frames, e->depth * sizeof *frames);
  lua_replace(e->L, encode_slot(e, ENCODE_FRAMES));
  e->frames = frames;
  e->room = room;
}

encode_frame *encode_push(encoder *e, enum encode_kind kind, uint32_t ordinal) {
  if (e->depth == e->room) encode_grow(e);
  lua_replace(e->L, encode_slot(e, ENCODE_CURRENT));
  encode_frame *f = &e->frames[e->depth++];
  *f = (encode_frame){.kind = (uint8_t)kind, .ordinal = ordinal};
  return f;
}

void encode_pop(encoder *e) {
  if (--e->depth == 0) return;
  lua_rawgeti(e->L, encode_slot(e, ENCODE_OBJECTS), e->frames[e->depth - 1].ordinal + 1);
  lua_replace(e->L, encode_slot(e, ENCODE_CURRENT));
}

void encode_keep(encoder *e) {
  lua_State *L = e->L;
  int keys = encode_slot(e, ENCODE_KEYS);
  if (lua_isnil(L, keys)) {
    lua_createtable(L, ENCODE_SHALLOW / 4, 0);
    lua_replace(L, keys);
  }
  lua_rawseti(L, keys, e->depth);
}

void encode_recall(encoder *e) {
  lua_rawgeti(e->L, encode_slot(e, ENCODE_KEYS), e->depth);
}

/* OBJECTS[ordinal + 1] = the value on top. The root, when it has a frame, is CURRENT and needs no
 * other place until a second object takes that slot. */
static void encode_adopt(encoder *e, uint32_t ordinal) {
  lua_State *L = e->L;
  int objects = encode_slot(e, ENCODE_OBJECTS);
  if (ordinal == 0) return;
  if (ordinal == 1) {
    lua_createtable(L, ENCODE_SHALLOW, 0);
    lua_pushvalue(L, encode_slot(e, ENCODE_CURRENT));
    lua_rawseti(L, -2, 1);
    lua_replace(L, objects);
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, objects, (lua_Integer)ordinal + 1);
}

/* The name of the value on top, if it has one: ENCODE_DONE, 0, ENCODE_STALE, -errno. */
static int encode_named(encoder *e, int metatable) {
  lua_State *L = e->L;
  if (!names_may_know(e->names, lua_topointer(L, -1))) return 0;
  int answer = names_push(L, metatable);
  if (answer != NAMES_PUSHED) return answer == NAMES_STALE ? ENCODE_STALE : 0;
  size_t size;
  const char *name = lua_tolstring(L, -1, &size);
  e->out.sink->code = 1;
  int rc = wire_put_bytes(&e->out, name + 1, size - 1);
  lua_pop(L, 2);
  return rc != 0 ? rc : ENCODE_DONE;
}

/* Names may be older than package.loaded. Looked at once in a message, when something turns up
 * that may well have a name: data without functions and metatables never pays for it. */
static int encode_refresh(encoder *e) {
  if (e->names_fresh) return 0;
  e->names_fresh = 1;
  if (!names_refresh(e->L, e->names)) return 0;
  return e->objects > 1 && e->may_restart ? ENCODE_RESTART : 0;
}

/* Before a scalar is refused: a module that was loaded since names were collected may hold it,
 * which then goes by its name. */
static int encode_refuse(encoder *e) {
  int looked = e->names_fresh;
  e->names_fresh = 1;
  if (!looked && names_refresh(e->L, e->names) && e->may_restart) return ENCODE_RESTART;
  return trail_refuse(e, NULL);
}

/* encode_named, where a name that has become stale makes way for another, or none. */
static int encode_named_now(encoder *e, int metatable) {
  int rc = encode_named(e, metatable);
  if (rc != ENCODE_STALE) return rc;
  names_collect(e->L, e->names);
  rc = encode_named(e, metatable);
  return rc == ENCODE_STALE ? 0 : rc;
}

static int encode_by_name(encoder *e, int type, int metatable) {
  int rc = encode_named_now(e, metatable);
  if (rc != 0 || (type == LUA_TTABLE && !metatable)) return rc;
  int written_here =
      type == LUA_TFUNCTION && !lua_iscfunction(e->L, -1) && names_are_of_script(e->L, -1);
  if (written_here) return 0;
  rc = encode_refresh(e);
  if (rc != 0) return rc;
  rc = encode_named_now(e, metatable);
  if (rc != 0 || !lua_iscfunction(e->L, -1)) return rc;
  names_collect(e->L, e->names); /* a field may be younger than its module */
  return encode_named(e, metatable);
}

/* A function or table without a name, or a userdata. */
static int encode_by_value(encoder *e, int type, uint32_t ordinal) {
  lua_State *L = e->L;
  if (type == LUA_TTABLE) return encode_table_open(e, ordinal);
  if (type == LUA_TFUNCTION)
    return lua_iscfunction(L, -1) ? trail_refuse(e, NULL) : encode_func_open(e, ordinal);
  uint64_t word;
  int rc = e->handles == NULL ? 0 : e->handles->out(L, -1, e->handles->context, &word);
  if (rc == -EBADF) return trail_refuse(e, "a handle that is closed");
  if (rc == -EPERM) return trail_refuse(e, "handles cannot be packed, they live in this family");
  if (rc < 0) return rc;
  if (rc == 0) return encode_object_open(e, ordinal);
  rc = wire_room(&e->out, WIRE_HEAD);
  if (rc != 0) return rc;
  wire_set_byte(e->out.sink, WIRE_HANDLE);
  wire_set_bytes(e->out.sink, &word, sizeof word);
  lua_pop(L, 1);
  return 0;
}

static int encode_again(encoder *e, uint32_t known) {
  if (known & ENCODE_PACKING) return trail_refuse(e, "its __pack leads back to it");
  int rc = wire_room(&e->out, WIRE_HEAD);
  if (rc != 0) return rc;
  wire_set_ref(e->out.sink, known - 1);
  lua_pop(e->L, 1);
  return 0;
}

static int encode_any(encoder *e, int metatable) {
  lua_State *L = e->L;
  int type = lua_type(L, -1);
  if (type != LUA_TTABLE && type != LUA_TFUNCTION && type != LUA_TUSERDATA) {
    int rc = wire_put_scalar(&e->out, L, -1, type);
    if (rc == 0) return encode_refuse(e);
    if (rc == 1) lua_pop(L, 1);
    return rc == 1 ? 0 : rc;
  }
  uint32_t *known = memo_entry_of(&e->memo, L, lua_topointer(L, -1));
  if (*known != MEMO_NONE) return encode_again(e, *known);
  uint32_t ordinal = e->objects++;
  *known = ordinal + 1;
  encode_adopt(e, ordinal);
  int rc = encode_by_name(e, type, metatable);
  if (rc == 0) rc = encode_by_value(e, type, ordinal);
  return rc == ENCODE_DONE ? 0 : rc;
}

int encode_open(encoder *e) {
  return encode_any(e, 0);
}

int encode_open_metatable(encoder *e) {
  return encode_any(e, 1);
}

static int encode_step(encoder *e) {
  encode_frame *f = &e->frames[e->depth - 1];
  switch ((enum encode_kind)f->kind) {
  case ENCODE_OBJECT: return encode_object_step(e, f);
  case ENCODE_UPVALUES:
  case ENCODE_GLOBALS: return encode_func_step(e, f);
  default: return encode_table_step(e, f);
  }
}

/* All but what each attempt begins with; the shallow frames are not worth clearing. */
static void encode_init(encoder *e, lua_State *L, wire_out out, const codec_handles *handles) {
  e->L = L;
  e->out = out;
  e->handles = handles;
  e->base = lua_gettop(L);
  e->names = names_get(L);
  e->names_fresh = 0;
  e->may_restart = 1;
}

/* One attempt from a clean slate; the value's index is absolute. */
static int encode_value(encoder *e, int index) {
  lua_State *L = e->L;
  lua_settop(L, e->base);
  lua_settop(L, e->base + ENCODE_CURRENT);
  e->objects = e->cells = e->depth = 0;
  e->frames = e->shallow;
  e->room = ENCODE_SHALLOW;
  memo_init(&e->memo, encode_slot(e, ENCODE_MEMO));
  lua_pushvalue(L, index);
  int rc = encode_open(e);
  while (rc == 0 && e->depth > 0) rc = encode_step(e);
  return rc;
}

static int encode_graph(lua_State *L, int index, wire_out *out, const codec_handles *handles) {
  if (!lua_checkstack(L, ENCODE_STACK)) return -ENOMEM;
  encoder e;
  encode_init(&e, L, *out, handles);
  size_t begin = wire_length(&e.out);
  index = lua_absindex(L, index);
  int rc = encode_value(&e, index);
  if (rc == ENCODE_RESTART) {
    e.may_restart = 0;
    wire_rewind(&e.out, begin);
    rc = encode_value(&e, index);
  }
  *out = e.out;
  if (rc == ENCODE_REFUSED) lua_replace(L, e.base + 1);
  lua_settop(L, rc == ENCODE_REFUSED ? e.base + 1 : e.base);
  return rc == ENCODE_REFUSED ? -EINVAL : rc;
}

void codec_prepare(lua_State *L) {
  luaL_checkstack(L, NAMES_STACK, NULL);
  names_refresh(L, names_get(L));
}

int codec_encode(lua_State *L, int index, codec_sink *sink, const codec_handles *handles) {
  wire_out out;
  wire_begin(&out, sink);
  int rc = wire_put_byte(&out, WIRE_VERSION), type = lua_type(L, index);
  if (rc != 0) return rc;
  int is_code = type == LUA_TFUNCTION && !lua_iscfunction(L, index);
  rc = is_code ? bare_put(L, index, &out) : wire_put_scalar(&out, L, index, type);
  if (rc != 0) return rc < 0 ? rc : 0;
  rc = encode_graph(L, index, &out, handles);
  if (rc == 0 && is_code) bare_note(L, index, &out, 1);
  return rc;
}
