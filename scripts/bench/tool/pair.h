/* Two processes at the same time, each on a CPU of its own, and how long they take together; and
   one of them alone. */
#ifndef PAIR_H
#define PAIR_H

#include "tool/bench.h"

typedef void pair_side(void *work);

struct pair {
  _Atomic uint32_t awake BENCH_LINE;
  _Atomic uint32_t through BENCH_LINE;
};

/* Seconds of one process by itself. */
static inline double pair_alone(pair_side *side, void *work) {
  bench_pin(0);
  double start = bench_now();
  side(work);
  return bench_now() - start;
}

/* Seconds from when both processes are awake until both are through; `child` in a forked one. */
static inline double pair_time(pair_side *child, pair_side *parent, void *work) {
  struct pair *pair = bench_shared(sizeof *pair);
  pid_t pid = bench_fork();
  bench_pin(pid == 0);
  bench_ready(&pair->awake);
  bench_await(&pair->awake, 2);
  if (!pid) {
    child(work);
    bench_ready(&pair->through);
    _exit(0);
  }
  double start = bench_now();
  parent(work);
  for (unsigned turns = 1; !atomic_load(&pair->through); turns++) {
    bench_pause();
    if (turns % 100000 == 0 && bench_ended(pid)) break; /* it failed */
  }
  double seconds = bench_now() - start;
  bench_join(pid);
  munmap(pair, sizeof *pair);
  return seconds;
}

#endif
