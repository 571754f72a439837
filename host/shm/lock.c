/* Locks for scripts: see lock.h. */
#include "shm/lock.h"

#include <errno.h>

#include "os/clock.h"
#include "shm/journal.h"
#include "shm/object.h"

uint64_t lock_new(int recursive, struct link *list, uint64_t *hold) {
  uint64_t offset = object_new(sizeof(struct lock), BLOCK_LOCK, list, hold);
  if (!offset) return 0;
  struct lock *lock = heap_payload(offset);
  robust_init(&lock->robust);
  lock->recursive = recursive != 0;
  return offset;
}

/* After taking: carries out what a dead holder had committed. */
static void pass_journal(void) {
  journal_lock();
  journal_unlock();
}

/* Holding it: its words begin anew. */
static inline int begin(struct lock *lock, uint64_t tag, int rc) {
  lock->depth = 1;
  lock->tag = tag;
  if (__builtin_expect(rc == ROBUST_OK && !lock->died, 1)) return LOCK_OK;
  if (rc == ROBUST_DIED) pass_journal();
  lock->died = 0;
  return LOCK_DIED;
}

static int acquire_slowly(struct lock *lock, uint64_t tag, int64_t deadline) {
  if (lock_is_mine(lock) && lock->recursive) {
    lock->depth++;
    return LOCK_OK;
  }
  if (lock_is_mine(lock) && deadline == CLOCK_NEVER) return -EDEADLK;
  if (robust_held() >= LOCK_MOST) return -EMFILE;
  int rc = robust_lock_until(&lock->robust, deadline);
  return rc < 0 ? rc : begin(lock, tag, rc);
}

int lock_acquire(struct lock *lock, uint64_t tag, int64_t deadline) {
  int rc = robust_held() < LOCK_MOST ? robust_trylock(&lock->robust) : -EBUSY;
  return rc < 0 ? acquire_slowly(lock, tag, deadline) : begin(lock, tag, rc);
}

int lock_release(struct lock *lock) {
  if (!lock_is_mine(lock)) return -EPERM;
  if (--lock->depth == 0) robust_unlock(&lock->robust);
  return 0;
}

int lock_drop(struct lock *lock, uint64_t tag) {
  if (lock_is_mine(lock)) {
    if (lock->tag == tag) lock_park(lock);
    return 0;
  }
  return robust_is_ours(&lock->robust) && lock->tag == tag ? -EBUSY : 0;
}

struct lock_hold lock_park(struct lock *lock) {
  struct lock_hold hold = {lock->depth, lock->tag};
  robust_unlock(&lock->robust);
  return hold;
}

int lock_unpark(struct lock *lock, struct lock_hold hold) {
  int rc = begin(lock, hold.tag, robust_lock(&lock->robust));
  lock->depth = hold.depth;
  return rc;
}

int lock_enter(struct lock *lock, int64_t deadline) {
  int rc = robust_lock_until(&lock->robust, deadline);
  if (rc < 0) return rc;
  if (rc == ROBUST_DIED) {
    lock->died = 1;
    pass_journal();
  }
  return 0;
}

void lock_leave(struct lock *lock) {
  robust_unlock(&lock->robust);
}
