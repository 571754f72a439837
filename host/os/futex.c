/* Futex system calls: see futex.h. */
#include "os/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/cpu.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* struct futex_waitv of Linux 5.16; the headers of Debian 12 have it, older ones do not. */
struct waiter {
  uint64_t expected;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};
#define WAITER_32 2

volatile sig_atomic_t futex_disturbed;

static struct timespec timespec_of(int64_t ns) {
  return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

int futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline) {
  if (futex_disturbed) return -EINTR;
  struct timespec t = timespec_of(deadline);
  struct timespec *until = deadline == CLOCK_NEVER ? NULL : &t;
  /* WAIT_BITSET takes an absolute time, plain WAIT a relative one. */
  long rc =
      syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, until, NULL, FUTEX_BITSET_MATCH_ANY);
  return rc < 0 ? -errno : 0;
}

static int wait_first(_Atomic uint32_t *word, uint32_t expected, int64_t deadline) {
  int64_t soon = clock_now() + 1000000;
  int rc = futex_wait(word, expected, deadline < soon ? deadline : soon);
  return rc == -ETIMEDOUT && clock_now() < deadline ? 0 : rc;
}

int futex_wait_many(_Atomic uint32_t *const *words, const uint32_t *expected, int n,
                    int64_t deadline) {
  static _Atomic int
      missing; /* the kernel said ENOSYS once: valgrind 3.19 does, Linux before 5.16 does */
  if (n == 1) return futex_wait(words[0], expected[0], deadline);
  if (futex_disturbed) return -EINTR;
  if (atomic_load_explicit(&missing, memory_order_relaxed))
    return wait_first(words[0], expected[0], deadline);
  struct waiter list[FUTEX_MANY];
  memset(list, 0, (size_t)n * sizeof *list);
  for (int i = 0; i < n; i++) {
    list[i].expected = expected[i];
    list[i].address = (uintptr_t)words[i];
    list[i].flags = WAITER_32;
  }
  struct timespec t = timespec_of(deadline);
  long rc =
      syscall(SYS_futex_waitv, list, n, 0, deadline == CLOCK_NEVER ? NULL : &t, CLOCK_MONOTONIC);
  if (rc >= 0) return 0;
  if (errno != ENOSYS && errno != EPERM) return -errno;
  atomic_store_explicit(&missing, 1, memory_order_relaxed);
  return wait_first(words[0], expected[0], deadline);
}

int futex_wake(_Atomic uint32_t *word, int n) {
  long woken = syscall(SYS_futex, word, FUTEX_WAKE, n, NULL, NULL, 0);
  return woken < 0 ? -errno : (int)woken;
}

int futex_spins(void) {
  /* A sleep and a wake across CPUs cost about as much as 1500 pauses: spinning that long first
     never costs more than twice the best choice. On one CPU it only keeps the other side from
     running. */
  static _Atomic int known = -1; /* threads that find out at the same time find the same */
  int spins = atomic_load_explicit(&known, memory_order_relaxed);
  if (spins >= 0) return spins;
  spins = cpu_usable() > 1 ? 1500 : 0;
  atomic_store_explicit(&known, spins, memory_order_relaxed);
  return spins;
}
