/* Two children of mphost's address space, forked, a word from one of them, both joined. */
#include <mphost.h>

#include "tool/bench.h"

static void cycle(_Atomic uint32_t *word) {
  *word = 0;
  pid_t pids[2];
  for (int k = 0; k < 2; k++) {
    pids[k] = bench_fork();
    if (!pids[k]) {
      bench_ready(word);
      _exit(0);
    }
  }
  bench_await(word, 1);
  for (int k = 0; k < 2; k++) bench_join(pids[k]);
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  mph_config config = MPH_CONFIG_INIT;
  mph_host *host;
  if (mph_open(&host, &config) < 0) return 1;
  if (mph_run_string(host, "local mp = require 'mphost' mp.Queue():put(1)", NULL) < 0) return 1;
  _Atomic uint32_t *word = bench_shared(4096);
  long n = bench_count(300);
  double start = bench_now();
  for (long i = 0; i < n; i++) cycle(word);
  bench_figure("time", (bench_now() - start) / (double)n * 1e3);
  mph_close(host);
}
