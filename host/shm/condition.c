/* Conditions: see condition.h. */
#include "shm/condition.h"

#include <errno.h>
#include <string.h>

#include "os/clock.h"
#include "os/futex.h"
#include "shm/family.h"
#include "shm/journal.h"
#include "shm/object.h"

enum { WAITING = 1, SLEEPING, NOTIFIED };

#define HELP ((int64_t)20000000) /* ns: how long a sleeper tries to get the lock to clean up */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a word's low half stands first");

uint64_t condition_new(uint64_t lock, struct link *list, uint64_t *hold) {
  uint64_t offset = object_new(sizeof(struct condition), BLOCK_CONDITION, list, hold), own;
  if (!offset) return 0;
  struct condition *c = heap_payload(offset);
  struct link *owned = &block_at(offset)->owned;
  c->lock = lock;
  if (lock ? object_hold(lock, owned) != 0 : (c->lock = lock_new(1, owned, &own)) != 0)
    return offset;
  object_drop(*hold);
  return 0;
}

/* ---- the table ---- */

/* Where a walk over all entries that were ever taken stands. */
struct walk {
  struct waiters *part;
  int i;
  uint64_t left;
};

static struct walk walk_begin(struct condition *c) {
  return (struct walk){&c->first, 0, atomic_load_explicit(&c->high, memory_order_acquire)};
}

static struct waiters *part_after(const struct waiters *part) {
  uint64_t next = atomic_load_explicit(&part->next, memory_order_acquire);
  return next ? heap_payload(next) : NULL;
}

static struct waiter *walk_next(struct walk *walk) {
  if (walk->left == 0) return NULL;
  if (walk->i == CONDITION_PART) {
    walk->part = part_after(walk->part);
    walk->i = 0;
  }
  walk->left--;
  return &walk->part->waiter[walk->i++];
}

static uint64_t owner_of(const struct waiter *w) {
  return atomic_load_explicit(&w->owner, memory_order_acquire);
}

static int is_notified(const struct waiter *w) {
  return atomic_load_explicit(&w->state, memory_order_acquire) == NOTIFIED;
}

static _Atomic uint32_t *futex_of(struct waiter *w) {
  return (_Atomic uint32_t *)(void *)&w->state;
}

/* The one that waits longest, lives, and has not been notified; or NULL. */
static struct waiter *first_in_line(struct condition *c) {
  struct walk walk = walk_begin(c);
  struct waiter *first = NULL;
  for (struct waiter *w; (w = walk_next(&walk));) {
    uint64_t owner = owner_of(w);
    if (!owner || is_notified(w) || (first && first->ticket < w->ticket)) continue;
    if (family_lives(owner)) first = w;
  }
  return first;
}

/* A dead waiter was notified: the first in line is notified instead, in one step. */
static void pass_on(struct condition *c, struct waiter *dead) {
  struct waiter *heir = first_in_line(c);
  journal_lock();
  if (heir) journal_set((uint64_t *)&heir->state, NOTIFIED);
  journal_set((uint64_t *)&dead->owner, 0);
  journal_commit();
  journal_unlock();
  if (heir) futex_wake(futex_of(heir), 1);
}

static int is_dead(const struct waiter *w) {
  uint64_t owner = owner_of(w);
  return owner && !family_lives(owner);
}

/* Under the lock: no entry is a dead one's afterwards. */
static void bury(struct condition *c) {
  struct walk walk = walk_begin(c);
  for (struct waiter *w; (w = walk_next(&walk));) {
    if (!is_dead(w)) continue;
    if (is_notified(w))
      pass_on(c, w);
    else
      atomic_store(&w->owner, 0);
  }
}

/* By a sleeper: looks after notified ones that died before they came back. */
static void help(struct condition *c) {
  struct walk walk = walk_begin(c);
  for (struct waiter *w; (w = walk_next(&walk));) {
    if (!is_notified(w) || !is_dead(w)) continue;
    if (lock_enter(condition_lock(c), clock_now() + HELP) < 0) return;
    bury(c);
    lock_leave(condition_lock(c));
    return;
  }
}

static struct waiters *add_part(uint64_t condition, struct waiters *last) {
  uint64_t part = heap_alloc(sizeof *last, BLOCK_DATA, &block_at(condition)->owned);
  if (!part) return NULL;
  memset(heap_payload(part), 0, sizeof *last);
  atomic_store(&last->next, part);
  return heap_payload(part);
}

static struct waiter *free_entry(uint64_t condition) {
  struct condition *c = heap_payload(condition);
  struct walk walk = walk_begin(c);
  for (struct waiter *w; (w = walk_next(&walk));)
    if (!owner_of(w)) return w;
  if (walk.i == CONDITION_PART) {
    struct waiters *last = walk.part;
    walk.part = part_after(last);
    if (!walk.part && !(walk.part = add_part(condition, last))) return NULL;
    walk.i = 0;
  }
  atomic_fetch_add(&c->high, 1);
  return &walk.part->waiter[walk.i];
}

/* ---- waiting ---- */

static struct waiter *join_line(uint64_t condition) {
  struct condition *c = heap_payload(condition);
  struct waiter *w = free_entry(condition);
  if (!w) return NULL;
  w->ticket = ++c->tickets;
  atomic_store(&w->state, WAITING);
  atomic_store(&w->owner, family_id());
  return w;
}

int condition_begin(uint64_t condition, struct waiting *w) {
  struct condition *c = heap_payload(condition);
  struct lock *lock = condition_lock(c);
  if (!lock_is_mine(lock)) return -EPERM;
  bury(c);
  w->entry = join_line(condition);
  if (!w->entry) return -ENOMEM;
  w->hold = lock_park(lock);
  return 0;
}

int condition_sleep(struct condition *c, struct waiting *waiting, int64_t deadline) {
  struct waiter *w = waiting->entry;
  for (int spins = futex_spins(); spins > 0; spins--) {
    if (is_notified(w)) return 0;
    futex_pause();
  }
  uint64_t state = WAITING;
  atomic_compare_exchange_strong(&w->state, &state, SLEEPING);
  while (!is_notified(w)) {
    if (deadline != CLOCK_NEVER && clock_now() >= deadline) return -ETIMEDOUT;
    int rc = futex_wait(futex_of(w), SLEEPING, clock_slice(deadline));
    if (rc == -EINTR) return rc;
    if (rc == -ETIMEDOUT) help(c);
  }
  return 0;
}

int condition_end(struct condition *c, struct waiting *w, int *died) {
  *died = lock_unpark(condition_lock(c), w->hold) == LOCK_DIED;
  int rc = is_notified(w->entry) ? 0 : -ETIMEDOUT;
  atomic_store(&w->entry->owner, 0);
  return rc;
}

void condition_give_up(struct condition *c, struct waiting *w) {
  struct lock *lock = condition_lock(c);
  lock->died |= lock_unpark(lock, w->hold) == LOCK_DIED;
  if (is_notified(w->entry))
    pass_on(c, w->entry);
  else
    atomic_store(&w->entry->owner, 0);
}

int condition_wait(uint64_t condition, int64_t deadline, int *died) {
  struct waiting w;
  *died = 0;
  int rc = condition_begin(condition, &w);
  if (rc < 0) return rc;
  while (condition_sleep(heap_payload(condition), &w, deadline) == -EINTR) continue;
  return condition_end(heap_payload(condition), &w, died);
}

int condition_notify(struct condition *c, uint32_t n) {
  if (!lock_is_mine(condition_lock(c))) return -EPERM;
  bury(c);
  uint32_t made = 0;
  for (struct waiter *w; made < n && (w = first_in_line(c)); made++)
    if (atomic_exchange(&w->state, NOTIFIED) == SLEEPING) futex_wake(futex_of(w), 1);
  return (int)made;
}
