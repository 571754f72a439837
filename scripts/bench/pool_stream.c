/* Integers to another process and their x*x+1 back through two rings, at most 4096 of them under
   way: what it costs to have a stream of items done elsewhere. */
#include "tool/pair.h"
#include "tool/ring.h"

#define WINDOW 4096

struct job {
  struct ring *there, *back;
  uint64_t n;
};

static void serve(void *work) {
  struct job *job = work;
  for (uint64_t x, i = 0; i < job->n; i++) {
    ring_get(job->there, &x, sizeof x);
    x = x * x + 1;
    ring_put(job->back, &x, sizeof x);
  }
}

static void stream(void *work) {
  struct job *job = work;
  for (uint64_t x, given = 0, got = 0; got < job->n; got++) {
    for (; given < job->n && given < got + WINDOW; given++)
      ring_put(job->there, &given, sizeof given);
    ring_get(job->back, &x, sizeof x);
    if (x != got * got + 1) exit(1);
  }
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  struct job job = {ring_new(), ring_new(), (uint64_t)bench_count(1e7)};
  bench_figure("rate", (double)job.n / pair_time(serve, stream, &job) / 1e6);
}
