/* Two children of mphost's address space, forked, a word from each, both joined. */
#include "tool/host.h"

int main(int argc, char **argv) {
  mph_host *host = host_begin(argc, argv);
  bench_figure("time", host_cycle(2, bench_count(300)) * 1e3);
  mph_close(host);
}
