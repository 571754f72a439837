/* The encoder's inside: one struct, a stack of frames, and what its files call each other by.
 *
 *   codec_encode   scalars at once; everything else:                           encode.c
 *   encode_open    a value on top of Lua's stack is written whole, or its frame begins
 *   ..._step       goes on with the innermost frame up to its next child or its end:
 *                    tables, metatables, __pack                                encode_table.c
 *                    functions, their upvalues and globals                     encode_func.c
 *   trail_refuse   names the way from the message's root to a culprit          trail.c
 *
 * What always holds:
 *  - CURRENT is the object of the innermost frame; those of the other frames, and of all that are
 *    done, are kept in OBJECTS at ordinal + 1. Nothing met dies, so no address comes twice.
 *  - Before a child is opened the frame's place is safe: pairs keep their key in KEYS[depth],
 *    functions the names of their globals, and all else fits the frame. A child may use Lua's
 *    stack above the slots as it likes.
 *  - OBJECTS is made for the second object: a single flat table sets nothing up. */
#ifndef MPHOST_CODEC_ENCODE_H
#define MPHOST_CODEC_ENCODE_H

#include "codec/memo.h"
#include "codec/names.h"
#include "codec/wire.h"

enum encode_slot {                  /* counted from the top of Lua's stack that the message found */
                   ENCODE_MEMO = 1, /* the memo's table */
                   ENCODE_FRAMES,   /* the frames, once they outgrow the struct */
                   ENCODE_OBJECTS,  /* ordinal + 1 -> object */
                   ENCODE_KEYS,     /* depth -> what the frame of that depth keeps */
                   ENCODE_SENT,     /* name -> true: the globals that this message brings along */
                   ENCODE_CURRENT,
};

enum encode_kind {
  ENCODE_LIST,
  ENCODE_PAIRS,
  ENCODE_META,
  ENCODE_OBJECT,
  ENCODE_UPVALUES,
  ENCODE_GLOBALS,
};

/* Beside 0 and -errno. */
enum encode_answer {
  ENCODE_DONE = 1, /* inside encode.c: the value is written and taken */
  ENCODE_RESTART,  /* a module was loaded since names were collected: what went by value may have
                      a name now, so the message is begun again */
  ENCODE_REFUSED,  /* it cannot be sent; the message is on top */
  ENCODE_STALE,    /* inside encode.c: its name leads elsewhere by now */
};

/* In the memo's values, beside ordinal + 1: the object's __pack is at work. */
#define ENCODE_PACKING 0x80000000u

typedef struct encode_frame {
  uint8_t kind;
  uint8_t meta;    /* table: a metatable follows */
  uint8_t started; /* pairs: KEYS holds the last key */
  uint8_t keyed;   /* pairs: that key is written, its value is not */
  uint32_t ordinal;
  uint32_t i, n;  /* children begun, and all: elements, upvalues, globals, metatable and value */
  uint32_t count; /* list: elements that are not nil; pairs: written; upvalues: globals to come */
  size_t patch;   /* pairs: where their count stands */
} encode_frame;

enum { ENCODE_SHALLOW = 16 };

typedef struct encoder {
  lua_State *L;
  wire_out out;
  const codec_handles *handles;
  names *names;
  int base; /* the slots are base + ENCODE_... */
  int names_fresh, may_restart;
  uint32_t objects, cells; /* met so far */
  uint32_t depth, room;    /* frames in use, and allocated */
  encode_frame *frames;
  memo memo;
  encode_frame shallow[ENCODE_SHALLOW];
} encoder;

static inline int encode_slot(const encoder *e, enum encode_slot slot) {
  return e->base + (int)slot;
}

/* Writes the value on top, or begins its frame; takes it. 0, RESTART, REFUSED, -errno. */
int encode_open(encoder *e);
/* The same for a value that stands as a metatable: more tables have a name for this use. */
int encode_open_metatable(encoder *e);
/* The object on top becomes CURRENT, its frame the innermost one; and back. */
encode_frame *encode_push(encoder *e, enum encode_kind kind, uint32_t ordinal);
void encode_pop(encoder *e);
/* KEYS[depth] = the value on top, which is taken; and pushed again. */
void encode_keep(encoder *e);
void encode_recall(encoder *e);

int encode_table_open(encoder *e, uint32_t ordinal);
int encode_table_step(encoder *e, encode_frame *f);
int encode_object_open(encoder *e, uint32_t ordinal); /* a table or userdata with __pack */
int encode_object_step(encoder *e, encode_frame *f);
int encode_func_open(encoder *e, uint32_t ordinal);
int encode_func_step(encoder *e, encode_frame *f);
/* Is the value on top what a fresh state has under this name, which is one of Lua's own? */
int encode_is_fresh(lua_State *L, const char *name, size_t size);
/* Of any global, whose value is on top: is it that? Does it go along with a function that reads it?
 */
int encode_global_is_standard(lua_State *L, const char *name, size_t size);
int encode_global_travels(lua_State *L, const char *name, size_t size);

/* Pushes "cannot send <way to the value on top>: <what>", what it is by itself when NULL.
 * ENCODE_REFUSED. */
int trail_refuse(encoder *e, const char *what);

#endif
