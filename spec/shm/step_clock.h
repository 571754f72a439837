/* Time in a scene of stepkill.h, which must be the same however slow the machine is.

   A victim's clock stands still while it is stepped, and moves on by its sleeps only: a sleep that
   nobody ends is over at once, and its deadline is the time then. So a victim goes the same way
   each time, though single steps take thousands of times as long as instructions do. Of all others
   the sleeps that ran out are noted: how long somebody slept in vain is the product's doing; how
   long it waited for a CPU is not. The functions stand between the library and os/ (ld's
   --wrap, spec/CMakeLists.txt). */
#ifndef SPEC_SHM_STEP_CLOCK_H
#define SPEC_SHM_STEP_CLOCK_H

#include "support.h"

#include "os/futex.h"

#define STEP_SLEEPS 4096

static int64_t step_time; /* where this victim's clock stands; 0: this is none, or it runs */
static int step_woken;    /* this victim sleeps until somebody wakes it */

/* Sleeps of others that ran out; shared. */
struct step_sleeps {
  _Atomic uint32_t n;
  struct {
    int64_t from, to;
  } sleep[STEP_SLEEPS];
};
static struct step_sleeps *step_sleeps;

int64_t __real_clock_now(void);
int64_t __wrap_clock_now(void);
int64_t __wrap_clock_slice(int64_t deadline);
int __real_clock_sleep_until(int64_t deadline);
int __wrap_clock_sleep_until(int64_t deadline);
int __real_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);
int __wrap_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);

int64_t __wrap_clock_now(void) {
  return step_time ? step_time : __real_clock_now();
}

int64_t __wrap_clock_slice(int64_t deadline) {
  int64_t slice = __wrap_clock_now() + CLOCK_SLICE;
  return deadline < slice ? deadline : slice;
}

static inline void step_note(int64_t from, int64_t to) {
  if (!step_sleeps || from >= to) return;
  uint32_t i = atomic_fetch_add(&step_sleeps->n, 1) % STEP_SLEEPS;
  step_sleeps->sleep[i].from = from;
  step_sleeps->sleep[i].to = to;
}

int __wrap_clock_sleep_until(int64_t deadline) {
  if (step_time) {
    step_time = deadline;
    return 0;
  }
  step_note(__real_clock_now(), deadline);
  return __real_clock_sleep_until(deadline);
}

int __wrap_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline) {
  int64_t now = __wrap_clock_now();
  if (!step_time) {
    int rc = __real_futex_wait(word, expected, deadline);
    if (rc == -ETIMEDOUT) step_note(now, deadline);
    return rc;
  }
  int rc = __real_futex_wait(word, expected, step_woken ? CLOCK_NEVER : 1);
  if (rc == -ETIMEDOUT) step_time = deadline;
  return rc;
}

/* By the spec: nothing is noted yet. */
static inline void step_forget(void) {
  if (!step_sleeps) step_sleeps = spec_page(sizeof *step_sleeps);
  atomic_store(&step_sleeps->n, 0);
}

/* How long since then somebody or other slept in vain. */
static inline int64_t step_slept(int64_t since) {
  int64_t slept = 0, until = since;
  uint32_t n = atomic_load(&step_sleeps->n);
  assert_true(n <= STEP_SLEEPS);
  for (;;) { /* the one that begins first, of those that end later */
    int64_t from = INT64_MAX, to = 0;
    for (uint32_t i = 0; i < n; i++) {
      if (step_sleeps->sleep[i].to <= until || step_sleeps->sleep[i].from >= from) continue;
      from = step_sleeps->sleep[i].from;
      to = step_sleeps->sleep[i].to;
    }
    if (from == INT64_MAX) return slept;
    slept += to - (from > until ? from : until);
    until = to;
  }
}

#endif
