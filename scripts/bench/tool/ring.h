/* A ring for one producer and one consumer in shared memory: the fastest way there is from one
   process to another. Each side keeps what it last read of the other's position, and publishes
   every message. It only spins, cannot grow, and whoever dies in it hangs the other. */
#ifndef RING_H
#define RING_H

#include "tool/bench.h"

#define RING_BYTES (1u << 16)
#define RING_PART 16384u /* of a message that does not fit */

struct ring {
  _Atomic uint64_t tail BENCH_LINE; /* bytes ever put */
  uint64_t head_seen;
  _Atomic uint64_t head BENCH_LINE; /* bytes ever got */
  uint64_t tail_seen;
  char data[RING_BYTES] BENCH_LINE;
};

static inline struct ring *ring_new(void) {
  return bench_shared(sizeof(struct ring));
}

/* size: the same power of two in every call of one ring. */
static inline void ring_put(struct ring *r, const void *message, size_t size) {
  uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
  while (tail - r->head_seen >= RING_BYTES) {
    r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
    if (tail - r->head_seen >= RING_BYTES) bench_pause();
  }
  memcpy(r->data + tail % RING_BYTES, message, size);
  atomic_store_explicit(&r->tail, tail + size, memory_order_release);
}

static inline void ring_get(struct ring *r, void *message, size_t size) {
  uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
  while (head == r->tail_seen) {
    r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
    if (head == r->tail_seen) bench_pause();
  }
  memcpy(message, r->data + head % RING_BYTES, size);
  atomic_store_explicit(&r->head, head + size, memory_order_release);
}

/* Messages of any power of two, in parts. */
static inline void ring_send(struct ring *r, const char *message, size_t size) {
  for (size_t at = 0; at < size; at += RING_PART)
    ring_put(r, message + at, size < RING_PART ? size : RING_PART);
}

static inline void ring_receive(struct ring *r, char *message, size_t size) {
  for (size_t at = 0; at < size; at += RING_PART)
    ring_get(r, message + at, size < RING_PART ? size : RING_PART);
}

#endif
