/* 100 MB from one process to another: copied in and out of a small shared buffer in 16 parts of
   256 KB, both sides at once. The source is warm; the target is fresh memory, as a new string is.
 */
#include "tool/pair.h"

#define PART (256u << 10)
#define PARTS 16

struct channel {
  _Atomic uint64_t put BENCH_LINE;
  _Atomic uint64_t got BENCH_LINE;
  char parts[PARTS][PART] BENCH_LINE;
};

struct job {
  struct channel *channel;
  char *source, *target;
  size_t size;
};

static size_t part_size(size_t size, uint64_t i) {
  return size - i * PART < PART ? size - i * PART : PART;
}

static void consume(void *work) {
  struct job *job = work;
  struct channel *c = job->channel;
  for (uint64_t i = 0; i * PART < job->size; i++) {
    while (atomic_load(&c->put) <= i) bench_pause();
    memcpy(job->target + i * PART, c->parts[i % PARTS], part_size(job->size, i));
    atomic_store(&c->got, i + 1);
  }
  if (job->target[job->size - 1] != 'x') exit(1);
}

static void produce(void *work) {
  struct job *job = work;
  struct channel *c = job->channel;
  for (uint64_t i = 0; i * PART < job->size; i++) {
    while (i - atomic_load(&c->got) >= PARTS) bench_pause();
    memcpy(c->parts[i % PARTS], job->source + i * PART, part_size(job->size, i));
    atomic_store(&c->put, i + 1);
  }
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  size_t size = (size_t)bench_count(1e8);
  struct job job = {bench_shared(sizeof *job.channel), malloc(size), malloc(size), size};
  if (!job.source || !job.target) return 1;
  memset(job.source, 'x', size);
  bench_figure("rate", (double)size / pair_time(consume, produce, &job) / 1e9);
}
