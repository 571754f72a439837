/* Messages of eight sizes copied into and out of a shared ring, in parts of at most 16 KB. */
#include "tool/ring.h"

#define PART 16384u

static void send_all(struct ring *r, const char *data, size_t size) {
  for (size_t at = 0; at < size; at += PART) ring_put(r, data + at, size < PART ? size : PART);
}

static void receive_all(struct ring *r, char *data, size_t size) {
  for (size_t at = 0; at < size; at += PART) ring_get(r, data + at, size < PART ? size : PART);
}

static double run(struct ring *r, _Atomic uint32_t *ready, size_t size) { /* bytes per second */
  long n = bench_count(2e9 / (double)size < 2e6 ? 2e9 / (double)size : 2e6);
  memset(r, 0, sizeof *r);
  *ready = 0;
  char *data = malloc(size);
  if (!data) exit(1);
  memset(data, 'x', size);
  pid_t pid = bench_fork();
  bench_pin(pid == 0);
  if (!pid) {
    data[size - 1] = 0;
    bench_ready(ready);
    for (long i = 0; i < n; i++) receive_all(r, data, size);
    _exit(data[size - 1] != 'x');
  }
  bench_await(ready, 1);
  double start = bench_now();
  for (long i = 0; i < n; i++) send_all(r, data, size);
  bench_join(pid);
  double seconds = bench_now() - start;
  free(data);
  return (double)n * (double)size / seconds;
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  struct ring *r = bench_shared(sizeof *r);
  _Atomic uint32_t *ready = bench_shared(4096);
  for (size_t size = 8; size <= 16777216; size *= 8) {
    char name[32];
    snprintf(name, sizeof name, "b%zu", size);
    bench_figure(name, run(r, ready, size) / 1e6);
  }
}
