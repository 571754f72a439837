/* Semaphores: see semaphore.h. */
#include "shm/semaphore.h"

#include "shm/object.h"

uint64_t semaphore_new(uint32_t count, struct link *list, uint64_t *hold) {
  uint64_t offset = object_new(sizeof(struct semaphore), BLOCK_SEMAPHORE, list, hold);
  if (!offset) return 0;
  atomic_store(&((struct semaphore *)heap_payload(offset))->count, count);
  return offset;
}

/* How many there were, 0: none was taken. */
static uint32_t try_take(struct semaphore *s) {
  uint32_t count = semaphore_value(s); /* seq_cst: the look between gate_enter and gate_sleep */
  while (count > 0)
    if (atomic_compare_exchange_weak(&s->count, &count, count - 1)) break;
  return count;
}

static int acquire_asleep(struct semaphore *s, int64_t deadline) {
  for (;;) {
    uint32_t turn = gate_enter(&s->gate), there = try_take(s);
    if (there > 1) gate_wake(&s->gate, 1);
    if (there) return 0;
    int rc = gate_sleep(&s->gate, turn, deadline);
    if (rc < 0) return rc;
  }
}

int semaphore_acquire(struct semaphore *s, int64_t deadline) {
  if (try_take(s)) return 0;
  if (deadline != CLOCK_NEVER && clock_now() >= deadline) return -ETIMEDOUT;
  for (int spins = futex_spins(); spins > 0; spins--) {
    futex_pause();
    if (semaphore_value(s) && try_take(s)) return 0;
  }
  return acquire_asleep(s, deadline);
}

int semaphore_release(struct semaphore *s, uint32_t n) {
  uint32_t count = atomic_load_explicit(&s->count, memory_order_relaxed);
  do
    if (n > SEMAPHORE_MOST - count) return -ERANGE;
  while (!atomic_compare_exchange_weak(&s->count, &count, count + n));
  gate_wake(&s->gate, (int)n);
  return 0;
}
