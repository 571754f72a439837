/* fork, _exit and waitpid of a process that has mphost's address space. */
#include "tool/host.h"

int main(int argc, char **argv) {
  mph_host *host = host_begin(argc, argv);
  bench_figure("time", host_cycle(1, bench_count(1000)) * 1e6);
  mph_close(host);
}
