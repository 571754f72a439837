/* Barriers: rounds in lockstep, and all the ways in which a round ends. */
#include "support.h"

#include <sched.h>

#include "shm/barrier.h"

static uint64_t hold;
static struct barrier *b;
static _Atomic uint32_t *page;

static void make(uint32_t parties) {
  if (!page) page = spec_page(4096);
  memset((void *)page, 0, 4096);
  uint64_t offset = barrier_new(parties, family_ledger(), &hold);
  assert_true(offset);
  b = heap_payload(offset);
}

/* A whole wait, every other one as without an action: the ending; *index tells the place. */
static int wait_until(int64_t deadline, uint32_t *index) {
  static int turn;
  struct arrival a;
  int rc = turn++ % 2 ? barrier_meet(b, &a, deadline) : barrier_arrive(b, &a, deadline);
  if (rc < 0) return rc;
  *index = a.index;
  if (rc == 1) return BARRIER_PASSED;
  if (a.index == b->parties) return (int)barrier_end(b, &a, BARRIER_PASSED);
  return barrier_await(b, &a, deadline);
}

#define ROUNDS 500

static void lockstep_run(void *arg) {
  uint32_t parties = b->parties, index;
  (void)arg;
  for (uint32_t round = 0; round < ROUNDS; round++) {
    must(wait_until(CLOCK_NEVER, &index) == BARRIER_PASSED);
    atomic_fetch_add(&page[index], 1);
    uint32_t there = atomic_fetch_add(&page[0], 1);
    must(there >= round * parties && there < (round + 2) * parties);
  }
}

static void in_lockstep(void **state) {
  (void)state;
  for (uint32_t parties = 1; parties <= 5; parties += 2) {
    make(parties);
    struct member m[5];
    for (uint32_t i = 0; i < parties; i++) m[i] = member_start(lockstep_run, NULL);
    for (uint32_t i = 0; i < parties; i++) assert_int_equal(member_end(&m[i]), 0);
    for (uint32_t i = 1; i <= parties; i++) assert_int_equal(page[i], ROUNDS);
    assert_int_equal(barrier_waiting(b), 0);
    object_drop(hold);
  }
}

#define WAITS 3000

static void crowd_run(void *arg) {
  uint32_t index;
  (void)arg;
  while (atomic_fetch_add(&page[0], 1) < WAITS) {
    must(wait_until(CLOCK_NEVER, &index) == BARRIER_PASSED);
    atomic_fetch_add(&page[index], 1);
  }
}

/* More processes than parties: rounds follow each other, some come back late. */
static void a_crowd(void **state) {
  (void)state;
  make(2);
  struct member m[6];
  for (int i = 0; i < 6; i++) m[i] = member_start(crowd_run, NULL);
  for (int i = 0; i < 6; i++) assert_int_equal(member_end(&m[i]), 0);
  assert_int_equal(page[1], WAITS / 2);
  assert_int_equal(page[2], WAITS / 2);
  object_drop(hold);
}

static void party_run(void *arg) {
  uint32_t index;
  (void)arg;
  _exit(wait_until(CLOCK_NEVER, &index));
}

static struct member party(void) {
  uint32_t before = barrier_waiting(b);
  struct member m = member_start(party_run, NULL);
  while (barrier_waiting(b) == before) sched_yield();
  wait_asleep(&m);
  return m;
}

static void ends_with(struct member *m, int ending) {
  assert_int_equal(proc_wait(&m->proc, spec_in(2000)), 1);
  assert_int_equal(member_end(m), ending);
}

static void a_timeout_breaks_it(void **state) {
  (void)state;
  make(3);
  uint32_t index;
  struct member m = party();
  int64_t until = clock_now() + 60 * SPEC_MS;
  assert_int_equal(wait_until(until, &index), -ETIMEDOUT);
  assert_in_range(clock_now(), until, until + 1000 * SPEC_MS);
  ends_with(&m, BARRIER_TIMED_OUT);
  assert_int_equal(barrier_state(b), BARRIER_TIMED_OUT);
  assert_int_equal(wait_until(CLOCK_NEVER, &index), -ECANCELED);
  assert_int_equal(barrier_waiting(b), 0);
  object_drop(hold);
}

static void a_death_breaks_it(void **state) {
  (void)state;
  make(3);
  uint32_t index;
  struct member a = party(), doomed = party();
  int64_t since = clock_now();
  member_kill(&doomed);
  ends_with(&a, BARRIER_GONE);
  assert_true(clock_now() - since < 150 * SPEC_MS * spec_slower());
  assert_int_equal(wait_until(CLOCK_NEVER, &index), -ECANCELED);
  barrier_reset(b);
  doomed = party();
  member_kill(&doomed);
  assert_int_equal(wait_until(CLOCK_NEVER, &index), -ECANCELED); /* seen by who comes */
  assert_int_equal(barrier_state(b), BARRIER_GONE);
  object_drop(hold);
}

static void abort_and_reset(void **state) {
  (void)state;
  make(2);
  uint32_t index;
  struct member m = party();
  barrier_abort(b);
  barrier_reset(b); /* before it has looked: it learns of the abort all the same */
  ends_with(&m, BARRIER_ABORTED);
  assert_int_equal(barrier_state(b), BARRIER_RESET);
  m = party();
  barrier_reset(b);
  ends_with(&m, BARRIER_RESET);
  m = party();
  assert_int_equal(wait_until(CLOCK_NEVER, &index), BARRIER_PASSED);
  assert_int_equal(index, 2);
  ends_with(&m, BARRIER_PASSED);
  barrier_abort(b);
  assert_int_equal(barrier_state(b), BARRIER_ABORTED);
  barrier_abort(b);
  assert_int_equal(wait_until(0, &index), -ECANCELED);
  object_drop(hold);
}

/* The last party acts; nobody goes on before, and others come to the next round only then. */
static void nobody_goes_before_the_decision(void **state) {
  (void)state;
  make(2);
  struct arrival a, late;
  struct member m = party();
  assert_int_equal(barrier_arrive(b, &a, CLOCK_NEVER), 0);
  assert_int_equal(a.index, 2);
  assert_int_equal(barrier_arrive(b, &late, clock_now() + 60 * SPEC_MS), -ETIMEDOUT);
  assert_int_equal(proc_wait(&m.proc, 0), 0);
  assert_int_equal(barrier_end(b, &a, BARRIER_PASSED), BARRIER_PASSED);
  ends_with(&m, BARRIER_PASSED);
  assert_int_equal(barrier_waiting(b), 0);
  m = party();
  assert_int_equal(barrier_arrive(b, &a, CLOCK_NEVER), 0);
  barrier_abort(b);
  assert_int_equal(barrier_end(b, &a, BARRIER_PASSED), BARRIER_ABORTED);
  ends_with(&m, BARRIER_ABORTED);
  object_drop(hold);
}

static void churn_run(void *arg) {
  uint32_t index;
  (void)arg;
  for (;;) {
    int rc = wait_until(clock_now() + 50 * SPEC_MS, &index);
    must(rc == BARRIER_PASSED || rc == BARRIER_GONE || rc == BARRIER_TIMED_OUT ||
         rc == BARRIER_RESET || rc == -ETIMEDOUT || rc == -ECANCELED);
    if (rc != BARRIER_PASSED) barrier_reset(b);
  }
}

static void killed_under_load(void **state) {
  (void)state;
  make(3);
  struct member m[3];
  for (int i = 0; i < 3; i++) m[i] = member_start(churn_run, NULL);
  for (int i = 0; i < 60; i++) {
    clock_sleep_until(clock_now() + SPEC_MS);
    member_kill(&m[i % 3]);
    m[i % 3] = member_start(churn_run, NULL);
  }
  for (int i = 0; i < 3; i++) member_kill(&m[i]);
  barrier_reset(b);
  struct member p = party(), q = party();
  uint32_t index;
  assert_int_equal(wait_until(CLOCK_NEVER, &index), BARRIER_PASSED);
  ends_with(&p, BARRIER_PASSED);
  ends_with(&q, BARRIER_PASSED);
  object_drop(hold);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      spec_case(in_lockstep),         spec_case(a_crowd),
      spec_case(a_timeout_breaks_it), spec_case(a_death_breaks_it),
      spec_case(abort_and_reset),     spec_case(nobody_goes_before_the_decision),
      spec_case(killed_under_load),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
