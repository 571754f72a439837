/* A bounded semaphore: n permits, each a word that says who has it. The permits of a process that
   died are there to be taken again, so they cannot get lost, and none can be given back twice.

   owner[i]  0, or the id (family.h) of the process that has it. Taken by compare-and-swap from 0
             or from a dead process's id: the permit and the record of who has it are one store.
             Given back by compare-and-swap to 0, by its owner only.
   hint      where the last change was: a free one is probably there
   gate      where takers sleep; a wake for a permit given back. A death wakes nobody: takers look
             for dead owners each slice.
   n         never changes */
#ifndef SHM_PERMITS_H
#define SHM_PERMITS_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm/gate.h"
#include "shm/heap.h"

#define PERMITS_MOST 65536

enum { PERMITS_OK = 0, PERMITS_DIED = 1 };

struct permits {
  uint32_t n;
  _Atomic uint32_t hint;
  struct gate gate;
  _Atomic uint64_t owner[];
};

/* n <= PERMITS_MOST permits, with one hold: the offset and *hold; 0: no memory. */
uint64_t permits_new(uint32_t n, struct link *list, uint64_t *hold);

/* Takes one: PERMITS_OK; PERMITS_DIED: it was a dead process's; -ETIMEDOUT, -EINTR. */
int permits_acquire(struct permits *p, int64_t deadline);

/* Gives one of this process's back: 0, or -EPERM: it has none. */
int permits_release(struct permits *p);

/* How many can be taken. */
uint32_t permits_value(struct permits *p);

/* How many this process has. */
uint32_t permits_mine(struct permits *p);

#endif
