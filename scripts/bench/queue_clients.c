/* Four clients at one server: each puts integers into its queue, one at a time, and gets the answer
   from one of its own. */
#include "tool/many.h"

#define CLIENTS 4

static void serve(struct many *requests, struct many **back, long n) {
  for (long i = 0; i < CLIENTS * n; i++) {
    uint64_t request = many_get(requests);
    many_put(back[request % CLIENTS], request);
  }
}

static void ask(struct many *requests, struct many *own, uint64_t k, long n) {
  for (uint64_t i = 0; i < (uint64_t)n; i++) {
    many_put(requests, i * CLIENTS + k);
    if (many_get(own) != i * CLIENTS + k) _exit(1);
  }
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  long n = bench_count(1e5);
  struct many *requests = many_new(), *back[CLIENTS];
  struct gate gate = gate_new();
  pid_t pids[CLIENTS + 1];
  for (int k = 0; k < CLIENTS; k++) back[k] = many_new();
  for (int k = 0; k <= CLIENTS; k++) {
    pids[k] = bench_fork();
    if (pids[k]) continue;
    gate_wait(&gate);
    if (k == CLIENTS)
      serve(requests, back, n);
    else
      ask(requests, back[k], (uint64_t)k, n);
    _exit(0);
  }
  usleep(20000); /* all are at the gate */
  double start = bench_now();
  gate_open(&gate);
  for (int k = 0; k <= CLIENTS; k++) bench_join(pids[k]);
  bench_figure("time", (bench_now() - start) / (double)n * 1e6);
}
