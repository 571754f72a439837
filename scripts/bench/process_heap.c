/* fork, _exit and waitpid of a process that has written to so much memory. */
#include "tool/bench.h"

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  for (int size = 1; size <= 1000; size *= 10) {
    size_t bytes = (size_t)bench_count(size * 1e6);
    char *memory = malloc(bytes);
    if (!memory) return 1;
    memset(memory, 1, bytes);
    __asm__ volatile("" ::"r"(memory) : "memory");
    char name[32];
    snprintf(name, sizeof name, "mb%d", size);
    bench_figure(name, bench_processes(bench_count(size > 15 ? 20 : 300.0 / size)) * 1e6);
    free(memory);
  }
}
