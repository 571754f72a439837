/* A semaphore for signalling: a number of permits that anybody may add to. Nobody owns them, so the
   death of who took one changes nothing; permits with owners are permits.h.

   count  permits; taken and added by one compare-and-swap
   gate   where takers sleep. One wake for one permit; who was woken and sees more permits wakes the
          next, so that adding twice before the first sleeper has looked loses nothing. */
#ifndef SHM_SEMAPHORE_H
#define SHM_SEMAPHORE_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm/gate.h"
#include "shm/heap.h"

#define SEMAPHORE_MOST INT32_MAX

struct semaphore {
  _Atomic uint32_t count;
  struct gate gate;
};

/* A new semaphore with one hold: its offset and *hold; 0: no memory. */
uint64_t semaphore_new(uint32_t count, struct link *list, uint64_t *hold);

/* Takes a permit: 0, -ETIMEDOUT, -EINTR. */
int semaphore_acquire(struct semaphore *s, int64_t deadline);

/* Adds n permits: 0, or -ERANGE: there would be more than SEMAPHORE_MOST. */
int semaphore_release(struct semaphore *s, uint32_t n);

static inline uint32_t semaphore_value(const struct semaphore *s) {
  return atomic_load(&s->count);
}

#endif
