/* A pipe: two ends, each an object of its own, with a queue for either direction.

   An end holds both queues (its `owned` list) and says which one it reads and which it writes; the
   other end has them the other way round. When the last hold on an end goes, whoever takes the end
   apart closes its queues: the other end drains what is in and then reads "closed". So a process's
   death closes its end as soon as it is reaped, and a message that carries an end keeps it open.

   in, out, peer   written by the creator before anybody else knows the end. `peer` is an offset
   without a hold: the other end may be gone, and is only asked how many holds it has.
   Dies while it takes an end apart: closing twice is as good as once, the next who sweeps does it.

   "Closed" is final: nobody has the other end, and nobody ever will. Somebody who waits without a
   deadline although nobody but itself has the other end would wait for ever; pipe_is_lonely says
   so, and the wait ends with an error, as a lock's does that its holder takes again (an end that it
   only inherited by a fork it gives up instead, which closes the pipe). A queue has no ends: who
   waits for one that nobody else has waits. */
#ifndef SHM_PIPE_H
#define SHM_PIPE_H

#include <stdint.h>

#include "shm/heap.h"

struct end {
  uint64_t in, out; /* queues; 0: not in this direction */
  uint64_t peer;
};

/* In the first process of a family, before any pipe; again changes nothing. */
void pipe_init(void);

/* A new pipe: both ends' offsets with a hold in the list for each. Not duplex: the first only
   reads, the second only writes. 0 or -ENOMEM. */
int pipe_new(int duplex, struct link *list, uint64_t end[2], uint64_t hold[2]);

static inline struct end *pipe_end(uint64_t end) {
  return heap_payload(end);
}

/* Whether nobody has the other end, `mine` holds on it not counted. */
int pipe_is_lonely(uint64_t end, int mine);

#endif
