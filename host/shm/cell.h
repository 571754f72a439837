/* One typed number in shared memory: every operation is one atomic step, none takes a lock, so
   nobody can die in the middle.

   bits     the value: an integer, a boolean, or a double's bits
   changes  counts up when somebody sleeps and the value was written: what sleepers sleep on
   asleep   set before sleeping; a writer that sees it pays the system call */
#ifndef SHM_CELL_H
#define SHM_CELL_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm/heap.h"
#include "shm/number.h"

struct cell {
  _Atomic uint64_t bits;
  _Atomic uint32_t changes;
  _Atomic uint32_t asleep;
  uint32_t type; /* string.pack's letter; never changes */
};

/* A new cell of a type with one hold: its offset and *hold; 0: no memory. */
uint64_t cell_new(char type, uint64_t bits, struct link *list, uint64_t *hold);

uint64_t cell_load(const struct cell *cell);
void cell_store(struct cell *cell, uint64_t bits);
uint64_t cell_swap(struct cell *cell, uint64_t bits);
/* Adds to an integer of 64 bits, which wraps: the value before. */
uint64_t cell_add(struct cell *cell, uint64_t x);
/* Applies a step, again and again until nobody came between: 0 and the value before, or -ERANGE. */
int cell_apply(struct cell *cell, number_step *step, uint64_t x, uint64_t *before);
/* Writes `bits` if the value is still `expected`, bit for bit: 1 done, 0 not. */
int cell_replace(struct cell *cell, uint64_t expected, uint64_t bits);
/* Writes `bits` if the value equals `old` (number_equal): 1 done, 0 not. */
int cell_cas(struct cell *cell, uint64_t old, uint64_t bits);

/* Sleeps while the value equals `old` (number_equal): 0, -ETIMEDOUT, -EINTR. */
int cell_wait(struct cell *cell, uint64_t old, int64_t deadline);
/* Wakes whoever sleeps on it: they look at the value again. */
void cell_notify(struct cell *cell);

#endif
