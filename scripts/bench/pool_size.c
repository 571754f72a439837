/* 1 to 64 children of mphost's address space, forked, a word from each, all joined. */
#include "tool/host.h"

int main(int argc, char **argv) {
  mph_host *host = host_begin(argc, argv);
  for (int workers = 1; workers <= 64; workers *= 4) {
    char name[32];
    snprintf(name, sizeof name, "w%d", workers);
    bench_figure(name, host_cycle(workers, bench_count(200 / workers + 5)) * 1e3);
  }
  mph_close(host);
}
