/* A lock in shared memory that survives its owner.

   When the owner dies, at whatever instruction, the kernel marks the word and wakes a waiter; the
   next one to lock gets ROBUST_DIED and with it the duty to look whether what the lock protects is
   whole. Everything under these locks is built so that there is nothing to repair: one store
   commits (queue.h), or the journal does.

   The lock stands in glibc's own robust list of the thread, so its layout is that of a pthread
   mutex as far as the kernel cares: the futex word lies 32 bytes before the list entry. Uncontended
   it costs about half of what a robust pthread mutex costs. Where the C library keeps another
   offset, a robust pthread mutex is used instead.

   word     owner's thread id | WAITERS | OWNER_DIED; written by whoever takes or gives the lock,
   and by the kernel node     the list entry; written by the owner only, while it owns Writer dies:
   before the compare-and-swap: nothing happened. After it: list_op_pending or the list itself tells
   the kernel. In unlock after the exchange: pending makes the kernel wake a waiter. A waiter that
   is killed between its wake and its taking of the lock swallows that wake: waiters sleep in
   slices.

   A lock's memory must not be used for anything else while any process may still be inside unlock:
   locks live in objects, and who locks holds a reference to the object (object.h). The kernel gives
   back ROBUST_MOST locks of a thread and forgets the others: robust_held counts. Never hold one
   across fork or across a call into Lua, but for those that are made to be held so (lock.h). A
   forked child holds none of its parent's: it has another thread id, and the C library gives it an
   empty list. */
#ifndef SHM_ROBUST_H
#define SHM_ROBUST_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { ROBUST_OK = 0, ROBUST_DIED = 1 };

#define ROBUST_MOST 2048 /* the kernel's ROBUST_LIST_LIMIT */

typedef struct robust {
  _Atomic uint32_t word;
  uint32_t pad[5];
  void *prev; /* of the thread's list; the C library wants it in front of node */
  void *node;
} robust;
_Static_assert(sizeof(robust) == 40, "as large as a pthread_mutex_t, which stands in for it");

/* Makes the memory a free lock. Only before anybody else knows it. */
void robust_init(robust *lock);

/* Takes the lock, waiting until the deadline (os/clock.h): ROBUST_OK, ROBUST_DIED (taken; the last
   owner died holding it), -ETIMEDOUT, -EINTR (a signal handler ran
   while it slept). */
int robust_lock_until(robust *lock, int64_t deadline);

/* The same at once or not at all: -EBUSY. */
int robust_trylock(robust *lock);

/* Takes the lock however long it takes: ROBUST_OK or ROBUST_DIED. */
int robust_lock(robust *lock);

/* Gives back what this thread holds. */
void robust_unlock(robust *lock);

/* Marks a lock that this thread holds as waited for, so that the kernel wakes somebody when it
 * dies. */
void robust_expect_waiters(robust *lock);

/* Whether this thread holds it. */
int robust_is_mine(const robust *lock);

/* How many this thread holds. */
int robust_held(void);

/* Whether another thread of this process holds it. */
int robust_is_ours(const robust *lock);

/* Whether this thread holds a robust lock, of anybody's, that lies in this memory. */
int robust_held_in(const void *memory, size_t size);

/* Whether nobody alive holds it: never taken, given back, or its owner died. */
int robust_is_free(const robust *lock);

#endif
