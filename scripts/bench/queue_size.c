/* Messages of eight sizes copied into and out of a shared ring, in parts of at most 16 KB. */
#include "tool/sized.h"

static void consume(void *work) {
  struct sized *job = work;
  job->data[job->size - 1] = 0; /* this process's own */
  for (long i = 0; i < job->n; i++) ring_receive(job->there, job->data, job->size);
  if (job->data[job->size - 1] != 'x') exit(1);
}

static void produce(void *work) {
  struct sized *job = work;
  for (long i = 0; i < job->n; i++) ring_send(job->there, job->data, job->size);
}

static double rate(const struct sized *job, double seconds) { /* MB/s */
  return (double)job->n * (double)job->size / seconds / 1e6;
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  sized_run(consume, produce, 2e9, 2e6, rate);
}
