/* A condition: who holds its lock waits in a line until somebody who holds it notifies.

   Each waiter has an entry in a table that grows by blocks of the condition's own and never moves.
   Entries are taken, notified and freed only under the lock, so the line is exact: notify wakes the
   one that waits longest and lives.

   lock      the lock's offset; the condition owns a hold on it. Never changes
   tickets   the last number in the line; under the lock
   next      the table's next part, 0: none yet; under the lock
   high      entries from here on were never taken; under the lock, before the owner of the last one
             of them, so who dies in between leaves a free entry
   owner     0: the entry is free; the waiter's process (family.h). Stored last when the waiter
             comes and first when it goes
   state     WAITING -> SLEEPING by the waiter, which asks for a wake by that; -> NOTIFIED under the
             lock. What the waiter sleeps on (its low half)
   ticket    place in the line; written by the waiter before its owner

   Waiter dies: its entry is skipped, and freed by the next who comes. If it had been notified and
   not come back yet, its notification goes on to the next in line: freeing the one entry and
   notifying the other is one transaction (journal.h); who sleeps looks for such dead ones each
   slice. A waiter whose time is over takes the lock before it looks whether it was notified
   meanwhile: no notification is lost there either.
   Notifier dies: each store of NOTIFIED is one notification; those it made are made. Dies between
   adding a part of the table and linking it: that part lies idle until the condition goes. */
#ifndef SHM_CONDITION_H
#define SHM_CONDITION_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm/heap.h"
#include "shm/lock.h"

#define CONDITION_PART 15

struct waiter {
  _Atomic uint64_t owner;
  _Atomic uint64_t state;
  uint64_t ticket;
  uint64_t pad;
};

struct waiters {
  _Atomic uint64_t next;
  uint64_t pad[3];
  struct waiter waiter[CONDITION_PART];
};
_Static_assert(sizeof(struct waiters) == 512, "entries do not straddle cache lines");

struct condition {
  uint64_t lock;
  uint64_t tickets;
  _Atomic uint64_t high;
  uint64_t pad[5];
  struct waiters first;
};

/* A new condition of the lock, or of a recursive one of its own (lock 0), with one hold: its offset
   and *hold; 0: no memory. */
uint64_t condition_new(uint64_t lock, struct link *list, uint64_t *hold);

static inline struct lock *condition_lock(const struct condition *c) {
  return heap_payload(c->lock);
}

/* A wait: between condition_begin and condition_end the caller stands in the line and does not have
   the lock. */
struct waiting {
  struct waiter *entry;
  struct lock_hold hold;
};

/* Joins the line and gives the lock back wholly: 0; -EPERM (it does not hold the lock), -ENOMEM. */
int condition_begin(uint64_t condition, struct waiting *w);

/* Sleeps until it is notified: 0, -ETIMEDOUT, -EINTR; whatever it is, condition_end follows, or
   another condition_sleep. */
int condition_sleep(struct condition *c, struct waiting *w, int64_t deadline);

/* Takes the lock as it was and leaves the line: 0; -ETIMEDOUT: it was not notified. *died: a holder
   of the lock died meanwhile. */
int condition_end(struct condition *c, struct waiting *w, int *died);

/* The same for one that has no use for its notification: the next in line gets it. */
void condition_give_up(struct condition *c, struct waiting *w);

/* All of a wait; signal handlers do not end it. */
int condition_wait(uint64_t condition, int64_t deadline, int *died);

/* Notifies the n that wait longest: how many there were; -EPERM: it does not hold the lock. */
int condition_notify(struct condition *c, uint32_t n);

#endif
