/* 100 MB from one process to another: copied in and out of a small shared buffer in 16 parts of
   256 KB, both sides at once. The source is warm; the target is fresh memory, as a new string is.
 */
#include "tool/bench.h"

#define PART (256u << 10)
#define PARTS 16

struct channel {
  _Atomic uint64_t put BENCH_LINE;
  _Atomic uint64_t got BENCH_LINE;
  _Atomic uint32_t ready BENCH_LINE;
  char parts[PARTS][PART] BENCH_LINE;
};

static size_t part_size(size_t size, uint64_t i) {
  return size - i * PART < PART ? size - i * PART : PART;
}

static void consume(struct channel *c, size_t size) {
  char *target = malloc(size);
  if (!target) exit(1);
  bench_ready(&c->ready);
  for (uint64_t i = 0; i * PART < size; i++) {
    while (atomic_load(&c->put) <= i) bench_pause();
    memcpy(target + i * PART, c->parts[i % PARTS], part_size(size, i));
    atomic_store(&c->got, i + 1);
  }
  if (target[size - 1] != 'x') exit(1);
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  size_t size = (size_t)bench_count(1e8);
  char *source = malloc(size);
  if (!source) return 1;
  memset(source, 'x', size);
  struct channel *c = bench_shared(sizeof *c);
  pid_t pid = bench_fork();
  if (!pid) {
    bench_pin(1);
    consume(c, size);
    _exit(0);
  }
  bench_pin(0);
  bench_await(&c->ready, 1);
  double start = bench_now();
  for (uint64_t i = 0; i * PART < size; i++) {
    while (i - atomic_load(&c->got) >= PARTS) bench_pause();
    memcpy(c->parts[i % PARTS], source + i * PART, part_size(size, i));
    atomic_store(&c->put, i + 1);
  }
  bench_join(pid);
  bench_figure("rate", (double)size / (bench_now() - start) / 1e9);
}
