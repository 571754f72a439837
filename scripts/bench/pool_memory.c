/* Proportional memory of one of 1 to 1000 children of mphost's address space that only sleep. */
#include "tool/host.h"

int main(int argc, char **argv) {
  mph_host *host = host_begin(argc, argv);
  bench_figure("pss", host_pss(8));
  host_pss_figures();
  mph_close(host);
}
