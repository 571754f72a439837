/* Where an item ends: see item.h. */
#include "bind/item.h"

#include <string.h>

#include "codec/wire.h"

/* Room for a head, which is filled in when the message is there. */
static int begin_frame(struct arena *arena) {
  codec_sink *sink = &arena->sink;
  if ((size_t)(sink->end - sink->at) < ITEM_HEAD) {
    int rc = sink->more(sink, ITEM_HEAD);
    if (rc < 0) return rc;
  }
  *sink->at = ITEM_FRAME;
  sink->at += ITEM_HEAD;
  return 0;
}

int item_put_whole(lua_State *L, struct arena *arena, int index) {
  int type = lua_type(L, index);
  if (type == LUA_TNUMBER || type == LUA_TSTRING) return arena_encode_whole(L, arena, index);
  size_t before = arena_size(arena);
  int rc = begin_frame(arena);
  if (rc == 0) rc = arena_encode_whole(L, arena, index);
  if (rc < 0) {
    arena->sink.at = arena->run + before;
    return rc;
  }
  uint64_t size = arena_size(arena) - before - ITEM_HEAD;
  memcpy(arena->run + before + 1, &size, sizeof size);
  return 0;
}

/* The word of `width` bytes behind the first `head`, or all ones when it is not there. */
static uint64_t word_at(const char *at, size_t left, size_t head, size_t width) {
  uint64_t word = 0;
  if (left < head + width) return UINT64_MAX;
  memcpy(&word, at + head, width); /* little endian */
  return word;
}

static size_t with_body(size_t left, size_t head, uint64_t length) {
  return left >= head && left - head >= length ? head + (size_t)length : 0;
}

size_t item_size(const char *at, size_t left) {
  if (left < 2) return 0;
  if (*at == ITEM_FRAME) return with_body(left, ITEM_HEAD, word_at(at, left, 1, 8));
  if ((unsigned char)*at != WIRE_VERSION) return 0;
  unsigned tag = (unsigned char)at[1];
  if (tag < WIRE_LIST || tag >= WIRE_NEGATIVE) return 2;
  if ((tag & ~(unsigned)WIRE_SHORT) == WIRE_STRING) return with_body(left, 2, tag & WIRE_SHORT);
  switch (tag) {
  case WIRE_INT8:
  case WIRE_INT16:
  case WIRE_INT32:
  case WIRE_INT64: return with_body(left, 2, (uint64_t)1 << (tag - WIRE_INT8));
  case WIRE_FLOAT: return with_body(left, 2, sizeof(double));
  case WIRE_STRING8: return with_body(left, 3, word_at(at, left, 2, 1));
  case WIRE_STRING32: return with_body(left, 6, word_at(at, left, 2, 4));
  case WIRE_STRING64: return with_body(left, 10, word_at(at, left, 2, 8));
  default: return 0;
  }
}
