/* Proportional memory of one of eight children of mphost's address space that only sleep. */
#include <mphost.h>
#include <signal.h>

#include "tool/bench.h"

static double pss(pid_t pid) { /* MB */
  char path[64], line[256];
  long kb = 0;
  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
  FILE *file = fopen(path, "r");
  if (!file) exit(1);
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "Pss: %ld", &kb) == 1) break;
  fclose(file);
  return (double)kb / 1024;
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  mph_config config = MPH_CONFIG_INIT;
  mph_host *host;
  if (mph_open(&host, &config) < 0) return 1;
  if (mph_run_string(host, "local mp = require 'mphost' mp.Queue():put(1)", NULL) < 0) return 1;
  _Atomic uint32_t *ready = bench_shared(4096);
  pid_t pids[8];
  for (int k = 0; k < 8; k++) {
    pids[k] = bench_fork();
    if (pids[k]) continue;
    bench_ready(ready);
    for (;;) pause();
  }
  bench_await(ready, 8);
  double sum = 0;
  for (int k = 0; k < 8; k++) sum += pss(pids[k]);
  for (int k = 0; k < 8; k++) {
    kill(pids[k], SIGKILL);
    waitpid(pids[k], NULL, 0);
  }
  bench_figure("pss", sum / 8);
  mph_close(host);
}
