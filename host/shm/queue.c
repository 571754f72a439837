/* A queue that survives its users: see queue.h. */
#include "shm/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/clock.h"
#include "os/futex.h"
#include "shm/family.h"
#include "shm/hand.h"
#include "shm/journal.h"
#include "shm/object.h"
#include "shm/ring.h"

#define INLINE inline __attribute__((always_inline)) /* so that no head costs nothing */
#define LOAD(word, order) atomic_load_explicit(word, memory_order_##order)
#define BATCH                                                                                      \
  (16u << 10) /* bytes: after so many a batch is committed, so that the other end works too */

static struct queue *queue_at(uint64_t offset) {
  return heap_payload(offset);
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

uint64_t queue_new(uint64_t capacity, int redeliver, struct link *list, uint64_t *hold) {
  uint64_t offset = object_new(sizeof(struct queue), BLOCK_QUEUE, list, hold);
  if (!offset) return 0;
  struct queue *q = queue_at(offset);
  robust_init(&q->put);
  robust_init(&q->get);
  q->capacity = capacity;
  q->mask = QUEUE_FIRST_RING / 8 - 1;
  q->ring = heap_alloc(QUEUE_FIRST_RING, BLOCK_DATA, &block_at(offset)->owned);
  if (q->ring && (!redeliver || hand_init(offset) == 0)) return offset;
  object_drop(*hold);
  *hold = 0;
  return 0;
}

static int is_full(const struct queue *q, uint64_t tail, uint64_t head) {
  return q->capacity && ((count(tail) - count(head)) & COUNT_MASK) >= q->capacity;
}

static void wake(_Atomic uint32_t *asleep) {
  if (!LOAD(asleep, relaxed))
    return; /* our unlock was a full fence: a flag set before our commit is seen */
  atomic_store_explicit(asleep, 0, memory_order_relaxed);
  futex_wake(asleep, INT32_MAX);
}

/* The same for all who wait for a message, or the closing. */
static void wake_getters(struct queue *q) {
  wake(&q->get_asleep);
  region_ring(&q->listened);
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

/* A message in two parts; head may be of no bytes. */
struct parts {
  const void *head, *bytes;
  size_t head_size, size;
};

/* Writes a message behind the skipped units: the tail that makes it known. */
static INLINE uint64_t write_record(struct queue *q, uint64_t tail, struct parts p, uint32_t skip) {
  uint32_t size = (uint32_t)(p.head_size + p.size);
  ring_skip(q, position(tail), skip);
  struct record *record = record_at(q, position(tail) + skip);
  *record = (struct record){.size = size, .kind = RECORD_BYTES};
  char *to = (char *)(record + 1);
  if (p.head_size) memcpy(to, p.head, p.head_size);
  memcpy(to + p.head_size, p.bytes, p.size);
  return advanced(tail, skip + units_of(size));
}

/* release: who sees the tail sees the records. It fails only if the queue was closed meanwhile. */
static inline int commit(struct queue *q, uint64_t tail, uint64_t next) {
  return atomic_compare_exchange_strong_explicit(&q->tail, &tail, next, memory_order_release,
                                                 memory_order_relaxed)
             ? 0
             : -EPIPE;
}

/* Writes as many of the messages as there are places for, up to BATCH bytes: how many, and the tail
 * that makes them known. */
static size_t write_records(struct queue *q, uint64_t *tail, const char **bytes,
                            const uint32_t *sizes, size_t n) {
  size_t written = 0, most = n;
  const char *from = *bytes;
  if (q->capacity) {
    uint64_t places = q->capacity - ((count(*tail) - count(q->head_seen)) & COUNT_MASK);
    if (places < most) most = places;
  }
  while (written < most && (size_t)(*bytes - from) < BATCH) {
    uint32_t size = sizes[written], units = units_of(size);
    int64_t skip = ring_fit(q, position(*tail), units);
    if (skip < 0) break;
    *tail = write_record(q, *tail, (struct parts){NULL, *bytes, 0, size}, (uint32_t)skip);
    *bytes += 8 * (size_t)(units - 1);
    written++;
  }
  return written;
}

/* Holding `put`, places made: writes and commits: how many, or -EPIPE. */
static int64_t commit_bytes(struct queue *q, const char **bytes, const uint32_t *sizes, size_t n) {
  uint64_t tail = LOAD(&q->tail, relaxed), next = tail;
  size_t written = write_records(q, &next, bytes, sizes, n);
  int rc = commit(q, tail, next);
  return rc < 0 ? rc : (int64_t)written;
}

/* The same for one: 0 or -EPIPE. */
static INLINE int commit_one(struct queue *q, struct parts parts, uint32_t skip) {
  uint64_t tail = LOAD(&q->tail, relaxed);
  return commit(q, tail, write_record(q, tail, parts, skip));
}

/* The same for a block: its owner changes with the tail. The journal's lock keeps queue_close out.
 */
static int commit_block(struct queue *q, uint64_t queue, uint64_t block, uint32_t skip) {
  struct link *link = &block_at(block)->link;
  journal_lock();
  uint64_t tail = LOAD(&q->tail, relaxed);
  if (!(tail & CLOSED)) {
    ring_skip(q, position(tail), skip);
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
  if (!at_once) return ring_taken(robust_lock_until(lock, deadline));
  for (;;) {
    int rc = robust_trylock(lock);
    if (rc != -EBUSY) return ring_taken(rc);
    if (!ready(q)) return -EAGAIN;
    rc = robust_lock_until(lock, clock_now() + 100000);
    if (rc != -ETIMEDOUT) return ring_taken(rc);
  }
}

/* Takes the producers' lock and waits for a place. */
static int begin_put(struct queue *q, int64_t deadline, int at_once) {
  int rc = lock_end(&q->put, deadline, at_once, may_put, q);
  if (rc < 0) return rc == -EAGAIN && (LOAD(&q->tail, relaxed) & CLOSED) ? -EPIPE : rc;
  rc = wait_for_place(q, deadline, at_once);
  if (rc < 0) robust_unlock(&q->put);
  return rc;
}

int queue_put_many(uint64_t queue, const void *bytes, const uint32_t *sizes, size_t n, size_t *done,
                   int64_t deadline) {
  struct queue *q = queue_at(queue);
  const char *from = bytes;
  *done = 0;
  while (*done < n) {
    int at_once = deadline != CLOCK_NEVER && clock_now() >= deadline;
    int64_t rc = begin_put(q, deadline, at_once);
    if (rc < 0) return (int)rc;
    rc = ring_room(q, queue, units_of(sizes[*done]), deadline);
    if (rc >= 0) rc = commit_bytes(q, &from, sizes + *done, n - *done);
    robust_unlock(&q->put);
    if (rc < 0) return (int)rc;
    wake_getters(q);
    *done += (size_t)rc;
  }
  return 0;
}

static INLINE int put_parts(uint64_t queue, struct parts parts, int64_t deadline) {
  struct queue *q = queue_at(queue);
  int at_once = deadline != CLOCK_NEVER && clock_now() >= deadline;
  int rc = begin_put(q, deadline, at_once);
  if (rc < 0) return rc;
  int64_t skip = ring_room(q, queue, units_of(parts.head_size + parts.size), deadline);
  rc = skip < 0 ? (int)skip : commit_one(q, parts, (uint32_t)skip);
  robust_unlock(&q->put);
  if (rc == 0) wake_getters(q);
  return rc;
}

int queue_put(uint64_t queue, const void *bytes, size_t size, int64_t deadline) {
  return put_parts(queue, (struct parts){NULL, bytes, 0, size}, deadline);
}

int queue_put_parts(uint64_t queue, const void *head, size_t head_size, const void *bytes,
                    size_t size, int64_t deadline) {
  return put_parts(queue, (struct parts){head, bytes, head_size, size}, deadline);
}

int queue_put_block(uint64_t queue, uint64_t block, int64_t deadline) {
  struct queue *q = queue_at(queue);
  int at_once = deadline != CLOCK_NEVER && clock_now() >= deadline;
  int rc = begin_put(q, deadline, at_once);
  if (rc < 0) return rc;
  int64_t skip = ring_room(q, queue, units_of(sizeof block), deadline);
  rc = skip < 0 ? (int)skip : commit_block(q, queue, block, (uint32_t)skip);
  robust_unlock(&q->put);
  if (rc == 0) wake_getters(q);
  return rc;
}

/* ---- consumers ---- */

static int may_get(struct queue *q) {
  uint64_t tail = atomic_load(&q->tail);
  if (!is_empty(tail, atomic_load(&q->head))) return 1;
  if (q->hand && atomic_load(&q->back_count)) return 1;
  return (tail & CLOSED) && !(q->hand && hand_may_return(q));
}

/* Holding `get`, the ring is empty: 0 something came back, -EPIPE: nothing will ever come, -EAGAIN
   otherwise. First into the hands, then at what came back: that is the way that messages go while
   nobody else can get. */
static int look_elsewhere(struct queue *q, int now) {
  int closed = (q->tail_seen & CLOSED) != 0, may_return = 0;
  if (q->hand) {
    hand_look(q, now);
    may_return = closed && hand_may_return(q);
    if (atomic_load(&q->back_count)) return 0;
  }
  return closed && !may_return ? -EPIPE : -EAGAIN;
}

/* Holding `get`: waits until there is a message. */
static int wait_for_message(struct queue *q, int64_t deadline, int at_once) {
  int spins = futex_spins(), all_spins = spins;
  uint64_t head = LOAD(&q->head, relaxed);
  if (is_empty(q->tail_seen, head)) ring_realign(q, head);
  while (is_empty(q->tail_seen, head)) {
    q->tail_seen = LOAD(&q->tail, acquire);
    if (!is_empty(q->tail_seen, head)) return 0;
    int rc = q->hand && spins > 0 && spins < all_spins && !(q->tail_seen & CLOSED)
                 ? -EAGAIN
                 : look_elsewhere(q, 1);
    if (rc != -EAGAIN) return rc;
    if (at_once) return -EAGAIN;
    rc = wait_step(&q->get_asleep, &spins, deadline, may_get, q);
    if (rc < 0) return rc;
  }
  return 0;
}

/* Under the journal's lock: whether these bytes are the offset of a block in some list. */
static int is_message(uint64_t block) {
  if (block % 64 || block < REGION_HEAP || block >= region.size) return 0;
  const struct link *link = &block_at(block)->link;
  if (block_at(block)->kind != BLOCK_DATA || link->next % 8 || link->next >= region.size) return 0;
  return ((struct link *)region_at(link->next))->prev == region_offset(link);
}

static int take_block(struct queue *q, const struct record *record, uint64_t *block,
                      uint64_t next) {
  memcpy(block, record + 1, sizeof *block);
  journal_lock();
  int rc = record->size == sizeof *block && is_message(*block) ? 0 : -EBADMSG;
  if (rc == 0) {
    struct link *link = &block_at(*block)->link;
    list_remove(link);
    if (q->hand)
      hand_note(q, block_at(*block));
    else
      list_insert(family_ledger(), link);
    journal_set((uint64_t *)&q->head, next);
    journal_commit();
  }
  journal_unlock();
  return rc < 0 ? ring_lose(q) : 0;
}

static int take(struct queue *q, struct buffer *into, uint64_t *block) {
  uint64_t head = LOAD(&q->head, relaxed);
  struct found f = ring_first(q, head);
  const struct record *record = f.record;
  *block = 0;
  if (!record) return ring_lose(q);
  uint64_t next = advanced(head, f.skip + f.units);
  if (record->kind == RECORD_BLOCK) return take_block(q, record, block, next);
  int rc = buffer_reserve(into, record->size);
  if (rc < 0) return rc;
  memcpy(into->data, record + 1, record->size);
  into->size = record->size;
  /* release: our reading of the record is over before its place may be written again */
  atomic_store_explicit(&q->head, next, memory_order_release);
  return 0;
}

/* Copies the records that are there, up to the first that is a block or foreign: how many, or
 * -ENOMEM. */
static int take_many(struct queue *q, struct buffer *into, size_t most) {
  uint64_t head = LOAD(&q->head, relaxed);
  int taken = 0, rc = 0;
  into->size = 0;
  while ((size_t)taken < most && into->size < BATCH && !is_empty(q->tail_seen, head)) {
    struct found f = ring_first(q, head);
    if (!f.record || f.record->kind == RECORD_BLOCK) break;
    size_t bytes = 8 * (size_t)f.units;
    if ((rc = buffer_reserve(into, into->size + bytes)) < 0) break;
    memcpy(into->data + into->size, f.record, bytes);
    into->size += bytes;
    head = advanced(head, f.skip + f.units);
    taken++;
  }
  if (taken) atomic_store_explicit(&q->head, head, memory_order_release); /* as in take */
  return taken || rc == 0 ? taken : rc;
}

/* Takes the consumers' lock and waits for a message. */
static int begin_get(struct queue *q, int64_t deadline) {
  int at_once = deadline != CLOCK_NEVER && clock_now() >= deadline;
  if (q->hand) hand_look(q, 0);
  int rc = lock_end(&q->get, deadline, at_once, may_get, q);
  if (rc < 0) return rc;
  if (q->hand && atomic_load(&q->back_count)) return 0;
  rc = wait_for_message(q, deadline, at_once);
  if (rc < 0) robust_unlock(&q->get);
  return rc;
}

static int end_get(struct queue *q, int rc) {
  robust_unlock(&q->get);
  if (rc >= 0 || rc == -EBADMSG) wake(&q->put_asleep);
  return rc;
}

int queue_get(uint64_t queue, struct buffer *into, uint64_t *block, int64_t deadline) {
  struct queue *q = queue_at(queue);
  int rc = begin_get(q, deadline);
  if (rc < 0) return rc;
  if (q->hand && (*block = hand_take(q))) return end_get(q, 0);
  return end_get(q, take(q, into, block));
}

int queue_get_many(uint64_t queue, struct buffer *into, size_t most, uint64_t *block,
                   int64_t deadline) {
  struct queue *q = queue_at(queue);
  if (q->hand) {
    int rc = queue_get(queue, into, block, deadline);
    return rc < 0 ? rc : 1;
  }
  int rc = begin_get(q, deadline);
  if (rc < 0) return rc;
  *block = 0;
  rc = take_many(q, into, most);
  if (rc == 0 && (rc = take(q, into, block)) == 0) rc = 1; /* a block comes by itself */
  return end_get(q, rc);
}

void queue_return(uint64_t queue, uint64_t block) {
  struct queue *q = queue_at(queue);
  hand_return(q, block_at(block));
  wake_getters(q);
}

/* ---- everybody ---- */

void queue_mark_closed(uint64_t queue) {
  struct queue *q = queue_at(queue);
  atomic_fetch_or(&q->tail, CLOSED);
  wake_getters(q);
  wake(&q->put_asleep);
}

void queue_close(uint64_t queue) {
  journal_lock(); /* commit_block and switch_ring store the whole word */
  queue_mark_closed(queue);
  journal_unlock();
}

int queue_is_closed(uint64_t queue) {
  return (LOAD(&queue_at(queue)->tail, acquire) & CLOSED) != 0;
}

uint64_t queue_length(uint64_t queue) {
  struct queue *q = queue_at(queue);
  if (q->hand) hand_look(q, 1);
  for (;;) {
    uint64_t head = atomic_load(&q->head), back = atomic_load(&q->back_count);
    uint64_t tail = atomic_load(&q->tail);
    if (atomic_load(&q->head) == head && atomic_load(&q->back_count) == back)
      return ((count(tail) - count(head)) & COUNT_MASK) + back;
  }
}

uint64_t queue_capacity(uint64_t queue) {
  return queue_at(queue)->capacity;
}

int queue_redelivers(uint64_t queue) {
  return queue_at(queue)->hand != 0;
}

int queue_is_ready(uint64_t queue) {
  struct queue *q = queue_at(queue);
  if (q->hand) hand_look(q, 0);
  return may_get(q);
}

/* How many messages task_done was said for. */
static uint32_t tasks_done(struct queue *q) {
  return q->hand ? (uint32_t)__atomic_load_n(&q->acked, __ATOMIC_SEQ_CST) : atomic_load(&q->done);
}

static uint32_t open_tasks(struct queue *q, uint32_t done) {
  return (count(atomic_load(&q->tail)) - done) & COUNT_MASK;
}

/* One more, if as many were put. */
static int count_done(struct queue *q) {
  uint32_t done = atomic_load(&q->done);
  do
    if (open_tasks(q, done) == 0) return -ERANGE;
  while (!atomic_compare_exchange_weak(&q->done, &done, (done + 1) & COUNT_MASK));
  return 0;
}

int queue_task_done(uint64_t queue) {
  struct queue *q = queue_at(queue);
  int rc = q->hand ? hand_done(q) : count_done(q);
  if (rc < 0) return rc;
  if (open_tasks(q, tasks_done(q)) == 0) gate_wake(&q->all_done, INT32_MAX);
  if (q->hand) wake_getters(q); /* who waits in a closed queue for what may come back */
  return 0;
}

int queue_wait_done(uint64_t queue, int64_t deadline) {
  struct queue *q = queue_at(queue);
  for (;;) {
    uint32_t turn = gate_enter(&q->all_done);
    if (open_tasks(q, tasks_done(q)) == 0) return 0;
    int rc = gate_sleep(&q->all_done, turn, deadline);
    if (rc < 0) return rc;
  }
}

int queue_wait(uint64_t queue, int64_t deadline) {
  for (int spins = futex_spins();;) {
    if (queue_is_ready(queue)) return 0;
    if (spins > 0) {
      spins--;
      futex_pause();
      continue;
    }
    if (deadline != CLOCK_NEVER && clock_now() >= deadline) return -ETIMEDOUT;
    _Atomic uint32_t *word = queue_watch(queue);
    if (queue_is_ready(queue)) return 0;
    if (futex_wait(word, 1, clock_slice(deadline)) == -EINTR) return -EINTR;
  }
}

void queue_listen(uint64_t queue) {
  atomic_store(&queue_at(queue)->listened, 1);
}

_Atomic uint32_t *queue_watch(uint64_t queue) {
  struct queue *q = queue_at(queue);
  atomic_store(&q->get_asleep, 1);
  return &q->get_asleep;
}
