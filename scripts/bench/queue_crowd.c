/* Integers through one bounded queue with eight processes, beside the same with two. */
#include "tool/many.h"

static pid_t start(struct many *q, const struct gate *gate, _Atomic uint64_t *got, long puts) {
  pid_t pid = bench_fork();
  if (pid) return pid;
  gate_wait(gate);
  for (long i = 1; i <= puts; i++) many_put(q, (uint64_t)i);
  if (!puts) {
    uint64_t n = 0;
    while (many_get(q)) n++;
    atomic_fetch_add(got, n);
  }
  _exit(0);
}

static double rate(int producers, int consumers) { /* M/s */
  struct many *q = many_new();
  _Atomic uint64_t *got = bench_shared(4096);
  struct gate gate = gate_new();
  long each = bench_count(2e6 / producers);
  pid_t pids[8];
  for (int k = 0; k < producers + consumers; k++)
    pids[k] = start(q, &gate, got, k < producers ? each : 0);
  usleep(20000); /* all are at the gate */
  double start = bench_now();
  gate_open(&gate);
  for (int k = 0; k < producers; k++) bench_join(pids[k]);
  for (int k = 0; k < consumers; k++) many_put(q, 0); /* the end, for each */
  for (int k = 0; k < consumers; k++) bench_join(pids[producers + k]);
  double seconds = bench_now() - start;
  if (*got != (uint64_t)(each * producers)) exit(1);
  munmap(q, sizeof *q);
  munmap((void *)got, 4096);
  return (double)each * producers / seconds / 1e6;
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  bench_figure("one_to_one", rate(1, 1));
  bench_figure("one_to_seven", rate(1, 7));
  bench_figure("seven_to_one", rate(7, 1));
  bench_figure("four_to_four", rate(4, 4));
}
