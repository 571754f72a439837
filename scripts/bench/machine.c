/* The machine's own figures of the day, printed above the table: what a word, a wake, a process and
   a copied page cost between two CPUs. */
#include <linux/futex.h>
#include <sys/syscall.h>

#include "tool/ring.h"

struct words {
  _Atomic uint32_t there BENCH_LINE;
  _Atomic uint32_t back BENCH_LINE;
};

static void await_word(_Atomic uint32_t *word, uint32_t value, int sleeps) {
  for (uint32_t seen; (seen = atomic_load(word)) != value;)
    if (sleeps)
      syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
    else
      bench_pause();
}

static void set_word(_Atomic uint32_t *word, uint32_t value, int sleeps) {
  atomic_store(word, value);
  if (sleeps) syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static double pingpong(struct words *w, uint32_t n, int sleeps) { /* seconds per round trip */
  w->there = w->back = 0;
  pid_t pid = bench_fork();
  bench_pin(pid == 0);
  if (!pid) {
    for (uint32_t i = 1; i <= n; i++) {
      await_word(&w->there, i, sleeps);
      set_word(&w->back, i, sleeps);
    }
    _exit(0);
  }
  double start = 0;
  for (uint32_t i = 1; i <= n; i++) {
    if (i == 2) start = bench_now(); /* the child runs */
    set_word(&w->there, i, sleeps);
    await_word(&w->back, i, sleeps);
  }
  double seconds = bench_now() - start;
  bench_join(pid);
  return n > 1 ? seconds / (n - 1) : seconds;
}

static double copying(size_t size) { /* bytes per second, warm */
  char *from = malloc(size), *to = malloc(size);
  if (!from || !to) exit(1);
  memset(from, 1, size);
  memset(to, 2, size);
  double start = bench_now();
  for (int i = 0; i < 5; i++) memcpy(to, from, size);
  double rate = 5 * (double)size / (bench_now() - start);
  if (to[size - 1] != 1) exit(1);
  free(from);
  free(to);
  return rate;
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  struct words *w = bench_shared(sizeof *w);
  bench_figure("pingpong", pingpong(w, (uint32_t)bench_count(300000), 0) * 1e9);
  bench_figure("futex", pingpong(w, (uint32_t)bench_count(20000), 1) * 1e6);
  bench_figure("fork", bench_processes(bench_count(500)) * 1e6);
  bench_figure("copy", copying((size_t)bench_count(5e7)) / 1e9);
}
