/* x*x+1 over 100 000 shared integers by two processes that claim 1 to 10 000 of them with one
   fetch_add; the caller waits, then copies the results. */
#include "tool/bench.h"

#define RUNS 20

struct shared {
  _Atomic uint64_t next BENCH_LINE;
  _Atomic uint32_t go BENCH_LINE;
  _Atomic uint32_t done BENCH_LINE;
  uint64_t n, chunk;
  int64_t items[];
};

static void work(struct shared *s, int64_t *results) {
  for (uint64_t at; (at = atomic_fetch_add(&s->next, s->chunk)) < s->n;) {
    uint64_t end = at + s->chunk < s->n ? at + s->chunk : s->n;
    for (; at < end; at++) results[at] = s->items[at] * s->items[at] + 1;
  }
}

static double run(struct shared *s, int64_t *results, uint64_t chunk) { /* items per second */
  int64_t *copy = malloc(s->n * sizeof *copy);
  if (!copy) exit(1);
  double seconds = 0;
  s->chunk = chunk;
  s->go = s->done = 0;
  pid_t pids[2];
  for (int k = 0; k < 2; k++) {
    pids[k] = bench_fork();
    if (pids[k]) continue;
    bench_pin(k);
    for (uint32_t turn = 1; turn <= RUNS; turn++) {
      bench_await(&s->go, turn);
      work(s, results);
      bench_ready(&s->done);
    }
    _exit(0);
  }
  for (uint32_t turn = 1; turn <= RUNS; turn++) {
    double start = bench_now();
    s->next = 0;
    atomic_store(&s->go, turn);
    while (atomic_load(&s->done) < 2 * turn) usleep(50); /* both CPUs are the workers' */
    memcpy(copy, results, s->n * sizeof *copy);
    if (turn > 1) seconds += bench_now() - start; /* the first finds the workers asleep */
    if (copy[s->n - 1] != (int64_t)(s->n * s->n + 1)) exit(1);
  }
  for (int k = 0; k < 2; k++) bench_join(pids[k]);
  free(copy);
  return (double)s->n * (RUNS - 1) / seconds;
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  uint64_t n = (uint64_t)bench_count(1e5);
  struct shared *s = bench_shared(sizeof *s + n * sizeof(int64_t));
  int64_t *results = bench_shared(n * sizeof *results);
  s->n = n;
  for (uint64_t i = 0; i < n; i++) s->items[i] = (int64_t)i + 1;
  bench_figure("default", run(s, results, 1000) / 1e6);
  for (uint64_t chunk = 1; chunk <= 10000; chunk *= 10) {
    char name[32];
    snprintf(name, sizeof name, "chunk%d", (int)chunk);
    bench_figure(name, run(s, results, chunk) / 1e6);
  }
  double start = bench_now();
  volatile int64_t *items = s->items, *out = results;
  for (int turn = 0; turn < RUNS; turn++)
    for (uint64_t i = 0; i < n; i++) out[i] = items[i] * items[i] + 1;
  bench_figure("loop", (double)n * RUNS / (bench_now() - start) / 1e6);
}
