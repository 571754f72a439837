/* For works that go over the sizes of messages: 8 bytes to 16 MB. */
#ifndef SIZED_H
#define SIZED_H

#include "tool/pair.h"
#include "tool/ring.h"

struct sized {
  struct ring *there, *back;
  char *data;
  size_t size;
  long n;
};

/* A figure bN for each size N; `measure` makes it of the time of all n messages. n: as many as are
   in `bytes`, but at most `most`. */
static inline void sized_run(pair_side *child, pair_side *parent, double bytes, double most,
                             double (*measure)(const struct sized *, double)) {
  for (size_t size = 8; size <= 16777216; size *= 8) {
    double n = bytes / (double)size;
    struct sized work = {ring_new(), ring_new(), malloc(size), size,
                         bench_count(n < most ? n : most)};
    if (!work.data) exit(1);
    memset(work.data, 'x', size);
    char name[32];
    snprintf(name, sizeof name, "b%zu", size);
    bench_figure(name, measure(&work, pair_time(child, parent, &work)));
    free(work.data);
    munmap(work.there, sizeof *work.there);
    munmap(work.back, sizeof *work.back);
  }
}

#endif
