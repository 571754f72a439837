/* The bytes of a queue: records in a ring, where the next one goes, and how the ring grows.

   Only queue.c looks in here; whose lock guards what stands in queue.h. Positions count units of 8
   bytes and run on; the words tail and head hold a position and a count of messages. */
#ifndef SHM_RING_H
#define SHM_RING_H

#include "shm/queue.h"

#define CLOSED ((uint64_t)1 << 63)
#define COUNT_MASK QUEUE_COUNT

enum { RECORD_BYTES = 1, RECORD_BLOCK, RECORD_SKIP };

static inline uint32_t position(uint64_t word) {
  return (uint32_t)word;
}

static inline uint32_t count(uint64_t word) {
  return (uint32_t)(word >> 32) & COUNT_MASK;
}

static inline uint64_t advanced(uint64_t word, uint32_t units) {
  uint64_t messages = (count(word) + 1) & COUNT_MASK;
  return (word & CLOSED) | messages << 32 | (uint32_t)(position(word) + units);
}

/* Of a record with so much payload. */
static inline uint32_t units_of(size_t bytes) {
  return 1 + (uint32_t)((bytes + 7) / 8);
}

static inline struct record *record_at(const struct queue *q, uint32_t where) {
  return (struct record *)((char *)heap_payload(q->ring) + 8 * (where & q->mask));
}

/* By the counts, which stay when the ring grows and positions begin anew. */
static inline int is_empty(uint64_t tail, uint64_t head) {
  return count(tail) == count(head);
}

/* How many units must be skipped before `units` lie in one piece at the position, and whether both
 * fit: the skip, or -1. */
static inline int64_t ring_fit(const struct queue *q, uint32_t at, uint32_t units) {
  uint32_t size = (uint32_t)q->mask + 1, to_end = size - (at & (uint32_t)q->mask);
  uint32_t skip = units > to_end ? to_end : 0;
  return at - position(q->head_seen) + skip + units <= size ? (int64_t)skip : -1;
}

/* Holding `put`: makes the ring have `units` in one piece at its tail: how many units must be
   skipped first, or -ENOMEM, -ETIMEDOUT. An empty ring always has them: skip and message together
   are less than twice QUEUE_INLINE. Before it grows, some microseconds are given to a consumer that
   is at it. A stopped consumer that holds its end of a full ring is waited for until the deadline,
   a slice at least. */
int64_t ring_make_room(struct queue *q, uint64_t queue, uint32_t units, int64_t deadline);

/* The same, at once where nothing has to be made. */
static inline int64_t ring_room(struct queue *q, uint64_t queue, uint32_t units, int64_t deadline) {
  uint32_t at = position(atomic_load_explicit(&q->tail, memory_order_relaxed));
  int64_t skip = ring_fit(q, at, units);
  if (__builtin_expect(skip >= 0, 1)) return skip;
  return ring_make_room(q, queue, units, deadline);
}

/* Writes what leads over the skipped units. */
static inline void ring_skip(struct queue *q, uint32_t at, uint32_t units) {
  if (units) *record_at(q, at) = (struct record){.size = 8 * (units - 1), .kind = RECORD_SKIP};
}

/* A message in the ring: after `skip` units, `units` long with its header; record NULL: the bytes
   are no record of ours. */
struct found {
  const struct record *record;
  uint32_t skip, units;
};

/* Holding `get`, by the tail last seen: the message at a position of the ring. Sizes are believed
   only as far as the tail, so nothing behind it is read. */
struct found ring_find(const struct queue *q, uint64_t head);

static inline struct found ring_first(const struct queue *q, uint64_t head) {
  struct found f = {record_at(q, position(head)), 0, 0};
  f.units = units_of(f.record->size);
  if (__builtin_expect(f.record->kind == RECORD_BYTES, 1) &&
      f.units <= position(q->tail_seen) - position(head))
    return f;
  return ring_find(q, head);
}

/* Holding `get`: no message is left, yet the tail last seen is elsewhere: the size of the last one
   was not what its producer wrote. Goes there. */
static inline void ring_realign(struct queue *q, uint64_t head) {
  if (position(head) != position(q->tail_seen))
    atomic_store_explicit(&q->head, q->tail_seen & ~CLOSED, memory_order_release);
}

/* Holding `get`: foreign bytes are in the ring: takes out the first message if the sizes of all
   still add up, else all up to the tail last seen. -EBADMSG. Blocks among them stay the queue's. */
int ring_lose(struct queue *q);

/* What to do after a lock of a queue was taken (or was not: rc < 0): a dead owner may have
   committed a transaction that nobody has carried out yet. rc, or 0. */
int ring_taken(int rc);

#endif
