/* A lock for scripts: held as long as they like, across calls into Lua, by a thread of a process;
   plain or recursive. It is given back by whoever dies with it (robust.h).

   robust     the lock itself; all other words are written by its holder only
   depth      how often a recursive lock was taken; begins anew with each first taking, so what a
              dead holder left there does not matter
   tag        through what it was taken: a handle's address in the holder's process. It tells which
              handle gives it back when it is collected; 0: none.
   died       a holder's death that was met inside another operation (condition.h) and that nobody
              has been told of yet
   recursive  never changes

   Dies holding it: the next one to take it is told so. Dies while taking or giving it back: the
   same, or nothing. The next holder passes the journal's lock once: then all that the dead one did
   in transactions before is there.

   While it is held its memory hangs in the holder's robust list, so the handle that it was taken
   through keeps its hold until then: see lock_drop. */
#ifndef SHM_LOCK_H
#define SHM_LOCK_H

#include <stdint.h>

#include "shm/heap.h"
#include "shm/robust.h"

enum { LOCK_OK = 0, LOCK_DIED = 1 };

/* A thread may hold so many; the rest of ROBUST_MOST is for the library's own locks. */
#define LOCK_MOST (ROBUST_MOST - 48)

struct lock {
  robust robust;
  uint64_t depth;
  uint64_t tag;
  uint32_t recursive;
  uint32_t died;
};
_Static_assert(sizeof(struct lock) == 64, "one cache line");

/* A new lock with one hold: its offset and *hold; 0: no memory. */
uint64_t lock_new(int recursive, struct link *list, uint64_t *hold);

/* Takes it: LOCK_OK; LOCK_DIED: taken, the last holder died with it; -ETIMEDOUT, -EINTR;
   -EDEADLK: this thread holds it, it is plain, and there is no deadline; -EMFILE: this thread holds
   LOCK_MOST locks. */
int lock_acquire(struct lock *lock, uint64_t tag, int64_t deadline);

/* Gives it back, a recursive one once: 0, or -EPERM: this thread does not hold it. */
int lock_release(struct lock *lock);

static inline int lock_is_mine(const struct lock *lock) {
  return robust_is_mine(&lock->robust);
}

/* Whether anybody holds it. */
static inline int lock_is_held(const struct lock *lock) {
  return !robust_is_free(&lock->robust);
}

/* Gives it back wholly if this thread took it through `tag`: 0. -EBUSY: another thread of this
   process took it so, and its memory must stay. */
int lock_drop(struct lock *lock, uint64_t tag);

/* How it is held; for who gives it back for a while. */
struct lock_hold {
  uint64_t depth, tag;
};

/* Gives it back wholly. It must be this thread's. */
struct lock_hold lock_park(struct lock *lock);
/* Takes it as it was held: LOCK_OK or LOCK_DIED. */
int lock_unpark(struct lock *lock, struct lock_hold hold);

/* Takes and gives it back for a short while, inside an operation: 0, -ETIMEDOUT, -EINTR. A death
   met is kept for the next lock_acquire. */
int lock_enter(struct lock *lock, int64_t deadline);
void lock_leave(struct lock *lock);

#endif
