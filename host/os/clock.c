/* Monotonic time: see clock.h. */
#include "os/clock.h"

#include <errno.h>
#include <time.h>

int64_t clock_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_tick(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_deadline(double seconds) {
  if (!(seconds < 9e9)) return CLOCK_NEVER;
  int64_t now = clock_now();
  return seconds > 0 ? now + (int64_t)(seconds * 1e9) : now;
}

int64_t clock_slice(int64_t deadline) {
  int64_t slice = clock_now() + CLOCK_SLICE;
  return deadline < slice ? deadline : slice;
}

int clock_sleep_until(int64_t deadline) {
  struct timespec t = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};
  return -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}
