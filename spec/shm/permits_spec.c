/* Bounded semaphores: each permit has an owner, and the dead give theirs back. */
#include "support.h"

#include "shm/permits.h"

static uint64_t hold;
static struct permits *p;

static void make(uint32_t n) {
  uint64_t offset = permits_new(n, family_ledger(), &hold);
  assert_true(offset);
  p = heap_payload(offset);
}

static void counts(void **state) {
  (void)state;
  make(3);
  assert_int_equal(permits_release(p), -EPERM);
  for (int i = 0; i < 3; i++) assert_int_equal(permits_acquire(p, CLOCK_NEVER), PERMITS_OK);
  assert_int_equal(permits_value(p), 0);
  assert_int_equal(permits_mine(p), 3);
  assert_int_equal(permits_acquire(p, 0), -ETIMEDOUT);
  int64_t until = clock_now() + 70 * SPEC_MS;
  assert_int_equal(permits_acquire(p, until), -ETIMEDOUT);
  assert_in_range(clock_now(), until, until + 1000 * SPEC_MS);
  for (int i = 0; i < 3; i++) assert_int_equal(permits_release(p), 0);
  assert_int_equal(permits_release(p), -EPERM);
  assert_int_equal(permits_value(p), 3);
  object_drop(hold);
}

static void not_mine_run(void *arg) {
  (void)arg;
  must(permits_mine(p) == 0);
  must(permits_release(p) == -EPERM);
  must(permits_acquire(p, 0) == PERMITS_OK);
  must(permits_release(p) == 0);
}

static void a_child_owns_none_of_its_parent(void **state) {
  (void)state;
  make(2);
  permits_acquire(p, 0);
  in_member(not_mine_run, NULL);
  assert_int_equal(permits_mine(p), 1);
  permits_release(p);
  object_drop(hold);
}

static void hold_run(void *arg) {
  for (int i = 0; i < *(int *)arg; i++) must(permits_acquire(p, CLOCK_NEVER) == PERMITS_OK);
}

static void the_dead_give_back(void **state) {
  (void)state;
  make(4);
  int three = 3;
  in_member(hold_run, &three);
  assert_int_equal(permits_value(p), 4);
  assert_int_equal(permits_acquire(p, 0), PERMITS_OK); /* the free one first */
  for (int i = 0; i < 3; i++) assert_int_equal(permits_acquire(p, 0), PERMITS_DIED);
  assert_int_equal(permits_acquire(p, 0), -ETIMEDOUT);
  for (int i = 0; i < 4; i++) assert_int_equal(permits_release(p), 0);
  object_drop(hold);
}

static void hold_on_run(void *arg) {
  hold_run(arg);
  for (;;) pause();
}

/* Who sleeps for a permit gets a dead one's. */
static void a_death_ends_the_wait(void **state) {
  (void)state;
  make(1);
  int one = 1;
  for (int i = 0; i < 5; i++) {
    struct member m = member_start(hold_on_run, &one);
    while (permits_value(p)) clock_sleep_until(clock_now() + SPEC_MS / 10);
    int64_t since = clock_now();
    proc_signal(&m.proc, SIGKILL);
    assert_int_equal(permits_acquire(p, CLOCK_NEVER), PERMITS_DIED);
    assert_true(clock_now() - since < 100 * SPEC_MS * spec_slower());
    permits_release(p);
    member_end(&m);
  }
  object_drop(hold);
}

static _Atomic int *inside;

static void crowd_run(void *arg) {
  for (int i = 0; i < *(int *)arg; i++) {
    must(permits_acquire(p, CLOCK_NEVER) >= 0);
    must(atomic_fetch_add(inside, 1) < 2);
    atomic_fetch_sub(inside, 1);
    must(permits_release(p) == 0);
  }
}

static void no_more_than_n(void **state) {
  (void)state;
  make(2);
  inside = spec_page(4096);
  int times = 3000;
  struct member m[5];
  for (int i = 0; i < 5; i++) m[i] = member_start(crowd_run, &times);
  for (int i = 0; i < 5; i++) assert_int_equal(member_end(&m[i]), 0);
  assert_int_equal(permits_value(p), 2);
  munmap((void *)inside, 4096);
  object_drop(hold);
}

static void churn_run(void *arg) {
  (void)arg;
  for (;;) {
    must(permits_acquire(p, CLOCK_NEVER) >= 0);
    must(permits_release(p) == 0);
  }
}

static void owners_killed_under_load(void **state) {
  (void)state;
  make(2);
  struct member m[4];
  for (int i = 0; i < 4; i++) m[i] = member_start(churn_run, NULL);
  for (int i = 0; i < 60; i++) {
    clock_sleep_until(clock_now() + SPEC_MS / 2);
    member_kill(&m[i % 4]);
    m[i % 4] = member_start(churn_run, NULL);
  }
  for (int i = 0; i < 4; i++) member_kill(&m[i]);
  assert_int_equal(permits_value(p), 2);
  for (int i = 0; i < 2; i++) assert_true(permits_acquire(p, 0) >= 0);
  object_drop(hold);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      spec_case(counts),
      spec_case(a_child_owns_none_of_its_parent),
      spec_case(the_dead_give_back),
      spec_case(a_death_ends_the_wait),
      spec_case(no_more_than_n),
      spec_case(owners_killed_under_load),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
