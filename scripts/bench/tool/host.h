/* Children of a process that has mphost's address space: its library, its region, its Lua state. */
#ifndef HOST_H
#define HOST_H

#include <mphost.h>

#include "tool/bench.h"

static inline mph_host *host_begin(int argc, char **argv) {
  bench_begin(argc, argv);
  mph_config config = MPH_CONFIG_INIT;
  mph_host *host;
  if (mph_open(&host, &config) < 0) exit(1);
  if (mph_run_string(host, "local mp = require 'mphost' mp.Queue():put(1)", NULL) < 0) exit(1);
  return host;
}

/* `children` of them forked, a word from each, all joined, `times` times: seconds of one time. */
static inline double host_cycle(int children, long times) {
  _Atomic uint32_t *words = bench_shared(4096);
  pid_t *pids = malloc((size_t)children * sizeof *pids);
  if (!pids) exit(1);
  double start = bench_now();
  for (long i = 0; i < times; i++) {
    for (int k = 0; k < children; k++) {
      pids[k] = bench_fork();
      if (pids[k]) continue;
      bench_ready(words);
      _exit(0);
    }
    for (int k = 0; k < children; k++) bench_join(pids[k]);
  }
  double seconds = bench_now() - start;
  if (*words != (uint32_t)(children * times)) exit(1);
  free(pids);
  munmap((void *)words, 4096);
  return seconds / (double)times;
}

static inline double host_pss_of(pid_t pid) { /* MB */
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

/* Proportional memory of one of so many children that only sleep, in MB. */
static inline double host_pss(int children) {
  _Atomic uint32_t *ready = bench_shared(4096);
  pid_t *pids = malloc((size_t)children * sizeof *pids);
  if (!pids) exit(1);
  for (int k = 0; k < children; k++) {
    pids[k] = bench_fork();
    if (pids[k]) continue;
    bench_ready(ready);
    for (;;) pause();
  }
  bench_await(ready, (uint32_t)children);
  double sum = 0;
  for (int k = 0; k < children; k++) sum += host_pss_of(pids[k]);
  for (int k = 0; k < children; k++) {
    kill(pids[k], SIGKILL);
    waitpid(pids[k], NULL, 0);
  }
  free(pids);
  munmap((void *)ready, 4096);
  return sum / children;
}

/* The same for 1 to 1000 of them: figures n1 to n1000. */
static inline void host_pss_figures(void) {
  for (int n = 1; n <= 1000; n *= 10) {
    char name[32];
    snprintf(name, sizeof name, "n%d", n);
    long children = bench_count(n);
    bench_figure(name, host_pss(children < 2 && n > 1 ? 2 : (int)children));
  }
}

#endif
