/* The items of a chunk, as bytes, one behind the other.

     item   message                    a number or a string (codec/brief.h): its head says how long
            02, 8 bytes, message       all else: how long it is, then so many bytes

   What a dead worker leaves of a chunk is given out again as it was sent, not as it is by now. So
   where an item ends must be known without decoding it: that would run the program's code, and may
   be what the worker died of. A call's arguments (values.h) are the only item of their chunk, whole
   as they are. */
#ifndef BIND_ITEM_H
#define BIND_ITEM_H

#include "bind/arena.h"

#define ITEM_FRAME 2 /* neither a message nor a call's values begin so */
#define ITEM_HEAD 9

/* Appends the value at index: as arena_encode. */
int item_put_whole(lua_State *L, struct arena *arena, int index);
static inline int item_put(lua_State *L, struct arena *arena, int index) {
  return brief_put(L, index, &arena->sink) ? 0 : item_put_whole(L, arena, index);
}

/* Bytes of the item that begins here; 0: none does. */
size_t item_size(const char *at, size_t left);

/* How many of these bytes stand before the item's message. */
static inline size_t item_head(const char *at, size_t left) {
  return left > ITEM_HEAD && *at == ITEM_FRAME ? ITEM_HEAD : 0;
}

#endif
