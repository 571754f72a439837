/* What the C twins share: clock, shared memory, CPUs, processes, figures.
   A twin does the same work as the mphost work of its name, as plainly as C can on this machine:
   its figures are the limit. A figure whose name ends in ".lua" is the same with the least C
   function that Lua can call in the middle: the limit for anything that is called from Lua. */
#ifndef BENCH_H
#define BENCH_H

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BENCH_LINE __attribute__((aligned(64))) /* a cache line of its own */

/* The share of the full work to do: argument 1, else all. */
static double bench_scale = 1;

static inline void bench_begin(int argc, char **argv) {
  if (argc > 1) bench_scale = atof(argv[1]);
}

static inline long bench_count(double full) {
  double n = full * bench_scale;
  return n < 1 ? 1 : (long)n;
}

static inline double bench_now(void) { /* seconds */
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void bench_figure(const char *name, double value) {
  printf("%s %.9g\n", name, value);
  fflush(stdout);
}

/* Part of the result, which all twins must agree on. */
static inline void bench_check(const char *name, uint64_t value) {
  printf("check %s %ju\n", name, (uintmax_t)value);
  fflush(stdout);
}

static inline void *bench_shared(size_t size) {
  void *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (p == MAP_FAILED) {
    perror("mmap");
    exit(1);
  }
  return p;
}

/* To the CPU of this number, if there is one and we may use it. */
static inline void bench_pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
}

/* In a spinning loop. With fewer CPUs than processes that spin it must let others run. */
static inline void bench_pause(void) {
  static unsigned turns;
  if (++turns % 4000 == 0) sched_yield();
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static inline pid_t bench_fork(void) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid < 0) {
    perror("fork");
    exit(1);
  }
  return pid;
}

static inline void bench_join(pid_t pid) {
  int status;
  if (waitpid(pid, &status, 0) != pid || status != 0) {
    fprintf(stderr, "a child failed\n");
    exit(1);
  }
}

/* Seconds that a process takes, forked and joined, with nothing to do. */
static inline double bench_processes(long n) {
  double start = bench_now();
  for (long i = 0; i < n; i++) {
    pid_t pid = bench_fork();
    if (!pid) _exit(0);
    bench_join(pid);
  }
  return (bench_now() - start) / (double)n;
}

/* Whether the child is there to be joined. */
static inline int bench_ended(pid_t pid) {
  siginfo_t info = {0};
  return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* A process that has to be awake before the clock starts says so. */
static inline void bench_ready(_Atomic uint32_t *word) {
  atomic_fetch_add(word, 1);
}

static inline void bench_await(_Atomic uint32_t *word, uint32_t n) {
  while (atomic_load(word) < n) bench_pause();
}

#endif
