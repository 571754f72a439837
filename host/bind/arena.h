/* Where a job's bytes are encoded: blocks that the job owns, filled one message after the other.

   A run is the bytes of one chunk; it always lies in one piece. When a run outgrows its block it
   moves to a larger one. Blocks belong to the job from their first instant (heap.h), so whoever
   writes may die: they go when the job goes. */
#ifndef BIND_ARENA_H
#define BIND_ARENA_H

#include "bind/parcel.h"
#include "codec/brief.h"

struct arena {
  codec_sink sink;
  uint64_t job;
  char *run;             /* where the current run begins */
  size_t room;           /* of the current block */
  struct parcel carried; /* objects whose handles are in the run; its bytes are not used */
};

void arena_init(struct arena *arena, uint64_t job);
/* Uses the job's spare room first: only by the parent before it posts the job, then by who works on
 * its one chunk. The parent leaves the rest with arena_leave. */
void arena_borrow(struct arena *arena);
void arena_leave(const struct arena *arena);
void arena_fini(struct arena *arena);

/* Begins a run where the last one ended. */
void arena_begin(struct arena *arena);

/* Takes back what the current run has beyond `size` bytes, after an error in mid-work. */
void arena_rewind(struct arena *arena, size_t size);

/* Appends the value at index: 0, -EINVAL with a message pushed, -errno. On failure nothing is
 * appended. */
int arena_encode_whole(lua_State *L, struct arena *arena, int index);
static inline int arena_encode(lua_State *L, struct arena *arena, int index) {
  return brief_put(L, index, &arena->sink) ? 0 : arena_encode_whole(L, arena, index);
}

/* Appends a byte, or bytes as they are: 0 or -errno. */
int arena_byte(struct arena *arena, char byte);
int arena_bytes(struct arena *arena, const char *bytes, size_t size);

/* Gives the job holds on what the run carries: 0 or -ENOMEM. Before others may read the run. */
int arena_hold(struct arena *arena);

/* The run is complete: where it lies in the region, its bytes; then as arena_hold. */
int arena_end(struct arena *arena, uint64_t *offset, uint64_t *size);

static inline size_t arena_size(const struct arena *arena) {
  return (size_t)(arena->sink.at - arena->run);
}

#endif
