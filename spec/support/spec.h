/* What the C specs of os and shm share: cmocka, times that grow where code is slow, memory shared
   with children, processes that sleep, signals.

   A spec includes its room's support.h first, which brings this and cmocka. */
#ifndef SPEC_SUPPORT_SPEC_H
#define SPEC_SUPPORT_SPEC_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"

#define SPEC_MS ((int64_t)1000000)
#define SPEC_SECONDS 20 /* of one case */

/* How many times slower than a plain build this one is. */
static inline unsigned spec_slower(void) {
  const char *slower = getenv("MPHOST_SLOWER");
  unsigned n = slower ? (unsigned)atoi(slower) : 1;
  return n ? n : 1;
}

/* The deadline so many milliseconds of a plain build from now. */
static inline int64_t spec_in(int64_t ms) {
  return clock_now() + ms * (int64_t)spec_slower() * SPEC_MS;
}

/* Memory that children share with the spec. */
static inline void *spec_page(size_t size) {
  void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) abort();
  return page;
}

/* Waits until the process sleeps in the kernel (state S in /proc), so that it really waits. */
static inline void wait_pid_asleep(pid_t pid) {
  char path[64], line[512], state = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  while (state != 'S') {
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_int_equal(sscanf(strrchr(line, ')'), ") %c", &state), 1);
    assert_true(state != 'Z');
    if (state != 'S') clock_sleep_until(clock_now() + SPEC_MS / 10);
  }
}

static inline void on_signal(int number) {
  (void)number;
}

/* The signal ends sleeps from now on and does nothing else. */
static inline void handle(int number) {
  sigaction(number, &(struct sigaction){.sa_handler = on_signal}, NULL);
}

#endif
