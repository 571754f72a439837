/* The ring of a queue: see ring.h. */
#include "shm/ring.h"

#include <errno.h>
#include <string.h>

#include "os/clock.h"
#include "os/futex.h"
#include "shm/family.h"
#include "shm/journal.h"
#include "shm/object.h"

/* How a producer waits for a consumer of a full ring: so many looks, with so many pauses (some 25
   ns each) between them, of which so many in a row at a head that does not move. */
enum { LOOKS = 200, PAUSES = 8, STILL = 25 };

_Static_assert(2 * (QUEUE_INLINE + 16) <= QUEUE_FIRST_RING, "an empty ring has room for a message");

int ring_taken(int rc) {
  if (rc != ROBUST_DIED) return rc;
  journal_lock();
  journal_unlock();
  return 0;
}

struct found ring_find(const struct queue *q, uint64_t head) {
  uint32_t there = position(q->tail_seen) - position(head);
  struct found f = {record_at(q, position(head)), 0, 0};
  while ((f.units = units_of(f.record->size)) < there && f.record->kind == RECORD_SKIP) {
    f.skip += f.units;
    there -= f.units;
    f.record = record_at(q, position(head) + f.skip);
  }
  if (f.units > there || (f.record->kind != RECORD_BYTES && f.record->kind != RECORD_BLOCK))
    f.record = NULL;
  return f;
}

/* Whether from this head on there are records of ours up to the tail and nothing else. */
static int is_sound(const struct queue *q, uint64_t head) {
  while (!is_empty(q->tail_seen, head)) {
    struct found f = ring_find(q, head);
    if (!f.record) return 0;
    head = advanced(head, f.skip + f.units);
  }
  return position(head) == position(q->tail_seen);
}

int ring_lose(struct queue *q) {
  uint64_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
  struct found f = ring_find(q, head);
  uint64_t next = advanced(head, f.skip + f.units);
  if (f.units > position(q->tail_seen) - position(head) - f.skip || !is_sound(q, next))
    next = q->tail_seen & ~CLOSED;
  atomic_store_explicit(&q->head, next, memory_order_release); /* as of any get */
  return -EBADMSG;
}

static void copy_records(const struct queue *q, uint64_t ring, uint32_t from, uint32_t units) {
  uint32_t start = from & (uint32_t)q->mask, size = (uint32_t)q->mask + 1;
  uint32_t first = units < size - start ? units : size - start;
  char *old = heap_payload(q->ring), *new = heap_payload(ring);
  memcpy(new, old + 8 * (size_t)start, 8 * (size_t)first);
  memcpy(new + 8 * (size_t)first, old, 8 * (size_t)(units - first));
}

/* A SKIP that stood at the old ring's end stands in the middle now and must say how far it leads:
 * its size does. */
static void switch_ring(struct queue *q, uint64_t ring, uint64_t queue, size_t bytes) {
  uint64_t old = q->ring;
  journal_lock();
  uint64_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed),
           head = atomic_load_explicit(&q->head, memory_order_relaxed);
  uint32_t units = position(tail) - position(head);
  copy_records(q, ring, position(head), units);
  uint64_t new_head = head & ~(uint64_t)UINT32_MAX,
           new_tail = (tail & ~(uint64_t)UINT32_MAX) | units;
  list_remove(&block_at(ring)->link);
  list_insert(&block_at(queue)->owned, &block_at(ring)->link);
  list_remove(&block_at(old)->link);
  list_insert(family_ledger(), &block_at(old)->link);
  journal_set(&q->ring, ring);
  journal_set(&q->mask, bytes / 8 - 1);
  journal_set(&q->head_seen, new_head);
  journal_set(&q->tail_seen, new_tail);
  journal_set((uint64_t *)&q->head, new_head);
  journal_set((uint64_t *)&q->tail, new_tail);
  journal_commit();
  journal_unlock();
  object_drop(old);
}

/* Holding `put`: a ring twice as large, with the same messages. 0, -ENOMEM, or -EBUSY: a consumer
   holds its end. That one may have emptied the ring by now and sleep for a message: then there is
   room without us growing. */
static int grow(struct queue *q, uint64_t queue) {
  size_t bytes = (q->mask + 1) * 16;
  if (bytes > (size_t)16 << 30) return -ENOMEM; /* positions are 32 bits of 8 bytes */
  if (ring_taken(robust_lock_until(&q->get, clock_now() + 1000000)) < 0) return -EBUSY;
  uint64_t ring = heap_alloc(bytes, BLOCK_DATA, family_ledger());
  if (ring) switch_ring(q, ring, queue, bytes);
  robust_unlock(&q->get);
  return ring ? 0 : -ENOMEM;
}

/* Holding `put`, the ring is full: a consumer that is at it makes room sooner than the kernel makes
   pages for a larger ring, and both ends stay in the caches. Waits until a quarter is free, but not
   on as long as the head stands still, nor long in all: nobody waits here for a slow one. */
static int64_t wait_for_consumer(struct queue *q, uint32_t at, uint32_t units) {
  uint32_t quarter = ((uint32_t)q->mask + 1) / 4, enough = units > quarter ? units : quarter;
  int looks = futex_spins() ? LOOKS : 0;
  for (int still = 0; looks > 0 && still < STILL; looks--) {
    for (int i = 0; i < PAUSES; i++) futex_pause();
    uint64_t head = atomic_load_explicit(&q->head, memory_order_acquire); /* as below */
    still = head == q->head_seen ? still + 1 : 0;
    q->head_seen = head;
    if (ring_fit(q, at, enough) >= 0) break;
  }
  return ring_fit(q, at, units);
}

int64_t ring_make_room(struct queue *q, uint64_t queue, uint32_t units, int64_t deadline) {
  int64_t patience = clock_slice(CLOCK_NEVER);
  for (;;) {
    uint32_t at = position(atomic_load_explicit(&q->tail, memory_order_relaxed));
    /* acquire: the consumer is done with the records before head */
    q->head_seen = atomic_load_explicit(&q->head, memory_order_acquire);
    int64_t skip = ring_fit(q, at, units);
    if (skip < 0) skip = wait_for_consumer(q, at, units);
    if (skip >= 0) return skip;
    int rc = grow(q, queue);
    if (rc == -EBUSY &&
        (deadline == CLOCK_NEVER || clock_now() < deadline || clock_now() < patience))
      continue;
    if (rc < 0) return rc == -EBUSY ? -ETIMEDOUT : rc;
  }
}
