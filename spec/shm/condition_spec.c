/* Conditions: an exact line, and no notification lost to the late or the dead. */
#include "support.h"

#include <sched.h>

#include "shm/condition.h"

#define MANY 40 /* more than the first part of the table holds */

struct page {
  _Atomic int came; /* waiters that came back */
  int order[MANY];  /* which of them, under the lock */
  _Atomic int ready;
};

static uint64_t condition, hold;
static struct condition *c;
static struct page *page;
static int died;

static int line_begin(void **state) {
  case_begin(state);
  if (!page) page = spec_page(sizeof *page);
  memset(page, 0, sizeof *page);
  condition = condition_new(0, family_ledger(), &hold);
  assert_true(condition);
  c = heap_payload(condition);
  return 0;
}

static int line_done(void **state) {
  object_drop(hold);
  return case_end(state);
}

static int acquire(void) {
  return lock_acquire(condition_lock(c), 1, CLOCK_NEVER);
}

static void release(void) {
  must(lock_release(condition_lock(c)) == 0);
}

static int notify(uint32_t n) {
  acquire();
  int made = condition_notify(c, n);
  release();
  return made;
}

static void wants_the_lock(void **state) {
  (void)state;
  assert_int_equal(condition_wait(condition, 0, &died), -EPERM);
  assert_int_equal(condition_notify(c, 1), -EPERM);
  assert_int_equal(notify(1), 0);
}

static void gives_back_wholly_and_restores(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) acquire();
  int64_t until = clock_now() + 60 * SPEC_MS;
  assert_int_equal(condition_wait(condition, 0, &died), -ETIMEDOUT);
  assert_int_equal(condition_wait(condition, until, &died), -ETIMEDOUT);
  assert_in_range(clock_now(), until, until + 1000 * SPEC_MS);
  assert_int_equal(died, 0);
  for (int i = 0; i < 3; i++) release();
  assert_int_equal(lock_is_held(condition_lock(c)), 0);
}

static void wait_run(void *arg) {
  acquire();
  page->ready++;
  must(condition_wait(condition, CLOCK_NEVER, &died) == 0);
  must(lock_is_mine(condition_lock(c)));
  page->order[page->came++] = (int)(intptr_t)arg;
  release();
}

static struct member waiter(int number) {
  int before = page->ready;
  struct member m = member_start(wait_run, (void *)(intptr_t)number);
  while (page->ready == before) sched_yield();
  acquire(); /* it has given the lock back: it stands in the line */
  release();
  return m;
}

static void ends(struct member *m) {
  assert_int_equal(proc_wait(&m->proc, spec_in(2000)), 1);
  assert_int_equal(member_end(m), 0);
}

static void exact_and_in_order(void **state) {
  (void)state;
  struct member m[MANY];
  for (int i = 0; i < MANY; i++) m[i] = waiter(i);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(notify(1), 1);
    ends(&m[i]);
    assert_int_equal(page->came, i + 1);
  }
  assert_int_equal(notify(7), 7);
  for (int i = 5; i < 12; i++) ends(&m[i]);
  assert_int_equal(page->came, 12);
  assert_int_equal(notify(UINT32_MAX), MANY - 12);
  for (int i = 12; i < MANY; i++) ends(&m[i]);
  assert_int_equal(notify(1), 0);
  for (int i = 0; i < 5; i++) assert_int_equal(page->order[i], i);
}

static void the_dead_are_skipped(void **state) {
  (void)state;
  struct member m[4];
  for (int i = 0; i < 4; i++) m[i] = waiter(i);
  member_kill(&m[0]);
  member_kill(&m[2]);
  assert_int_equal(notify(2), 2);
  ends(&m[1]);
  ends(&m[3]);
  assert_int_equal(notify(1), 0);
}

/* Notified, and killed before they had the lock again: the notification goes to the next. */
static void the_dead_pass_on(void **state) {
  (void)state;
  for (int round = 0; round < 5; round++) {
    struct member m[4];
    for (int i = 0; i < 4; i++) m[i] = waiter(i);
    acquire();
    assert_int_equal(condition_notify(c, 2), 2);
    member_kill(&m[0]);
    member_kill(&m[1]);
    int64_t since = clock_now();
    release();
    ends(&m[2]);
    ends(&m[3]);
    assert_true(clock_now() - since < 150 * SPEC_MS * spec_slower());
  }
}

static void late_run(void *arg) {
  (void)arg;
  acquire();
  page->ready++;
  must(condition_wait(condition, clock_now() + 20 * SPEC_MS, &died) == 0);
  release();
}

/* Its time is over, but it was notified before it had the lock again. */
static void the_late_take_theirs(void **state) {
  (void)state;
  struct member m = member_start(late_run, NULL);
  while (!page->ready) sched_yield();
  acquire();
  clock_sleep_until(clock_now() + 60 * SPEC_MS);
  assert_int_equal(condition_notify(c, 1), 1);
  release();
  ends(&m);
}

static void timed_out_run(void *arg) {
  (void)arg;
  acquire();
  must(condition_wait(condition, clock_now() + 20 * SPEC_MS, &died) == -ETIMEDOUT);
  release();
}

static void who_left_is_not_notified(void **state) {
  (void)state;
  in_member(timed_out_run, NULL);
  struct member m = waiter(1);
  assert_int_equal(notify(1), 1);
  ends(&m);
}

static void told_run(void *arg) {
  (void)arg;
  acquire();
  page->ready++;
  must(condition_wait(condition, CLOCK_NEVER, &died) == 0);
  _exit(died ? 10 : 0);
}

static void notify_and_die_run(void *arg) {
  (void)arg;
  acquire();
  must(condition_notify(c, 1) == 1);
}

static void told_of_the_lock_holders_death(void **state) {
  (void)state;
  struct member m = member_start(told_run, NULL);
  while (!page->ready) sched_yield();
  in_member(notify_and_die_run, NULL);
  assert_int_equal(proc_wait(&m.proc, spec_in(2000)), 1);
  assert_int_equal(member_end(&m), 10);
}

static void give_up_run(void *arg) {
  (void)arg;
  struct waiting w;
  acquire();
  page->ready++;
  must(condition_begin(condition, &w) == 0);
  must(condition_sleep(c, &w, clock_now() + 20 * SPEC_MS) == -ETIMEDOUT);
  condition_give_up(c, &w); /* the spec has the lock until it has notified */
  must(lock_is_mine(condition_lock(c)));
  release();
}

/* Who leaves with a notification that it has no use for hands it on. */
static void who_gives_up_passes_on(void **state) {
  (void)state;
  for (int notified = 0; notified < 2; notified++) {
    int before = page->ready;
    struct member m = member_start(give_up_run, NULL);
    while (page->ready == before) sched_yield();
    struct member next = waiter(0);
    acquire();
    clock_sleep_until(clock_now() + 40 * SPEC_MS);
    assert_int_equal(condition_notify(c, (uint32_t)notified), notified);
    release();
    ends(&m);
    if (!notified) assert_int_equal(notify(1), 1);
    ends(&next);
    assert_int_equal(notify(1), 0);
  }
}

static void two_conditions_of_one_lock(void **state) {
  (void)state;
  uint64_t other_hold, other = condition_new(c->lock, family_ledger(), &other_hold);
  assert_true(other);
  struct member m = waiter(0);
  acquire();
  assert_int_equal(condition_notify(heap_payload(other), 1), 0);
  assert_int_equal(condition_notify(c, 1), 1);
  release();
  ends(&m);
  object_drop(other_hold);
}

static void churn_run(void *arg) {
  for (unsigned i = (unsigned)(intptr_t)arg;; i++) {
    acquire();
    if (i % 3)
      condition_wait(condition, clock_now() + 3 * SPEC_MS, &died);
    else
      condition_notify(c, 1 + i % 2);
    release();
  }
}

static void killed_under_load(void **state) {
  (void)state;
  struct member m[4];
  for (int i = 0; i < 4; i++) m[i] = member_start(churn_run, (void *)(intptr_t)i);
  for (int i = 0; i < 100; i++) {
    clock_sleep_until(clock_now() + SPEC_MS);
    member_kill(&m[i % 4]);
    m[i % 4] = member_start(churn_run, (void *)(intptr_t)i);
  }
  for (int i = 0; i < 4; i++) member_kill(&m[i]);
  assert_int_equal(notify(UINT32_MAX), 0);
  struct member last = waiter(0);
  assert_int_equal(notify(1), 1);
  ends(&last);
}

#define a_line(name) cmocka_unit_test_setup_teardown(name, line_begin, line_done)

int main(void) {
  const struct CMUnitTest cases[] = {
      a_line(wants_the_lock),           a_line(gives_back_wholly_and_restores),
      a_line(exact_and_in_order),       a_line(the_dead_are_skipped),
      a_line(the_dead_pass_on),         a_line(the_late_take_theirs),
      a_line(who_left_is_not_notified), a_line(told_of_the_lock_holders_death),
      a_line(who_gives_up_passes_on),   a_line(two_conditions_of_one_lock),
      a_line(killed_under_load),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
