/* A queue that survives its users: see queue.h. */
#include "shm/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/clock.h"
#include "os/futex.h"
#include "shm/family.h"
#include "shm/journal.h"
#include "shm/object.h"
#include "shm/region.h"

_Static_assert(2 * (QUEUE_INLINE + 16) <= QUEUE_FIRST_RING,
               "an empty ring has room, see make_room");
#define CLOSED ((uint64_t)1 << 63)
#define COUNT_MASK 0x7fffffffu

enum { RECORD_BYTES = 1, RECORD_BLOCK, RECORD_SKIP };

struct record {
  uint32_t size; /* bytes of payload */
  uint32_t kind;
};

#define LOAD(word, order) atomic_load_explicit(word, memory_order_##order)

static struct queue *queue_at(uint64_t offset) {
  return heap_payload(offset);
}

static uint32_t position(uint64_t word) {
  return (uint32_t)word;
}

static uint32_t count(uint64_t word) {
  return (uint32_t)(word >> 32) & COUNT_MASK;
}

static uint64_t advanced(uint64_t word, uint32_t units) {
  uint64_t messages = (count(word) + 1) & COUNT_MASK;
  return (word & CLOSED) | messages << 32 | (uint32_t)(position(word) + units);
}

static uint32_t units_of(size_t bytes) {
  return 1 + (uint32_t)((bytes + 7) / 8);
}

static struct record *record_at(const struct queue *q, uint32_t where) {
  return (struct record *)((char *)heap_payload(q->ring) + 8 * (where & q->mask));
}

int buffer_reserve(struct buffer *b, size_t room) {
  if (room <= b->room) return 0;
  size_t more = b->room ? b->room : 256;
  while (more < room) more *= 2;
  char *data = realloc(b->data, more);
  if (!data) return -ENOMEM;
  b->data = data;
  b->room = more;
  return 0;
}

uint64_t queue_new(uint64_t capacity, struct link *list, uint64_t *hold) {
  uint64_t offset = object_new(sizeof(struct queue), BLOCK_QUEUE, list, hold);
  if (!offset) return 0;
  struct queue *q = queue_at(offset);
  robust_init(&q->put);
  robust_init(&q->get);
  q->capacity = capacity;
  q->mask = QUEUE_FIRST_RING / 8 - 1;
  q->ring = heap_alloc(QUEUE_FIRST_RING, BLOCK_DATA, &block_at(offset)->owned);
  if (q->ring) return offset;
  object_drop(*hold);
  return 0;
}

/* A dead owner may have committed a transaction that nobody has carried out yet. */
static int taken(int rc) {
  if (rc != ROBUST_DIED) return rc;
  journal_lock();
  journal_unlock();
  return 0;
}

static int is_full(const struct queue *q, uint64_t tail, uint64_t head) {
  return q->capacity && ((count(tail) - count(head)) & COUNT_MASK) >= q->capacity;
}

/* By the counts, which stay when the ring grows and positions begin anew. */
static int is_empty(uint64_t tail, uint64_t head) {
  return count(tail) == count(head);
}

static void wake(_Atomic uint32_t *asleep) {
  if (!LOAD(asleep, relaxed))
    return; /* our unlock was a full fence: a flag set before our commit is seen */
  atomic_store_explicit(asleep, 0, memory_order_relaxed);
  futex_wake(asleep, INT32_MAX);
}

/* One step of the waiting of an end's lock holder: spins first, then sleeps a slice. `moved` says
 * whether to look again. */
static int wait_step(_Atomic uint32_t *asleep, int *spins, int64_t deadline,
                     int (*ready)(struct queue *), struct queue *q) {
  if (*spins > 0) {
    --*spins;
    futex_pause();
    return 0;
  }
  if (deadline != CLOCK_NEVER && clock_now() >= deadline) return -ETIMEDOUT;
  atomic_store(
      asleep,
      1); /* seq_cst, and so are the loads in ready: either we see the change or they see us */
  if (ready(q)) return 0;
  int rc = futex_wait(asleep, 1, clock_slice(deadline));
  return rc == -EINTR ? rc : 0;
}

/* ---- producers ---- */

static int may_put(struct queue *q) {
  uint64_t tail = atomic_load(&q->tail);
  return (tail & CLOSED) || !is_full(q, tail, atomic_load(&q->head));
}

/* Holding `put`: waits until a message may come in. */
static int wait_for_place(struct queue *q, int64_t deadline, int at_once) {
  int spins = futex_spins();
  for (;;) {
    uint64_t tail = LOAD(&q->tail, relaxed);
    if (tail & CLOSED) return -EPIPE;
    if (!is_full(q, tail, q->head_seen)) return 0;
    q->head_seen = LOAD(&q->head, acquire);
    if (!is_full(q, tail, q->head_seen)) return 0;
    if (at_once) return -EAGAIN;
    int rc = wait_step(&q->put_asleep, &spins, deadline, may_put, q);
    if (rc < 0) return rc;
  }
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
static void switch_ring(struct queue *q, uint64_t ring, uint64_t block, size_t bytes) {
  uint64_t old = q->ring;
  journal_lock();
  uint64_t tail = LOAD(&q->tail, relaxed), head = LOAD(&q->head, relaxed);
  uint32_t units = position(tail) - position(head);
  copy_records(q, ring, position(head), units);
  uint64_t new_head = head & ~(uint64_t)UINT32_MAX,
           new_tail = (tail & ~(uint64_t)UINT32_MAX) | units;
  list_remove(&block_at(ring)->link);
  list_insert(&block_at(block)->owned, &block_at(ring)->link);
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
static int grow(struct queue *q, uint64_t block) {
  size_t bytes = (q->mask + 1) * 16;
  if (bytes > (size_t)16 << 30) return -ENOMEM; /* positions are 32 bits of 8 bytes */
  if (taken(robust_lock_until(&q->get, clock_now() + 1000000)) < 0) return -EBUSY;
  uint64_t ring = heap_alloc(bytes, BLOCK_DATA, family_ledger());
  if (ring) switch_ring(q, ring, block, bytes);
  robust_unlock(&q->get);
  return ring ? 0 : -ENOMEM;
}

static int fits(const struct queue *q, uint32_t at, uint32_t units) {
  return at - position(q->head_seen) + units <= (uint32_t)q->mask + 1;
}

/* Holding `put`: makes the ring have `units` in one piece at its tail: how many units must be
   skipped first, or an error. An empty ring always has them: skip and message together are less
   than twice QUEUE_INLINE. A stopped consumer that holds its end of a full ring is waited for until
   the deadline, a slice at least. */
static int64_t make_room(struct queue *q, uint64_t block, uint32_t units, int64_t deadline) {
  int64_t patience = clock_slice(CLOCK_NEVER);
  for (;;) {
    uint32_t at = position(LOAD(&q->tail, relaxed));
    uint32_t to_end = (uint32_t)q->mask + 1 - (at & (uint32_t)q->mask);
    uint32_t skip = units > to_end ? to_end : 0;
    if (fits(q, at, skip + units)) return skip;
    q->head_seen = LOAD(&q->head, acquire);
    if (fits(q, at, skip + units)) return skip;
    int rc = grow(q, block);
    if (rc == -EBUSY &&
        (deadline == CLOCK_NEVER || clock_now() < deadline || clock_now() < patience))
      continue;
    if (rc < 0) return rc == -EBUSY ? -ETIMEDOUT : rc;
  }
}

static void write_skip(struct queue *q, uint32_t at, uint32_t units) {
  if (units) *record_at(q, at) = (struct record){.size = 8 * (units - 1), .kind = RECORD_SKIP};
}

/* Holding `put`, room made: writes and commits. */
static int commit_bytes(struct queue *q, const void *bytes, size_t size, uint32_t skip) {
  uint64_t tail = LOAD(&q->tail, relaxed);
  write_skip(q, position(tail), skip);
  struct record *record = record_at(q, position(tail) + skip);
  *record = (struct record){.size = (uint32_t)size, .kind = RECORD_BYTES};
  memcpy(record + 1, bytes, size);
  /* release: who sees the tail sees the record. It fails only if the queue was closed meanwhile. */
  uint64_t next = advanced(tail, skip + units_of(size));
  return atomic_compare_exchange_strong_explicit(&q->tail, &tail, next, memory_order_release,
                                                 memory_order_relaxed)
             ? 0
             : -EPIPE;
}

/* The same for a block: its owner changes with the tail. The journal's lock keeps queue_close out.
 */
static int commit_block(struct queue *q, uint64_t queue, uint64_t block, uint32_t skip) {
  struct link *link = &block_at(block)->link;
  journal_lock();
  uint64_t tail = LOAD(&q->tail, relaxed);
  if (!(tail & CLOSED)) {
    write_skip(q, position(tail), skip);
    struct record *record = record_at(q, position(tail) + skip);
    *record = (struct record){.size = sizeof block, .kind = RECORD_BLOCK};
    memcpy(record + 1, &block, sizeof block);
    list_remove(link);
    list_insert(&block_at(queue)->owned, link);
    journal_set((uint64_t *)&q->tail, advanced(tail, skip + units_of(sizeof block)));
    journal_commit();
  }
  journal_unlock();
  return tail & CLOSED ? -EPIPE : 0;
}

/* Takes an end's lock. At once: a holder that is busy is waited for, one that sleeps because there
 * is nothing is not. */
static int lock_end(robust *lock, int64_t deadline, int at_once, int (*ready)(struct queue *),
                    struct queue *q) {
  if (!at_once) return taken(robust_lock_until(lock, deadline));
  for (;;) {
    int rc = robust_trylock(lock);
    if (rc != -EBUSY) return taken(rc);
    if (!ready(q)) return -EAGAIN;
    rc = robust_lock_until(lock, clock_now() + 100000);
    if (rc != -ETIMEDOUT) return taken(rc);
  }
}

/* The way of both kinds of put: lock, wait for a place, make room, commit, unlock, wake. */
static int put(uint64_t queue, const void *bytes, size_t size, uint64_t block, int64_t deadline) {
  struct queue *q = queue_at(queue);
  int at_once = deadline != CLOCK_NEVER && clock_now() >= deadline;
  int rc = lock_end(&q->put, deadline, at_once, may_put, q);
  if (rc < 0) return rc == -EAGAIN && (LOAD(&q->tail, relaxed) & CLOSED) ? -EPIPE : rc;
  rc = wait_for_place(q, deadline, at_once);
  if (rc == 0) {
    int64_t skip = make_room(q, queue, units_of(block ? sizeof block : size), deadline);
    if (skip < 0)
      rc = (int)skip;
    else if (block)
      rc = commit_block(q, queue, block, (uint32_t)skip);
    else
      rc = commit_bytes(q, bytes, size, (uint32_t)skip);
  }
  robust_unlock(&q->put);
  if (rc == 0) wake(&q->get_asleep);
  return rc;
}

int queue_put(uint64_t queue, const void *bytes, size_t size, int64_t deadline) {
  return put(queue, bytes, size, 0, deadline);
}

int queue_put_block(uint64_t queue, uint64_t block, int64_t deadline) {
  return put(queue, NULL, 0, block, deadline);
}

/* ---- consumers ---- */

static int may_get(struct queue *q) {
  uint64_t tail = atomic_load(&q->tail);
  return (tail & CLOSED) || !is_empty(tail, atomic_load(&q->head));
}

/* Holding `get`: waits until there is a message. */
static int wait_for_message(struct queue *q, int64_t deadline, int at_once) {
  int spins = futex_spins();
  uint64_t head = LOAD(&q->head, relaxed);
  while (is_empty(q->tail_seen, head)) {
    q->tail_seen = LOAD(&q->tail, acquire);
    if (!is_empty(q->tail_seen, head)) return 0;
    if (q->tail_seen & CLOSED) return -EPIPE;
    if (at_once) return -EAGAIN;
    int rc = wait_step(&q->get_asleep, &spins, deadline, may_get, q);
    if (rc < 0) return rc;
  }
  return 0;
}

static int take_bytes(struct queue *q, const struct record *record, struct buffer *into,
                      uint32_t skip) {
  int rc = buffer_reserve(into, record->size);
  if (rc < 0) return rc;
  memcpy(into->data, record + 1, record->size);
  into->size = record->size;
  uint64_t head = LOAD(&q->head, relaxed);
  /* release: our reading of the record is over before its place may be written again */
  atomic_store_explicit(&q->head, advanced(head, skip + units_of(record->size)),
                        memory_order_release);
  return 0;
}

static void take_block(struct queue *q, const struct record *record, uint64_t *block,
                       uint32_t skip) {
  memcpy(block, record + 1, sizeof *block);
  struct link *link = &(block_at(*block))->link;
  journal_lock();
  list_remove(link);
  list_insert(family_ledger(), link);
  journal_set((uint64_t *)&q->head,
              advanced(LOAD(&q->head, relaxed), skip + units_of(sizeof *block)));
  journal_commit();
  journal_unlock();
}

static int take(struct queue *q, struct buffer *into, uint64_t *block) {
  uint32_t at = position(LOAD(&q->head, relaxed)), skip = 0;
  const struct record *record = record_at(q, at);
  while (record->kind == RECORD_SKIP) {
    skip += units_of(record->size);
    record = record_at(q, at + skip);
  }
  *block = 0;
  if (record->kind == RECORD_BYTES) return take_bytes(q, record, into, skip);
  take_block(q, record, block, skip);
  return 0;
}

int queue_get(uint64_t queue, struct buffer *into, uint64_t *block, int64_t deadline) {
  struct queue *q = queue_at(queue);
  int at_once = deadline != CLOCK_NEVER && clock_now() >= deadline;
  int rc = lock_end(&q->get, deadline, at_once, may_get, q);
  if (rc < 0) return rc;
  rc = wait_for_message(q, deadline, at_once);
  if (rc == 0) rc = take(q, into, block);
  robust_unlock(&q->get);
  if (rc == 0) wake(&q->put_asleep);
  return rc;
}

/* ---- everybody ---- */

void queue_close(uint64_t queue) {
  struct queue *q = queue_at(queue);
  journal_lock(); /* commit_block and switch_ring store the whole word */
  atomic_fetch_or(&q->tail, CLOSED);
  journal_unlock();
  wake(&q->get_asleep);
  wake(&q->put_asleep);
}

int queue_is_closed(uint64_t queue) {
  return (LOAD(&queue_at(queue)->tail, acquire) & CLOSED) != 0;
}

uint64_t queue_length(uint64_t queue) {
  struct queue *q = queue_at(queue);
  for (;;) {
    uint64_t head = atomic_load(&q->head), tail = atomic_load(&q->tail);
    if (atomic_load(&q->head) == head) return (count(tail) - count(head)) & COUNT_MASK;
  }
}

uint64_t queue_capacity(uint64_t queue) {
  return queue_at(queue)->capacity;
}

static uint32_t open_tasks(struct queue *q, uint32_t done) {
  return (count(atomic_load(&q->tail)) - done) & COUNT_MASK;
}

int queue_task_done(uint64_t queue) {
  struct queue *q = queue_at(queue);
  uint32_t done = atomic_load(&q->done);
  do
    if (open_tasks(q, done) == 0) return -ERANGE;
  while (!atomic_compare_exchange_weak(&q->done, &done, (done + 1) & COUNT_MASK));
  if (atomic_load(&q->done_asleep)) {
    atomic_store(&q->done_asleep, 0);
    futex_wake(&q->done, INT32_MAX);
  }
  return 0;
}

int queue_wait_done(uint64_t queue, int64_t deadline) {
  struct queue *q = queue_at(queue);
  for (;;) {
    atomic_store(&q->done_asleep, 1);
    uint32_t done = atomic_load(&q->done);
    if (open_tasks(q, done) == 0) return 0;
    if (deadline != CLOCK_NEVER && clock_now() >= deadline) return -ETIMEDOUT;
    if (futex_wait(&q->done, done, clock_slice(deadline)) == -EINTR) return -EINTR;
  }
}

_Atomic uint32_t *queue_watch(uint64_t queue) {
  struct queue *q = queue_at(queue);
  atomic_store(&q->get_asleep, 1);
  return &q->get_asleep;
}
