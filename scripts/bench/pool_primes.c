/* The primes below two million in a hundred slices, by one process and by two that claim slices:
   what the machine's second CPU is worth today. */
#include "tool/bench.h"

static int64_t primes(int64_t lo, int64_t hi) {
  int64_t found = 0;
  for (int64_t n = lo | 1; n < hi; n += 2) {
    int64_t d = 3;
    while (d * d <= n && n % d != 0) d += 2;
    found += d * d > n;
  }
  return found;
}

static void claim(_Atomic int64_t *next, _Atomic int64_t *found, int64_t top) {
  for (int64_t k; (k = atomic_fetch_add(next, 1)) < 100;) {
    int64_t lo = top * k / 100;
    atomic_fetch_add(found, primes(lo < 3 ? 3 : lo, top * (k + 1) / 100));
  }
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  int64_t top = bench_count(2e6);
  _Atomic int64_t *words = bench_shared(4096);
  double start = bench_now();
  claim(&words[0], &words[1], top);
  double serial = bench_now() - start;
  start = bench_now();
  pid_t pids[2];
  for (int k = 0; k < 2; k++) {
    pids[k] = bench_fork();
    if (!pids[k]) {
      claim(&words[2], &words[3], top);
      _exit(0);
    }
  }
  for (int k = 0; k < 2; k++) bench_join(pids[k]);
  bench_figure("speed_up", serial / (bench_now() - start));
  return words[1] != words[3];
}
