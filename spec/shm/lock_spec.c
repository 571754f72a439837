/* Locks for scripts: who holds them, how often, through what; deaths, limits, children, threads. */
#include "support.h"

#include <pthread.h>

#include "shm/lock.h"

static uint64_t hold;
static struct lock *lock;

static void make(int recursive) {
  uint64_t offset = lock_new(recursive, family_ledger(), &hold);
  assert_true(offset);
  lock = heap_payload(offset);
}

static void plain(void **state) {
  (void)state;
  make(0);
  assert_int_equal(lock_is_held(lock), 0);
  assert_int_equal(lock_release(lock), -EPERM);
  assert_int_equal(lock_acquire(lock, 7, CLOCK_NEVER), LOCK_OK);
  assert_int_equal(lock_is_mine(lock), 1);
  assert_int_equal(lock_is_held(lock), 1);
  assert_int_equal(lock_acquire(lock, 7, CLOCK_NEVER), -EDEADLK);
  assert_int_equal(lock_acquire(lock, 7, 0), -ETIMEDOUT);
  int64_t until = clock_now() + 60 * SPEC_MS;
  assert_int_equal(lock_acquire(lock, 7, until), -ETIMEDOUT);
  assert_in_range(clock_now(), until, until + 1000 * SPEC_MS);
  assert_int_equal(lock_release(lock), 0);
  assert_int_equal(lock_release(lock), -EPERM);
  object_drop(hold);
}

static void recursive(void **state) {
  (void)state;
  make(1);
  for (int i = 0; i < 3; i++) assert_int_equal(lock_acquire(lock, 7 + i, CLOCK_NEVER), LOCK_OK);
  struct lock_hold held = lock_park(lock);
  assert_int_equal(lock_is_held(lock), 0);
  assert_int_equal(held.tag, 7);
  assert_int_equal(lock_unpark(lock, held), LOCK_OK);
  for (int i = 0; i < 3; i++) assert_int_equal(lock_release(lock), 0);
  assert_int_equal(lock_release(lock), -EPERM);
  assert_int_equal(lock_is_held(lock), 0);
  object_drop(hold);
}

static void dropped_by_its_tag_only(void **state) {
  (void)state;
  make(1);
  lock_acquire(lock, 7, 0);
  lock_acquire(lock, 8, 0);
  assert_int_equal(lock_drop(lock, 8), 0);
  assert_int_equal(lock_is_mine(lock), 1);
  assert_int_equal(lock_drop(lock, 7), 0);
  assert_int_equal(lock_is_held(lock), 0);
  object_drop(hold);
}

static void die_holding(void *arg) {
  (void)arg;
  for (int i = 0; i < 3; i++) must(lock_acquire(lock, 1, CLOCK_NEVER) == LOCK_OK);
}

static void told_of_a_death_once(void **state) {
  (void)state;
  make(1);
  in_member(die_holding, NULL);
  assert_int_equal(lock_is_held(lock), 0);
  assert_int_equal(lock_acquire(lock, 1, 0), LOCK_DIED);
  assert_int_equal(lock->depth, 1);
  assert_int_equal(lock_release(lock), 0);
  assert_int_equal(lock_acquire(lock, 1, 0), LOCK_OK);
  assert_int_equal(lock_release(lock), 0);
  object_drop(hold);
}

/* A death that an inner operation met is told to the next who takes it. */
static void inner_deaths_are_kept(void **state) {
  (void)state;
  make(1);
  in_member(die_holding, NULL);
  assert_int_equal(lock_enter(lock, 0), 0);
  lock_leave(lock);
  assert_int_equal(lock_enter(lock, 0), 0);
  lock_leave(lock);
  assert_int_equal(lock_acquire(lock, 1, 0), LOCK_DIED);
  lock_release(lock);
  object_drop(hold);
}

static void child_run(void *arg) {
  (void)arg;
  must(!lock_is_mine(lock) && lock_is_held(lock));
  must(robust_held() == 1); /* its life */
  must(lock_release(lock) == -EPERM);
  must(lock_drop(lock, 7) == 0);
  must(lock_acquire(lock, 7, clock_now() + 10 * SPEC_MS) == -ETIMEDOUT);
}

static void a_child_holds_nothing(void **state) {
  (void)state;
  make(0);
  lock_acquire(lock, 7, 0);
  in_member(child_run, NULL);
  assert_int_equal(lock_is_mine(lock), 1);
  lock_release(lock);
  object_drop(hold);
}

static void *thread_run(void *arg) {
  (void)arg;
  return (void *)(intptr_t)(lock_acquire(lock, 9, 0) == -ETIMEDOUT &&
                            lock_release(lock) == -EPERM && lock_drop(lock, 9) == 0 &&
                            lock_drop(lock, 7) == -EBUSY);
}

static void another_thread_does_not_hold_it(void **state) {
  (void)state;
  make(1);
  pthread_t thread;
  void *ok;
  lock_acquire(lock, 7, 0);
  pthread_create(&thread, NULL, thread_run, NULL);
  pthread_join(thread, &ok);
  assert_non_null(ok);
  lock_release(lock);
  object_drop(hold);
}

/* Not one lock that is held may be forgotten when its holder dies. */
static uint64_t many[LOCK_MOST + 1];

static void hold_all_run(void *arg) {
  (void)arg;
  int n = 0, rc;
  while ((rc = lock_acquire(heap_payload(many[n]), 1, CLOCK_NEVER)) == LOCK_OK) n++;
  must(rc == -EMFILE && robust_held() == LOCK_MOST && n == LOCK_MOST - 1);
  must(lock_acquire(heap_payload(many[n]), 1, 0) == -EMFILE);
  must(lock_acquire(heap_payload(many[0]), 1, 0) == LOCK_OK); /* again */
  must(lock_release(heap_payload(many[1])) == 0);
  must(lock_acquire(heap_payload(many[n]), 1, 0) == LOCK_OK);
}

static void a_thread_holds_no_more_than_the_kernel_frees(void **state) {
  (void)state;
  static uint64_t holds[LOCK_MOST + 1];
  for (int i = 0; i <= LOCK_MOST; i++)
    assert_true(many[i] = lock_new(1, family_ledger(), &holds[i]));
  in_member(hold_all_run, NULL);
  for (int i = 0; i < LOCK_MOST; i++) {
    int rc = lock_acquire(heap_payload(many[i]), 1, 0);
    assert_int_equal(rc, i == 1 ? LOCK_OK : LOCK_DIED);
    lock_release(heap_payload(many[i]));
  }
  for (int i = 0; i <= LOCK_MOST; i++) object_drop(holds[i]);
}

static uint64_t *counter;

static void count_run(void *arg) {
  for (int i = 0; i < *(int *)arg; i++) {
    must(lock_acquire(lock, 1, CLOCK_NEVER) == LOCK_OK);
    ++*counter;
    must(lock_release(lock) == 0);
  }
}

static void one_at_a_time(void **state) {
  (void)state;
  make(1);
  counter = spec_page(4096);
  int times = 30000;
  struct member m[3];
  for (int i = 0; i < 3; i++) m[i] = member_start(count_run, &times);
  for (int i = 0; i < 3; i++) assert_int_equal(member_end(&m[i]), 0);
  assert_int_equal(*counter, 3 * times);
  munmap(counter, 4096);
  object_drop(hold);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      spec_case(plain),
      spec_case(recursive),
      spec_case(dropped_by_its_tag_only),
      spec_case(told_of_a_death_once),
      spec_case(inner_deaths_are_kept),
      spec_case(a_child_holds_nothing),
      spec_case(another_thread_does_not_hold_it),
      spec_case(a_thread_holds_no_more_than_the_kernel_frees),
      spec_case(one_at_a_time),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
