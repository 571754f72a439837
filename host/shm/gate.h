/* Where processes sleep until something may have changed, and what it costs to wake them: nothing,
   when nobody sleeps.

   turn    counts up with each wake: what sleepers sleep on
   asleep  set before sleeping, cleared by who wakes. Not a count: the dead cannot lower it.

   A sleeper enters, looks whether it must wait, and only then sleeps; who changes something does so
   by a seq_cst write and then wakes. So either the sleeper sees the change, or the other sees it
   asleep, or turn has moved on. Woken ones enter again and so set `asleep` for those that sleep on.
   Dies between the change and the wake, or woken and before it has looked: the sleepers look again
   after a slice. */
#ifndef SHM_GATE_H
#define SHM_GATE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>

#include "os/clock.h"
#include "os/futex.h"

struct gate {
  _Atomic uint32_t turn;
  _Atomic uint32_t asleep;
};

/* Before the look: what gate_sleep wants. */
static inline uint32_t gate_enter(struct gate *gate) {
  uint32_t turn = atomic_load(&gate->turn);
  atomic_store(&gate->asleep, 1);
  return turn;
}

/* Sleeps a slice at most, unless there was a wake since gate_enter: 0 look again, -ETIMEDOUT,
   -EINTR. */
static inline int gate_sleep(struct gate *gate, uint32_t turn, int64_t deadline) {
  if (deadline != CLOCK_NEVER && clock_now() >= deadline) return -ETIMEDOUT;
  return futex_wait(&gate->turn, turn, clock_slice(deadline)) == -EINTR ? -EINTR : 0;
}

/* Wakes up to n sleepers. */
static inline void gate_wake(struct gate *gate, int n) {
  if (!atomic_load(&gate->asleep)) return;
  atomic_store(&gate->asleep, 0);
  atomic_fetch_add(&gate->turn, 1);
  futex_wake(&gate->turn, n);
}

#endif
