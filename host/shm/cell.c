/* One shared number: see cell.h. */
#include "shm/cell.h"

#include <errno.h>

#include "os/clock.h"
#include "os/futex.h"
#include "shm/object.h"

uint64_t cell_new(char type, uint64_t bits, struct link *list, uint64_t *hold) {
  uint64_t offset = object_new(sizeof(struct cell), BLOCK_VALUE, list, hold);
  if (!offset) return 0;
  struct cell *cell = heap_payload(offset);
  cell->type = (uint32_t)type;
  cell->bits = bits;
  return offset;
}

void cell_notify(struct cell *cell) {
  if (!atomic_load_explicit(&cell->asleep, memory_order_relaxed))
    return; /* after a seq_cst write */
  atomic_store(&cell->asleep, 0);
  atomic_fetch_add(&cell->changes, 1);
  futex_wake(&cell->changes, INT32_MAX);
}

uint64_t cell_load(const struct cell *cell) {
  return atomic_load_explicit(
      &cell->bits, memory_order_acquire); /* acquire: what its writer wrote before is seen */
}

void cell_store(struct cell *cell, uint64_t bits) {
  atomic_store(&cell->bits, bits);
  cell_notify(cell);
}

uint64_t cell_swap(struct cell *cell, uint64_t bits) {
  uint64_t before = atomic_exchange(&cell->bits, bits);
  cell_notify(cell);
  return before;
}

uint64_t cell_add(struct cell *cell, uint64_t x) {
  uint64_t before = atomic_fetch_add(&cell->bits, x);
  cell_notify(cell);
  return before;
}

int cell_apply(struct cell *cell, number_step *step, uint64_t x, uint64_t *before) {
  uint64_t old = atomic_load_explicit(&cell->bits, memory_order_relaxed), new;
  do {
    int rc = step(cell->type, old, x, &new);
    if (rc < 0) return rc;
  } while (!atomic_compare_exchange_weak(&cell->bits, &old, new));
  *before = old;
  cell_notify(cell);
  return 0;
}

int cell_replace(struct cell *cell, uint64_t expected, uint64_t bits) {
  if (!atomic_compare_exchange_strong(&cell->bits, &expected, bits)) return 0;
  cell_notify(cell);
  return 1;
}

/* Once, but for the zeros: they are equal and differ in a bit. */
int cell_cas(struct cell *cell, uint64_t old, uint64_t bits) {
  const struct number *type = number_of(cell->type);
  uint64_t before = old;
  while (number_equal(type, before, old)) { /* false at once for a NaN */
    if (!atomic_compare_exchange_strong(&cell->bits, &before, bits)) continue;
    cell_notify(cell);
    return 1;
  }
  return 0;
}

int cell_wait(struct cell *cell, uint64_t old, int64_t deadline) {
  const struct number *type = number_of(cell->type);
  for (;;) {
    uint32_t changes = atomic_load(&cell->changes);
    atomic_store(&cell->asleep, 1);
    if (!number_equal(type, atomic_load(&cell->bits), old)) return 0;
    if (deadline != CLOCK_NEVER && clock_now() >= deadline) return -ETIMEDOUT;
    if (futex_wait(&cell->changes, changes, clock_slice(deadline)) == -EINTR) return -EINTR;
  }
}
