/* Messages that are one number, read and written where they stand: most items and results of calls
 * are numbers, and so are many messages of queues. The bytes are codec_encode's; what is no number,
 * or not whole, is left to codec_encode and codec_decode, which also say what is wrong with it. */
#ifndef MPHOST_CODEC_NUMBER_H
#define MPHOST_CODEC_NUMBER_H

#include "codec/wire.h"

/* Writes the value at index if it is a number and there is room: 1, else 0 and nothing is written.
 */
static inline int number_put(lua_State *L, int index, codec_sink *sink) {
  if (sink->end - sink->at <= WIRE_HEAD) return 0;
  if (lua_isinteger(L, index)) {
    wire_set_byte(sink, WIRE_VERSION);
    wire_set_int(sink, lua_tointegerx(L, index, NULL));
    return 1;
  }
  if (lua_type(L, index) != LUA_TNUMBER) return 0;
  wire_set_byte(sink, WIRE_VERSION);
  wire_set_float(sink, lua_tonumberx(L, index, NULL));
  return 1;
}

#define NUMBER_READ(type, push)                                                                    \
  do {                                                                                             \
    type value;                                                                                    \
    if (size < 2 + sizeof value) return 0;                                                         \
    memcpy(&value, bytes + 2, sizeof value);                                                       \
    push(L, value);                                                                                \
    return 2 + sizeof value;                                                                       \
  } while (0)

/* Pushes the number that a message at bytes[0..size) is: the message's length; 0: it is something
 * else, nothing pushed. The stack slot is the caller's to have. */
static inline size_t number_push(lua_State *L, const char *bytes, size_t size) {
  if (size < 2 || (unsigned char)bytes[0] != WIRE_VERSION) return 0;
  unsigned tag = (unsigned char)bytes[1];
  if (tag < WIRE_LIST || tag >= WIRE_NEGATIVE) {
    lua_pushinteger(L, (int8_t)tag);
    return 2;
  }
  switch (tag) {
  case WIRE_INT8: NUMBER_READ(int8_t, lua_pushinteger);
  case WIRE_INT16: NUMBER_READ(int16_t, lua_pushinteger);
  case WIRE_INT32: NUMBER_READ(int32_t, lua_pushinteger);
  case WIRE_INT64: NUMBER_READ(int64_t, lua_pushinteger);
  case WIRE_FLOAT: NUMBER_READ(double, lua_pushnumber);
  default: return 0;
  }
}

#undef NUMBER_READ

/* codec_decode, by the short way where the message is a number. */
static inline int number_decode(lua_State *L, const char *bytes, size_t size, size_t *used,
                                unsigned flags, const codec_handles *handles) {
  size_t length = number_push(L, bytes, size);
  if (length == 0) return codec_decode(L, bytes, size, used, flags, handles);
  if (used != NULL) *used = length;
  return 0;
}

#endif
