/* From bytes to a Lua value. Whatever the bytes say, the answer is a value, -EBADMSG, or no memory.
 */
#include "codec/decode.h"

#include <assert.h>
#include <lauxlib.h>

enum { DECODE_STACK = 24 }; /* slots, and what a step pushes above them at most */

int decode_fail(decoder *d, const char *reason) {
  lua_pushfstring(d->L, "bad message: %s at byte %I", reason, (lua_Integer)(d->at - d->begin));
  return -EBADMSG;
}

int decode_long_string(decoder *d, unsigned tag) {
  size_t width = tag == WIRE_STRING8 ? 1 : tag == WIRE_STRING32 ? 4 : 8;
  uint64_t size = 0;
  if (decode_left(d) < 1 + width) return decode_fail(d, "truncated string");
  memcpy(&size, d->at + 1, width);
  return decode_string(d, 1 + width, size);
}

static void decode_grow(decoder *d) {
  uint32_t room = 2 * d->room;
  decode_frame *frames = lua_newuserdatauv(d->L, room * sizeof *frames, 0);
  memcpy(frames, d->frames, d->depth * sizeof *frames);
  lua_replace(d->L, decode_slot(d, DECODE_FRAMES));
  d->frames = frames;
  d->room = room;
}

decode_frame *decode_push(decoder *d, enum decode_kind kind, uint32_t ordinal) {
  if (d->depth == d->room) decode_grow(d);
  lua_replace(d->L, decode_slot(d, DECODE_CURRENT));
  decode_frame *f = &d->frames[d->depth++];
  *f = (decode_frame){.kind = (uint8_t)kind, .ordinal = ordinal};
  return f;
}

void decode_adopt(decoder *d, uint32_t ordinal) {
  lua_State *L = d->L;
  int objects = decode_slot(d, DECODE_OBJECTS);
  if (ordinal == 0) return; /* the root is CURRENT until a second object comes */
  if (lua_isnil(L, objects)) {
    lua_createtable(L, DECODE_SHALLOW, 0);
    lua_pushvalue(L, decode_slot(d, DECODE_CURRENT));
    lua_rawseti(L, -2, 1);
    lua_replace(L, objects);
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, objects, (lua_Integer)ordinal + 1);
}

void decode_push_object(decoder *d, uint32_t ordinal) {
  lua_State *L = d->L;
  if (!lua_isnil(L, decode_slot(d, DECODE_OBJECTS)))
    lua_rawgeti(L, decode_slot(d, DECODE_OBJECTS), (lua_Integer)ordinal + 1);
  else if (ordinal == 0)
    lua_pushvalue(L, decode_slot(d, DECODE_CURRENT));
  else
    lua_pushnil(L);
}

void decode_keep(decoder *d) {
  lua_State *L = d->L;
  int keys = decode_slot(d, DECODE_KEYS);
  if (lua_isnil(L, keys)) {
    lua_createtable(L, DECODE_SHALLOW / 4, 0);
    lua_replace(L, keys);
  }
  lua_rawseti(L, keys, d->depth);
}

void decode_recall(decoder *d) {
  lua_rawgeti(d->L, decode_slot(d, DECODE_KEYS), d->depth);
}

int decode_finish(decoder *d) {
  lua_State *L = d->L;
  int current = decode_slot(d, DECODE_CURRENT);
  lua_pushvalue(L, current);
  if (--d->depth == 0) return 0;
  decode_push_object(d, d->frames[d->depth - 1].ordinal);
  lua_replace(L, current);
  return decode_deliver(d);
}

int decode_deliver(decoder *d) {
  decode_frame *f = &d->frames[d->depth - 1];
  switch ((enum decode_kind)f->kind) {
  case DECODE_OBJECT: return decode_object_deliver(d, f);
  case DECODE_UPVALUES:
  case DECODE_GLOBAL: return decode_func_deliver(d, f);
  default: return decode_table_deliver(d, f);
  }
}

static int decode_step(decoder *d) {
  decode_frame *f = &d->frames[d->depth - 1];
  switch ((enum decode_kind)f->kind) {
  case DECODE_OBJECT: return decode_object_step(d, f);
  case DECODE_UPVALUES:
  case DECODE_GLOBAL: return decode_func_step(d, f);
  default: return decode_table_step(d, f);
  }
}

int decode_child(decoder *d) {
  int rc = decode_scalar(d);
  if (rc < 0) return rc;
  rc = rc == 1 ? 0 : decode_open(d);
  if (rc == 0) return decode_deliver(d);
  return rc == DECODE_FRAME ? 0 : rc;
}

static int decode_ref(decoder *d, unsigned tag) {
  if (decode_left(d) < (tag == WIRE_REF8 ? 1 : 4)) return decode_fail(d, "truncated reference");
  uint32_t ordinal = tag == WIRE_REF8 ? *d->at++ : decode_u32(d);
  decode_push_object(d, ordinal);
  if (!lua_isnil(d->L, -1)) return 0;
  return decode_fail(d, "reference to nothing");
}

int decode_stand_in(decoder *d) {
  lua_newtable(d->L);
  return 0;
}

static int decode_handle(decoder *d) {
  uint64_t word;
  if (decode_left(d) < sizeof word) return decode_fail(d, "truncated handle");
  memcpy(&word, d->at, sizeof word);
  d->at += sizeof word;
  int rc = -ENOSYS;
  if (d->flags & DECODE_INERT)
    rc = decode_stand_in(d);
  else if (d->handles != NULL)
    rc = d->handles->in(d->L, word, d->handles->context);
  if (rc == -ENOMEM) {
    lua_pushliteral(d->L, "not enough shared memory");
    return -ENOBUFS;
  }
  if (rc != 0) return decode_fail(d, "handle of nothing that is here");
  decode_adopt(d, d->objects++);
  return 0;
}

static int decode_globals_table(decoder *d) {
  lua_rawgeti(d->L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  decode_adopt(d, d->objects++);
  return 0;
}

int decode_open(decoder *d) {
  unsigned tag = *d->at++;
  switch (tag) {
  case WIRE_REF8:
  case WIRE_REF32: return decode_ref(d, tag);
  case WIRE_HANDLE: return decode_handle(d);
  case WIRE_FUNCTION: return decode_func_open(d);
  case WIRE_NAMED: return decode_named_open(d);
  case WIRE_OBJECT: return decode_object_open(d);
  case WIRE_GLOBALS: return decode_globals_table(d);
  default: return decode_table_open(d, tag);
  }
}

static int decode_graph(decoder *d) {
  lua_State *L = d->L;
  if (!lua_checkstack(L, DECODE_STACK)) return -ENOMEM;
  d->base = lua_gettop(L);
  d->objects = d->cells = d->depth = 0;
  d->frames = d->shallow;
  d->room = DECODE_SHALLOW;
  lua_settop(L, d->base + DECODE_CURRENT);
  int rc = decode_open(d);
  if (rc == DECODE_FRAME) rc = 0;
  while (rc == 0 && d->depth > 0) {
    assert(lua_gettop(L) == decode_slot(d, DECODE_CURRENT)); /* or DECODE_STACK would not do */
    rc = decode_step(d);
  }
  if (rc == 0) decode_set_globals(d);
  lua_replace(L, d->base + 1);
  lua_settop(L, d->base + 1);
  return rc;
}

/* The length of a message that could not be made into a value, 0 if it is none. */
static __attribute__((cold, noinline)) size_t decode_measure(lua_State *L, const char *bytes,
                                                             size_t size, unsigned flags,
                                                             const codec_handles *handles) {
  size_t length = 0;
  int top = lua_gettop(L);
  if (!(flags & DECODE_INERT) && lua_checkstack(L, 1))
    codec_decode(L, bytes, size, &length, flags | DECODE_INERT, handles);
  lua_settop(L, top);
  return length;
}

int codec_decode(lua_State *L, const char *bytes, size_t size, size_t *used, unsigned flags,
                 const codec_handles *handles) {
  decoder d; /* most of it is set up by decode_graph only */
  d.L = L;
  d.begin = d.at = (const uint8_t *)bytes;
  d.end = d.begin + size;
  d.budget = size;
  d.flags = flags;
  d.handles = handles;
  if (used != NULL) *used = 0;
  if (size == 0) return decode_fail(&d, "truncated");
  if (*d.at != WIRE_VERSION) return decode_fail(&d, "unknown format");
  d.at++;
  int rc = decode_scalar(&d);
  if (rc == 0)
    rc = decode_graph(&d);
  else if (rc == 1)
    rc = 0;
  if (used == NULL) return rc;
  if (rc == 0) *used = (size_t)(d.at - d.begin);
  if (codec_told(rc)) *used = decode_measure(L, bytes, size, flags, handles);
  return rc;
}
