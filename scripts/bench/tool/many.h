/* A bounded queue of integers for any number of producers and consumers (Vyukov's: a turn counter
   in each slot). Whoever is killed between claiming a slot and publishing it hangs the others.
   Waits by spinning a little, then by giving the CPU to the others. */
#ifndef MANY_H
#define MANY_H

#include "tool/bench.h"

#define MANY_SLOTS 4096u

struct many_slot {
  _Atomic uint64_t turn;
  uint64_t value;
} BENCH_LINE;

struct many {
  _Atomic uint64_t put BENCH_LINE;
  _Atomic uint64_t got BENCH_LINE;
  struct many_slot slots[MANY_SLOTS];
};

static inline struct many *many_new(void) {
  struct many *q = bench_shared(sizeof *q);
  for (uint64_t k = 0; k < MANY_SLOTS; k++) q->slots[k].turn = k;
  return q;
}

/* The slot of the next place in the order, once its turn has come; `ahead`: 0 to put, 1 to get. */
static inline struct many_slot *many_claim(struct many *q, _Atomic uint64_t *next, uint64_t ahead,
                                           uint64_t *place) {
  uint64_t at = atomic_load_explicit(next, memory_order_relaxed);
  for (unsigned idle = 0;;) {
    struct many_slot *slot = &q->slots[at % MANY_SLOTS];
    uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
    if (turn == at + ahead && atomic_compare_exchange_weak(next, &at, at + 1)) {
      *place = at;
      return slot;
    }
    if (turn < at + ahead) { /* full, or empty */
      bench_pause();
      if (++idle % 100 == 0) sched_yield();
    }
    at = atomic_load_explicit(next, memory_order_relaxed);
  }
}

static inline void many_put(struct many *q, uint64_t value) {
  uint64_t place;
  struct many_slot *slot = many_claim(q, &q->put, 0, &place);
  slot->value = value;
  atomic_store_explicit(&slot->turn, place + 1, memory_order_release);
}

static inline uint64_t many_get(struct many *q) {
  uint64_t place;
  struct many_slot *slot = many_claim(q, &q->got, 1, &place);
  uint64_t value = slot->value;
  atomic_store_explicit(&slot->turn, place + MANY_SLOTS, memory_order_release);
  return value;
}

/* A gate: children sleep at it until the parent opens it. */
struct gate {
  int ends[2];
};

static inline struct gate gate_new(void) {
  struct gate gate;
  if (pipe(gate.ends) < 0) exit(1);
  return gate;
}

static inline void gate_wait(const struct gate *gate) {
  char none;
  close(gate->ends[1]);
  if (read(gate->ends[0], &none, 1) != 0) exit(1);
}

static inline void gate_open(const struct gate *gate) {
  close(gate->ends[0]);
  close(gate->ends[1]);
}

#endif
