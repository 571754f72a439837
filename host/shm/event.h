/* A flag that processes wait for.

   state   bit 0: it is set; above, how often it was set. Changed by compare-and-swap; what waiters
           sleep on. The count lets who waited see that it was set even if it was cleared at once.
   asleep  set before sleeping; who sets the flag and sees it pays the system call

   Nothing is owned, no waiter leaves a trace. Dies between setting and waking: the waiters look
   again after a slice. */
#ifndef SHM_EVENT_H
#define SHM_EVENT_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm/heap.h"

struct event {
  _Atomic uint32_t state;
  _Atomic uint32_t asleep;
};

/* A new event, not set, with one hold: its offset and *hold; 0: no memory. */
uint64_t event_new(struct link *list, uint64_t *hold);

void event_set(struct event *event);
void event_clear(struct event *event);

static inline int event_is_set(const struct event *event) {
  return (int)(atomic_load(&event->state) & 1);
}

/* Waits until it is set, or was set since `since` (event_now): 0, -ETIMEDOUT, -EINTR. */
int event_wait(struct event *event, uint32_t since, int64_t deadline);

/* What event_wait compares with. */
static inline uint32_t event_now(const struct event *event) {
  return atomic_load(&event->state);
}

#endif
