/* What came of one item, as bytes: a message of the codec's with the result, or a call's values
   (values.h), or the byte FAILED and a message with a record {message =, traceback =, value =} of
   the failure. */
#ifndef BIND_OUTCOME_H
#define BIND_OUTCOME_H

#include "bind/arena.h"

/* Pushes what was raised as text: as tostring does, unless the value's __tostring fails. Raises
 * memory errors only. */
void outcome_text(lua_State *L, int index);

/* A message handler for lua_pcall: the error becomes a record. */
int outcome_handler(lua_State *L);

/* The error on top, which no handler has seen (Lua calls none when memory is short), becomes a
 * record; kind NULL: it is the default one. */
void outcome_record(lua_State *L, const char *kind);

/* Appends the value on top of the stack as the result (failed 0) or the record of a failure, and
   pops it. A result or a value in a record that cannot be sent becomes a failure that says so. 0,
   or -errno: no memory. Returns 1 when it was written as a failure. */
int outcome_encode(lua_State *L, struct arena *arena, int failed);

/* Whether the outcome that begins here is a failure. */
int outcome_failed(const char *at);

/* Reads one and pushes the result or the record: 0 a result, 1 a failure, which a result is, too,
 * that cannot be made here (its __unpack failed). Raises when the bytes are none. */
int outcome_decode_whole(lua_State *L, const char **at, size_t *left, const codec_handles *handles);
static inline int outcome_decode(lua_State *L, const char **at, size_t *left,
                                 const codec_handles *handles) {
  size_t used = brief_push(L, *at, *left);
  if (used == 0) return outcome_decode_whole(L, at, left, handles);
  *at += used;
  *left -= used;
  return 0;
}

#endif
