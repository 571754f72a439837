/* Deadlines: made once from a timeout, kept to, and cut into slices. */
#include "support.h"

#include <math.h>
#include <sys/time.h>

static void never_goes_back(void **state) {
  (void)state;
  int64_t last = clock_now();
  for (int i = 0; i < 100000; i++) {
    int64_t now = clock_now();
    assert_true(now >= last);
    last = now;
  }
}

static void ticks_follow(void **state) {
  (void)state;
  int64_t first = clock_tick(), until = clock_now() + 50 * SPEC_MS;
  while (clock_now() < until) {
    int64_t before = clock_now(), tick = clock_tick();
    assert_in_range(tick, before - 20 * SPEC_MS, clock_now());
  }
  assert_true(clock_tick() - first > 20 * SPEC_MS);
}

/* The deadline of a timeout lies so far from the moment of the call. */
static void check_deadline(double seconds, int64_t ns) {
  int64_t before = clock_now(), deadline = clock_deadline(seconds), after = clock_now();
  assert_in_range(deadline, before + ns, after + ns);
}

static void deadlines_of_timeouts(void **state) {
  (void)state;
  check_deadline(1.5, 1500 * SPEC_MS);
  check_deadline(1e-9, 1);
  check_deadline(1e-10, 0);
  check_deadline(365.0 * 86400, (int64_t)365 * 86400 * 1000 * SPEC_MS);
}

static void past_at_once(void **state) {
  (void)state;
  static const double past[] = {0, -0.0, -1e-9, -1, -1e300, -INFINITY};
  for (size_t i = 0; i < sizeof past / sizeof *past; i++) {
    int64_t before = clock_now(), deadline = clock_deadline(past[i]);
    assert_in_range(deadline, before, clock_now()); /* already past when it is looked at */
  }
}

static void never(void **state) {
  (void)state;
  static const double huge[] = {1e10, 1e18, 1e19, 1e300, INFINITY, NAN};
  for (size_t i = 0; i < sizeof huge / sizeof *huge; i++)
    assert_true(clock_deadline(huge[i]) == CLOCK_NEVER);
  assert_true(clock_deadline(8e9) > 0); /* no overflow below */
}

static void slices(void **state) {
  (void)state;
  int64_t before = clock_now(), slice = clock_slice(CLOCK_NEVER);
  assert_in_range(slice, before + CLOCK_SLICE, clock_now() + CLOCK_SLICE);
  int64_t soon = clock_now() + SPEC_MS;
  assert_int_equal(clock_slice(soon), soon);
  assert_int_equal(clock_slice(5), 5);
}

static void sleeps_until(void **state) {
  (void)state;
  int64_t deadline = clock_now() + 30 * SPEC_MS;
  assert_int_equal(clock_sleep_until(deadline), 0);
  assert_in_range(clock_now(), deadline, deadline + 1000 * SPEC_MS);
  int64_t before = clock_now();
  assert_int_equal(clock_sleep_until(before - SPEC_MS), 0);
  assert_int_equal(clock_sleep_until(0), 0);
  assert_true(clock_now() - before < 1000 * SPEC_MS);
}

static void signals_wake(void **state) {
  (void)state;
  handle(SIGALRM);
  struct itimerval soon = {.it_value = {.tv_usec = 20000}};
  setitimer(ITIMER_REAL, &soon, NULL);
  int64_t before = clock_now();
  assert_int_equal(clock_sleep_until(clock_now() + 10000 * SPEC_MS), -EINTR);
  assert_in_range(clock_now() - before, 10 * SPEC_MS, 5000 * SPEC_MS);
  setitimer(ITIMER_REAL, &soon, NULL);
  assert_int_equal(clock_sleep_until(CLOCK_NEVER), -EINTR);
  signal(SIGALRM, SIG_DFL);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      os_case(never_goes_back), os_case(deadlines_of_timeouts),
      os_case(past_at_once),    os_case(never),
      os_case(slices),          os_case(sleeps_until),
      os_case(signals_wake),    os_case(ticks_follow),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
