/* fork, _exit and waitpid of a process that has mphost's address space: its library, its region,
   its Lua state. */
#include <mphost.h>

#include "tool/bench.h"

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  mph_config config = MPH_CONFIG_INIT;
  mph_host *host;
  if (mph_open(&host, &config) < 0) return 1;
  if (mph_run_string(host, "local mp = require 'mphost' mp.Queue():put(1)", NULL) < 0) return 1;
  long n = bench_count(1000);
  double start = bench_now();
  for (long i = 0; i < n; i++) {
    pid_t pid = bench_fork();
    if (!pid) _exit(0);
    bench_join(pid);
  }
  bench_figure("time", (bench_now() - start) / (double)n * 1e6);
  mph_close(host);
}
