/* A value as bytes on its way out of this process, with the objects whose handles are in it.

   Small values are encoded into memory of this process and copied from there. What outgrows
   PARCEL_SMALL goes on in a block of shared memory, which is handed over as it is: large messages
   are written once and read where they stand. A parcel's block is in this process's ledger.

   Each thread has a parcel of its own that is used again and again. Encoding may run Lua code
   (__pack), which may send something itself: it gets a fresh parcel then. A use that was left by an
   error is known by its stack frame, which is gone. */
#ifndef BIND_PARCEL_H
#define BIND_PARCEL_H

#include "bind/bind.h"

#define PARCEL_SMALL ((size_t)64 << 10)

struct parcel {
  codec_sink sink;
  struct buffer bytes;
  uint64_t block; /* 0: what is encoded is in bytes */
  uint64_t maker; /* of the block, as family_id: who is forked while it is encoded has a copy */
  uint64_t *objects;
  size_t carried, room;
};

/* A parcel that is empty: the thread's own or, where that is in use further up, a fresh one pushed
 * on the stack. */
struct parcel *parcel_open(lua_State *L);
void parcel_close(struct parcel *parcel);

/* Makes it empty and the sink ready for a codec. */
codec_sink *parcel_sink(struct parcel *parcel);

/* Encodes the value at index into the parcel, which is empty: its size. Raises with the culprit's
 * path. */
size_t parcel_encode(lua_State *L, struct parcel *parcel, int index);
/* The same of a piece of what is sent: its key in that is at `key`, for the path; 0: it is all. */
size_t parcel_encode_of(lua_State *L, struct parcel *parcel, int index, int key);

/* How a sink in a block of shared memory copies large strings. */
typedef void parcel_filler(codec_sink *sink, const char *bytes, size_t size);
parcel_filler *parcel_fill(int fresh); /* heap_alloc_fresh's answer */

static inline const char *parcel_bytes(const struct parcel *parcel) {
  return parcel->block ? (const char *)heap_payload(parcel->block) : parcel->bytes.data;
}

/* Whether it must travel in a block. */
static inline int parcel_is_large(const struct parcel *parcel, size_t size) {
  return parcel->carried || size > QUEUE_INLINE;
}

/* A block of this process's ledger with the parcel's bytes and holds on what it carries: its
 * offset, or 0: no memory. */
uint64_t parcel_block(struct parcel *parcel, size_t size);

/* One more object whose handle is in it: 0 or -ENOMEM. */
int parcel_carry(struct parcel *parcel, uint64_t object);
/* Gives a block holds on the objects: 0 or -ENOMEM. */
int parcel_holds(const struct parcel *parcel, uint64_t block);

/* Decodes and pushes what a block says; drops the block unless PARCEL_KEEP, also when it raises.
   PARCEL_START: as the first thing that a fresh process hears, whose globals are the sender's. */
enum { PARCEL_KEEP = 1, PARCEL_START = 2 };
void parcel_unpack(lua_State *L, uint64_t block, int how);

/* The same, but what would be raised is pushed: 0, -EBADMSG, or what may be over later:
 * -ENOBUFS, no shared memory, -ENOMEM, none of Lua's. parcel_raise raises it. */
int parcel_try(lua_State *L, uint64_t block, int how);
int parcel_raise(lua_State *L, int rc);

/* For memory that is used again and again as a parcel is: whether `frame` says that somebody
   further up the stack uses it. If not, it is marked. Stacks grow downwards on both machines. */
static inline int parcel_in_use(const void **frame) {
  const void *here = __builtin_frame_address(0);
  if (*frame && here < *frame) return 1;
  *frame = here;
  return 0;
}

#endif
