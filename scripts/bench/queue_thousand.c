/* A thousand processes put into one bounded queue, the parent gets: integers from the first word on
   until the last. */
#include "tool/many.h"

#define EACH 200

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  long processes = bench_count(1000);
  struct many *q = many_new();
  struct gate gate = gate_new();
  pid_t *pids = malloc((size_t)processes * sizeof *pids);
  if (!pids) return 1;
  for (long k = 0; k < processes; k++) {
    pids[k] = bench_fork();
    if (pids[k]) continue;
    gate_wait(&gate);
    for (uint64_t i = 1; i <= EACH; i++) many_put(q, i);
    _exit(0);
  }
  usleep(50000); /* all are at the gate */
  double start = bench_now();
  gate_open(&gate);
  uint64_t sum = 0;
  for (long i = 0; i < processes * EACH; i++) sum += many_get(q);
  double seconds = bench_now() - start;
  for (long k = 0; k < processes; k++) bench_join(pids[k]);
  if (sum != (uint64_t)processes * EACH * (EACH + 1) / 2) return 1;
  bench_figure("rate", (double)processes * EACH / seconds / 1e6);
}
