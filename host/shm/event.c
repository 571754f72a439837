/* Events: see event.h. */
#include "shm/event.h"

#include <errno.h>

#include "os/clock.h"
#include "os/futex.h"
#include "shm/object.h"

uint64_t event_new(struct link *list, uint64_t *hold) {
  return object_new(sizeof(struct event), BLOCK_EVENT, list, hold);
}

void event_set(struct event *event) {
  uint32_t state = atomic_load(&event->state);
  do
    if (state & 1) return;
  while (!atomic_compare_exchange_weak(&event->state, &state, (state + 2) | 1));
  if (!atomic_load(&event->asleep)) return;
  atomic_store(&event->asleep, 0);
  futex_wake(&event->state, INT32_MAX);
}

void event_clear(struct event *event) {
  atomic_fetch_and(&event->state, ~1u);
}

static int has_come(const struct event *event, uint32_t since) {
  uint32_t state = atomic_load(&event->state);
  return (state & 1) || state >> 1 != since >> 1;
}

int event_wait(struct event *event, uint32_t since, int64_t deadline) {
  if (has_come(event, since)) return 0;
  if (deadline != CLOCK_NEVER && clock_now() >= deadline) return -ETIMEDOUT;
  for (int spins = futex_spins(); spins > 0; spins--) {
    futex_pause();
    if (has_come(event, since)) return 0;
  }
  for (;;) {
    atomic_store(&event->asleep, 1);
    if (has_come(event, since)) return 0;
    if (deadline != CLOCK_NEVER && clock_now() >= deadline) return -ETIMEDOUT;
    /* Not set and never set since: the state is the one of `since`, but for its bit. */
    int rc = futex_wait(&event->state, since & ~1u, clock_slice(deadline));
    if (rc == -EINTR) return rc;
  }
}
