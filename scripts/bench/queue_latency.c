/* Messages of eight sizes to another process and back through two rings, in parts of at most 16 KB:
   nothing comes back before all has arrived. */
#include "tool/sized.h"

static void echo(void *work) {
  struct sized *job = work;
  for (long i = 0; i < job->n; i++) {
    ring_receive(job->there, job->data, job->size);
    ring_send(job->back, job->data, job->size);
  }
}

static void ask(void *work) {
  struct sized *job = work;
  for (long i = 0; i < job->n; i++) {
    ring_send(job->there, job->data, job->size);
    ring_receive(job->back, job->data, job->size);
  }
}

static double each(const struct sized *job, double seconds) { /* us */
  return seconds / (double)job->n * 1e6;
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  sized_run(echo, ask, 4e8, 1e5, each);
}
