/* Messages that are one number or one string, read and written where they stand: most items and
 * results of calls are that, and so are many messages of queues. The bytes are codec_encode's; what
 * is something else, or not whole, is left to codec_encode and codec_decode, which also say what is
 * wrong with it. */
#ifndef MPHOST_CODEC_BRIEF_H
#define MPHOST_CODEC_BRIEF_H

#include "codec/wire.h"

enum {
  BRIEF_ROOM = 1024
}; /* what a caller may keep on its stack for brief_put: strings up to 1000
      bytes */

static inline int brief_put_string(lua_State *L, int index, codec_sink *sink) {
  size_t size;
  const char *bytes = lua_tolstring(L, index, &size);
  if ((size_t)(sink->end - sink->at) - WIRE_HEAD <= size) return 0;
  wire_set_byte(sink, WIRE_VERSION);
  wire_set_string_head(sink, size);
  wire_set_bytes(sink, bytes, size);
  return 1;
}

/* Writes the value at index if it is a number or a string and there is room: 1, else 0 and nothing
 * is written. */
static inline int brief_put(lua_State *L, int index, codec_sink *sink) {
  if (sink->end - sink->at <= WIRE_HEAD) return 0;
  if (lua_isinteger(L, index)) {
    wire_set_byte(sink, WIRE_VERSION);
    wire_set_int(sink, lua_tointegerx(L, index, NULL));
    return 1;
  }
  int type = lua_type(L, index);
  if (type == LUA_TSTRING) return brief_put_string(L, index, sink);
  if (type != LUA_TNUMBER) return 0;
  wire_set_byte(sink, WIRE_VERSION);
  wire_set_float(sink, lua_tonumberx(L, index, NULL));
  return 1;
}

#define BRIEF_NUMBER(type, push)                                                                   \
  do {                                                                                             \
    type value;                                                                                    \
    if (size < 2 + sizeof value) return 0;                                                         \
    memcpy(&value, bytes + 2, sizeof value);                                                       \
    push(L, value);                                                                                \
    return 2 + sizeof value;                                                                       \
  } while (0)

/* The string behind `head` bytes, if it is there. */
static inline size_t brief_push_string(lua_State *L, const char *bytes, size_t size, size_t head,
                                       size_t length) {
  if (size - head < length) return 0;
  lua_pushlstring(L, bytes + head, length);
  return head + length;
}

/* Pushes the number or string that a message at bytes[0..size) is: the message's length; 0: it is
 * something else, nothing pushed. The stack slot is the caller's to have. Raises Lua's memory
 * error. */
static inline size_t brief_push(lua_State *L, const char *bytes, size_t size) {
  if (size < 2 || (unsigned char)bytes[0] != WIRE_VERSION) return 0;
  unsigned tag = (unsigned char)bytes[1];
  if (tag < WIRE_LIST || tag >= WIRE_NEGATIVE) {
    lua_pushinteger(L, (int8_t)tag);
    return 2;
  }
  if ((tag & ~(unsigned)WIRE_SHORT) == WIRE_STRING)
    return brief_push_string(L, bytes, size, 2, tag & WIRE_SHORT);
  switch (tag) {
  case WIRE_INT8: BRIEF_NUMBER(int8_t, lua_pushinteger);
  case WIRE_INT16: BRIEF_NUMBER(int16_t, lua_pushinteger);
  case WIRE_INT32: BRIEF_NUMBER(int32_t, lua_pushinteger);
  case WIRE_INT64: BRIEF_NUMBER(int64_t, lua_pushinteger);
  case WIRE_FLOAT: BRIEF_NUMBER(double, lua_pushnumber);
  case WIRE_STRING8:
    return size < 3 ? 0 : brief_push_string(L, bytes, size, 3, (unsigned char)bytes[2]);
  case WIRE_STRING32: {
    uint32_t length;
    if (size < 2 + sizeof length) return 0;
    memcpy(&length, bytes + 2, sizeof length);
    return brief_push_string(L, bytes, size, 2 + sizeof length, length);
  }
  default: return 0;
  }
}

#undef BRIEF_NUMBER

/* codec_decode, by the short way where there is one. */
static inline int brief_decode(lua_State *L, const char *bytes, size_t size, size_t *used,
                               unsigned flags, const codec_handles *handles) {
  size_t length = brief_push(L, bytes, size);
  if (length == 0) return codec_decode(L, bytes, size, used, flags, handles);
  if (used != NULL) *used = length;
  return 0;
}

#endif
