/* Events: set is seen by all that wait, also when it is cleared at once. */
#include "support.h"

#include "shm/event.h"

static uint64_t hold;
static struct event *event;

static int event_begin(void **state) {
  case_begin(state);
  uint64_t offset = event_new(family_ledger(), &hold);
  assert_true(offset);
  event = heap_payload(offset);
  return 0;
}

static int event_done(void **state) {
  object_drop(hold);
  return case_end(state);
}

static void set_and_clear(void **state) {
  (void)state;
  assert_int_equal(event_is_set(event), 0);
  assert_int_equal(event_wait(event, event_now(event), 0), -ETIMEDOUT);
  int64_t until = clock_now() + 70 * SPEC_MS;
  assert_int_equal(event_wait(event, event_now(event), until), -ETIMEDOUT);
  assert_in_range(clock_now(), until, until + 1000 * SPEC_MS);
  event_set(event);
  event_set(event);
  assert_int_equal(event_is_set(event), 1);
  assert_int_equal(event_wait(event, event_now(event), 0), 0);
  event_clear(event);
  event_clear(event);
  assert_int_equal(event_is_set(event), 0);
  assert_int_equal(event_wait(event, event_now(event), 0), -ETIMEDOUT);
}

static void wait_run(void *arg) {
  (void)arg;
  must(event_wait(event, event_now(event), CLOCK_NEVER) == 0);
}

static int64_t pulse(void) {
  struct member m[3];
  for (int i = 0; i < 3; i++) m[i] = member_start(wait_run, NULL);
  for (int i = 0; i < 3; i++) wait_asleep(&m[i]);
  int64_t since = clock_now();
  event_set(event);
  event_clear(event);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(proc_wait(&m[i].proc, spec_in(1000)), 1);
    assert_int_equal(member_end(&m[i]), 0);
  }
  return clock_now() - since;
}

/* Lost wakes would cost slices; the best of some rounds is far below. */
static void a_pulse_wakes_all(void **state) {
  (void)state;
  int64_t best = INT64_MAX;
  for (int round = 0; round < 20; round++) {
    int64_t took = pulse();
    if (took < best) best = took;
  }
  assert_true(best < 15 * SPEC_MS * spec_slower());
}

static void killed_waiters_harm_nobody(void **state) {
  (void)state;
  struct member a = member_start(wait_run, NULL), b = member_start(wait_run, NULL);
  wait_asleep(&a);
  wait_asleep(&b);
  member_kill(&a);
  event_set(event);
  assert_int_equal(proc_wait(&b.proc, spec_in(1000)), 1);
  assert_int_equal(member_end(&b), 0);
}

static void interrupted_run(void *arg) {
  (void)arg;
  handle(SIGUSR1);
  must(event_wait(event, 0, CLOCK_NEVER) == -EINTR);
}

static void a_signal_ends_the_wait(void **state) {
  (void)state;
  struct member m = member_start(interrupted_run, NULL);
  wait_asleep(&m);
  proc_signal(&m.proc, SIGUSR1);
  assert_int_equal(member_end(&m), 0);
}

#define an_event(name) cmocka_unit_test_setup_teardown(name, event_begin, event_done)

int main(void) {
  const struct CMUnitTest cases[] = {
      an_event(set_and_clear),
      an_event(a_pulse_wakes_all),
      an_event(killed_waiters_harm_nobody),
      an_event(a_signal_ends_the_wait),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
