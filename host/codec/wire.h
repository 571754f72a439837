/* The format's bytes by name, and the only code that writes to a sink.
 *
 * codec.h draws the format; this file adds what both directions share. Writing goes through
 * `wire_out`, which knows where in the sink this message began: the bytes before `at` may move
 * when the sink makes room, so places already written are kept as distances from the start. */
#ifndef MPHOST_CODEC_WIRE_H
#define MPHOST_CODEC_WIRE_H

#include "codec/codec.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the format is little endian, and so must the machine be"
#endif

enum wire_tag {
  WIRE_LIST = 0x80,
  WIRE_VERSION = 0x91, /* a message's first byte; not a tag */
  WIRE_STRING = 0xa0,
  WIRE_NIL = 0xc0,
  WIRE_FALSE,
  WIRE_TRUE,
  WIRE_NULL,
  WIRE_FLOAT,
  WIRE_INT8,
  WIRE_INT16,
  WIRE_INT32,
  WIRE_INT64,
  WIRE_STRING8,
  WIRE_STRING32,
  WIRE_STRING64,
  WIRE_LIST8,
  WIRE_LIST32,
  WIRE_RECORD,
  WIRE_INTS8, /* the four widths stand in the order of WIRE_INT8.. */
  WIRE_INTS16,
  WIRE_INTS32,
  WIRE_INTS64,
  WIRE_FLOATS,
  WIRE_END,
  WIRE_PAIRS,
  WIRE_REF8,
  WIRE_REF32,
  WIRE_META,
  WIRE_OBJECT,
  WIRE_HANDLE,
  WIRE_FUNCTION,
  WIRE_NAMED,
  WIRE_GLOBALS,
  WIRE_NEGATIVE = 0xe0,
};

enum {
  WIRE_SHORT = 31, /* longest string whose length fits its tag */
  WIRE_FEW = 15,   /* longest list whose length fits its tag */
  WIRE_HEAD = 16,  /* room asked for ahead of any scalar: the longest one but strings, rounded up */
  WIRE_RUN = 1024, /* most numbers in one piece */
  WIRE_NAMED_TABLE = 't',
  WIRE_NAMED_FUNCTION = 'f',
  WIRE_PATH_MOST = 4, /* fields from a module to what a name stands for; fits a list's tag */
  WIRE_CELL_NEW = 0,
  WIRE_CELL_REF = 1,
};

typedef struct wire_out {
  codec_sink *sink;
  size_t written; /* up to the last call of `more`; see wire_length */
  char *since;    /* where `at` stood then */
} wire_out;

static inline void wire_begin(wire_out *out, codec_sink *sink) {
  *out = (wire_out){sink, 0, sink->at};
}

/* Bytes of this message so far. */
static inline size_t wire_length(const wire_out *out) {
  return out->written + (size_t)(out->sink->at - out->since);
}

static inline char *wire_place(const wire_out *out, size_t offset) {
  return out->sink->at - (wire_length(out) - offset);
}

/* Takes back what was written after the first `length` bytes. */
static inline void wire_rewind(wire_out *out, size_t length) {
  out->sink->at = wire_place(out, length);
  out->written = length;
  out->since = out->sink->at;
}

int wire_more(wire_out *out, size_t need);

static inline int wire_room(wire_out *out, size_t need) {
  if (__builtin_expect((size_t)(out->sink->end - out->sink->at) >= need, 1)) return 0;
  return wire_more(out, need);
}

/* wire_set_...: the caller has made room. */
static inline void wire_set_byte(codec_sink *sink, unsigned byte) {
  *sink->at++ = (char)byte;
}

static inline void wire_set_bytes(codec_sink *sink, const void *bytes, size_t size) {
  memcpy(sink->at, bytes, size);
  sink->at += size;
}

static inline void wire_set_u32(codec_sink *sink, uint32_t word) {
  wire_set_bytes(sink, &word, sizeof word);
}

static inline void wire_set_int(codec_sink *sink, int64_t value) {
  if (value >= -32 && value < 128) {
    wire_set_byte(sink, (unsigned)value & 0xff);
    return;
  }
  unsigned width = value == (int8_t)value    ? 0
                   : value == (int16_t)value ? 1
                   : value == (int32_t)value ? 2
                                             : 3;
  wire_set_byte(sink, WIRE_INT8 + width);
  memcpy(sink->at, &value, sizeof value); /* all eight: the room is there, the tail is not kept */
  sink->at += (size_t)1 << width;
}

static inline void wire_set_float(codec_sink *sink, double value) {
  wire_set_byte(sink, WIRE_FLOAT);
  wire_set_bytes(sink, &value, sizeof value);
}

static inline void wire_set_string_head(codec_sink *sink, size_t size) {
  if (size <= WIRE_SHORT) {
    wire_set_byte(sink, WIRE_STRING | (unsigned)size);
  } else if (size <= UINT8_MAX) {
    wire_set_byte(sink, WIRE_STRING8);
    wire_set_byte(sink, (unsigned)size);
  } else if (size <= UINT32_MAX) {
    wire_set_byte(sink, WIRE_STRING32);
    wire_set_u32(sink, (uint32_t)size);
  } else {
    uint64_t wide = size;
    wire_set_byte(sink, WIRE_STRING64);
    wire_set_bytes(sink, &wide, sizeof wide);
  }
}

static inline void wire_set_ref(codec_sink *sink, uint32_t ordinal) {
  wire_set_byte(sink, ordinal <= UINT8_MAX ? WIRE_REF8 : WIRE_REF32);
  if (ordinal <= UINT8_MAX)
    wire_set_byte(sink, ordinal);
  else
    wire_set_u32(sink, ordinal);
}

static inline int wire_put_byte(wire_out *out, unsigned byte) {
  int rc = wire_room(out, 1);
  if (rc == 0) wire_set_byte(out->sink, byte);
  return rc;
}

static inline int wire_put_bytes(wire_out *out, const void *bytes, size_t size) {
  int rc = wire_room(out, size);
  if (rc == 0) wire_set_bytes(out->sink, bytes, size);
  return rc;
}

static inline int wire_put_string(wire_out *out, const char *bytes, size_t size) {
  int rc = wire_room(out, size + WIRE_HEAD);
  if (rc != 0) return rc;
  wire_set_string_head(out->sink, size);
  if (__builtin_expect(size >= CODEC_LARGE, 0) && out->sink->fill) {
    out->sink->fill(out->sink, bytes, size);
    out->sink->at += size;
    return 0;
  }
  wire_set_bytes(out->sink, bytes, size);
  return 0;
}

/* The value at index if it is a scalar or a string: 1 written, 0 it is something else, -errno. */
static inline int wire_put_scalar(wire_out *out, lua_State *L, int index, int type) {
  if (type == LUA_TSTRING) {
    size_t size;
    const char *bytes = lua_tolstring(L, index, &size);
    int rc = wire_put_string(out, bytes, size);
    return rc != 0 ? rc : 1;
  }
  int rc = wire_room(out, WIRE_HEAD);
  if (rc != 0) return rc;
  switch (type) {
  case LUA_TNUMBER:
    if (lua_isinteger(L, index))
      wire_set_int(out->sink, lua_tointegerx(L, index, NULL));
    else
      wire_set_float(out->sink, lua_tonumberx(L, index, NULL));
    return 1;
  case LUA_TBOOLEAN:
    wire_set_byte(out->sink, lua_toboolean(L, index) ? WIRE_TRUE : WIRE_FALSE);
    return 1;
  case LUA_TNIL: wire_set_byte(out->sink, WIRE_NIL); return 1;
  case LUA_TLIGHTUSERDATA:
    if (lua_touserdata(L, index) != NULL) return 0;
    wire_set_byte(out->sink, WIRE_NULL);
    return 1;
  default: return 0;
  }
}

/* Damage to bytecode must not reach lua_load. Every step is a bijection of the state for a given
 * word and of the word for a given state, so changed bytes within one word always change the
 * result. */
uint64_t wire_hash(const char *bytes, size_t size);

#endif
