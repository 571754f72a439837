/* The decoder's inside, the encoder's mirror: a stack of frames, each waiting for a value.
 *
 *   decode_step      reads the innermost frame's scalars in place, up to a child or its end
 *   decode_open      reads a value that is no scalar: pushes it, or begins a frame for it
 *   decode_deliver   gives the value on top to the innermost frame
 *
 * What always holds:
 *  - `at` never passes `end`, and nothing is allocated for a count before `budget` has paid for it.
 *  - CURRENT is the object of the innermost frame, nil as long as an __unpack has not made it;
 *    the others are in OBJECTS at ordinal + 1. A reference to what is not there is refused.
 *  - Functions stay where they were put in OBJECTS, so a cell, kept as ordinal * 256 + upvalue,
 *    always leads to a function with that many upvalues. */
#ifndef MPHOST_CODEC_DECODE_H
#define MPHOST_CODEC_DECODE_H

#include "codec/wire.h"

#include <errno.h>

enum decode_slot { /* counted from the top of Lua's stack that the message found */
                   DECODE_FRAMES = 1,
                   DECODE_OBJECTS,
                   DECODE_KEYS,  /* depth -> what the frame keeps: a key, a metatable, the name of a
                                    global */
                   DECODE_CELLS, /* ordinal + 1 -> ordinal of the function * 256 + index of the
                                    upvalue */
                   DECODE_GLOBALS, /* name -> value, to be set */
                   DECODE_CURRENT,
};

enum decode_kind {
  DECODE_LIST,
  DECODE_PAIRS,
  DECODE_META,
  DECODE_OBJECT,
  DECODE_UPVALUES,
  DECODE_GLOBAL,
};

typedef struct decode_frame {
  uint8_t kind;
  uint8_t meta;  /* table: a metatable follows */
  uint8_t keyed; /* KEYS holds the key, its value is awaited */
  uint32_t ordinal;
  uint32_t i, n; /* values delivered, and all */
} decode_frame;

enum { DECODE_SHALLOW = 16 };

/* Beside the caller's flags: runs nothing, looks for nothing, changes nothing; stand-ins are in the
 * place of what that would have made. Only to learn where the message ends. */
#define DECODE_INERT 0x80000000u

/* Beside 0 (the value is on top), -EBADMSG and -ENOBUFS. */
enum { DECODE_FRAME = 1 /* a frame has begun; the value comes later */ };

typedef struct decoder {
  lua_State *L;
  const uint8_t *at, *end, *begin;
  size_t budget; /* elements that containers may still announce */
  const codec_handles *handles;
  unsigned flags; /* the caller's, or also DECODE_INERT */
  int base;
  uint32_t objects, cells;
  uint32_t depth, room;
  decode_frame *frames;
  decode_frame shallow[DECODE_SHALLOW];
} decoder;

static inline int decode_slot(const decoder *d, enum decode_slot slot) {
  return d->base + (int)slot;
}

static inline size_t decode_left(const decoder *d) {
  return (size_t)(d->end - d->at);
}

static inline uint32_t decode_u32(decoder *d) { /* four bytes are known to be there */
  uint32_t word;
  memcpy(&word, d->at, sizeof word);
  d->at += sizeof word;
  return word;
}

/* Pushes the reason; -EBADMSG. */
int decode_fail(decoder *d, const char *reason);
int decode_stand_in(decoder *d); /* pushes one: 0 */
int decode_open(decoder *d);
/* Reads the next value, whatever it is, for the innermost frame. 0, -EBADMSG or -ENOBUFS. */
int decode_child(decoder *d);
int decode_deliver(decoder *d);
/* CURRENT is complete: delivers it to the frame around it, or leaves it on top as the result. */
int decode_finish(decoder *d);
/* The object on top, or a nil for one to come, becomes CURRENT. */
decode_frame *decode_push(decoder *d, enum decode_kind kind, uint32_t ordinal);
/* OBJECTS[ordinal + 1] = the value on top. */
void decode_adopt(decoder *d, uint32_t ordinal);
void decode_push_object(decoder *d, uint32_t ordinal); /* nil if there is none */
void decode_keep(decoder *d);                          /* KEYS[depth] = the value on top, taken */
void decode_recall(decoder *d);
void decode_set_globals(decoder *d);

/* Lists and records, and what they need in the end. */
int decode_table_open(decoder *d, unsigned tag);
int decode_table_step(decoder *d, decode_frame *f);
int decode_table_deliver(decoder *d, decode_frame *f);

/* What is code, or runs some: functions, things by name, objects by their __unpack. */
int decode_func_open(decoder *d);
int decode_func_step(decoder *d, decode_frame *f);
int decode_func_deliver(decoder *d, decode_frame *f);
int decode_named_open(decoder *d);
int decode_object_open(decoder *d);
int decode_object_step(decoder *d, decode_frame *f);
int decode_object_deliver(decoder *d, decode_frame *f);

static inline int decode_int(decoder *d, unsigned tag) {
  static const uint8_t widths[] = {1, 2, 4, 8};
  size_t width = widths[tag - WIRE_INT8];
  if (decode_left(d) < 1 + width) return decode_fail(d, "truncated integer");
  uint64_t word = 0;
  memcpy(&word, d->at + 1, width);
  unsigned shift = 64 - 8 * (unsigned)width;
  lua_pushinteger(d->L, (int64_t)(word << shift) >> shift);
  d->at += 1 + width;
  return 1;
}

static inline int decode_string(decoder *d, size_t head, uint64_t size) {
  if (decode_left(d) < head || decode_left(d) - head < size)
    return decode_fail(d, "truncated string");
  lua_pushlstring(d->L, (const char *)d->at + head, (size_t)size);
  d->at += head + size;
  return 1;
}

int decode_long_string(decoder *d, unsigned tag);

/* Pushes the next value if it is a scalar or a string: 1; 0 it is something else, of which no byte
 * was taken; -EBADMSG. */
static inline int decode_scalar(decoder *d) {
  if (d->at == d->end) return decode_fail(d, "truncated");
  unsigned tag = *d->at;
  if (tag < WIRE_LIST || tag >= WIRE_NEGATIVE) {
    lua_pushinteger(d->L, (int8_t)tag);
    d->at++;
    return 1;
  }
  if ((tag & ~(unsigned)WIRE_SHORT) == WIRE_STRING) return decode_string(d, 1, tag & WIRE_SHORT);
  switch (tag) {
  case WIRE_NIL: lua_pushnil(d->L); break;
  case WIRE_FALSE:
  case WIRE_TRUE: lua_pushboolean(d->L, tag == WIRE_TRUE); break;
  case WIRE_NULL: lua_pushlightuserdata(d->L, NULL); break;
  case WIRE_FLOAT: {
    double value;
    if (decode_left(d) < 1 + sizeof value) return decode_fail(d, "truncated float");
    memcpy(&value, d->at + 1, sizeof value);
    lua_pushnumber(d->L, value);
    d->at += sizeof value;
    break;
  }
  case WIRE_INT8:
  case WIRE_INT16:
  case WIRE_INT32:
  case WIRE_INT64: return decode_int(d, tag);
  case WIRE_STRING8:
  case WIRE_STRING32:
  case WIRE_STRING64: return decode_long_string(d, tag);
  default: return 0;
  }
  d->at++;
  return 1;
}

#endif
