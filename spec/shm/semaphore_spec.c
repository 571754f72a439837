/* Semaphores: permits are counted exactly, and no wake is lost, whoever dies. */
#include "support.h"

#include "shm/semaphore.h"

static uint64_t hold;
static struct semaphore *s;

static void make(uint32_t count) {
  uint64_t offset = semaphore_new(count, family_ledger(), &hold);
  assert_true(offset);
  s = heap_payload(offset);
}

static void counts(void **state) {
  (void)state;
  make(2);
  assert_int_equal(semaphore_acquire(s, CLOCK_NEVER), 0);
  assert_int_equal(semaphore_acquire(s, 0), 0);
  assert_int_equal(semaphore_acquire(s, 0), -ETIMEDOUT);
  int64_t until = clock_now() + 70 * SPEC_MS;
  assert_int_equal(semaphore_acquire(s, until), -ETIMEDOUT);
  assert_in_range(clock_now(), until, until + 1000 * SPEC_MS);
  assert_int_equal(semaphore_release(s, 5), 0);
  assert_int_equal(semaphore_value(s), 5);
  assert_int_equal(semaphore_release(s, SEMAPHORE_MOST - 4), -ERANGE);
  assert_int_equal(semaphore_release(s, SEMAPHORE_MOST - 5), 0);
  assert_int_equal(semaphore_release(s, 1), -ERANGE);
  assert_int_equal(semaphore_value(s), SEMAPHORE_MOST);
  object_drop(hold);
}

static void take_run(void *arg) {
  (void)arg;
  must(semaphore_acquire(s, CLOCK_NEVER) == 0);
}

/* Seconds are not the measure of a lost wake, slices are: the best of some rounds is far below. */
static int64_t wake_four(int at_once) {
  struct member m[4];
  for (int i = 0; i < 4; i++) m[i] = member_start(take_run, NULL);
  for (int i = 0; i < 4; i++) wait_asleep(&m[i]);
  int64_t since = clock_now();
  for (int i = 0; i < (at_once ? 1 : 4); i++) semaphore_release(s, at_once ? 4 : 1);
  for (int i = 0; i < 4; i++) {
    assert_int_equal(proc_wait(&m[i].proc, spec_in(1000)), 1);
    assert_int_equal(member_end(&m[i]), 0);
  }
  assert_int_equal(semaphore_value(s), 0);
  return clock_now() - since;
}

/* Several at once and one after the other: all that were woken for come, at once. */
static void wakes_as_many(void **state) {
  (void)state;
  make(0);
  for (int at_once = 0; at_once < 2; at_once++) {
    int64_t best = INT64_MAX;
    for (int round = 0; round < 20 && best > 15 * SPEC_MS; round++) {
      int64_t took = wake_four(at_once);
      if (took < best) best = took;
    }
    assert_true(best < 15 * SPEC_MS * spec_slower());
  }
  object_drop(hold);
}

static void killed_takers_take_no_wake(void **state) {
  (void)state;
  make(0);
  for (int round = 0; round < 10; round++) {
    struct member doomed = member_start(take_run, NULL);
    wait_asleep(&doomed);
    struct member m = member_start(take_run, NULL);
    wait_asleep(&m);
    semaphore_release(s, 1);
    proc_signal(&doomed.proc, SIGKILL);
    int took = member_end(&doomed) == 0;
    if (!took) took = semaphore_value(s) == 0 && proc_wait(&m.proc, spec_in(200)) == 0;
    if (took) semaphore_release(s, 1); /* it died with the permit */
    assert_int_equal(proc_wait(&m.proc, spec_in(500)), 1);
    assert_int_equal(member_end(&m), 0);
  }
  object_drop(hold);
}

#define TIMES 3000

static void flow_run(void *arg) {
  for (int i = 0; i < TIMES; i++)
    must(arg ? semaphore_acquire(s, CLOCK_NEVER) == 0 : semaphore_release(s, 1) == 0);
}

static void nothing_is_lost(void **state) {
  (void)state;
  make(0);
  struct member m[6];
  for (int i = 0; i < 6; i++) m[i] = member_start(flow_run, i % 2 ? s : NULL);
  for (int i = 0; i < 6; i++) assert_int_equal(member_end(&m[i]), 0);
  assert_int_equal(semaphore_value(s), 0);
  object_drop(hold);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      spec_case(counts),
      spec_case(wakes_as_many),
      spec_case(killed_takers_take_no_wake),
      spec_case(nothing_is_lost),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
