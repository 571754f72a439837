/* Robust locks: exclusion, deadlines, and what the death of an owner means to the others. */
#include "support.h"

#include <pthread.h>

#include "os/futex.h"
#include "shm/robust.h"

#define LOCKS 64

struct page {
  robust lock[LOCKS];
  pthread_mutex_t mutex; /* of the C library, in the same list of the thread */
  _Atomic uint32_t ready;
  uint64_t a, b; /* under lock[0]: equal between its owners */
};

static struct page *page;

static int page_begin(void **state) {
  if (!page) page = spec_page(sizeof *page);
  memset(page, 0, sizeof *page);
  for (int i = 0; i < LOCKS; i++) robust_init(&page->lock[i]);
  return case_begin(state);
}

static void is_ready(void) {
  atomic_store(&page->ready, 1);
  futex_wake(&page->ready, 1);
}

static void await_ready(void) {
  while (!atomic_load(&page->ready)) futex_wait(&page->ready, 0, clock_slice(CLOCK_NEVER));
  atomic_store(&page->ready, 0);
}

static void hold_run(void *arg) {
  robust *lock = arg;
  must(robust_lock(lock) == ROBUST_OK);
  is_ready();
  for (;;) pause();
}

static struct member holder_of(robust *lock) {
  struct member m = member_start(hold_run, lock);
  await_ready();
  return m;
}

static void busy_and_deadline(void **state) {
  (void)state;
  robust *lock = &page->lock[0];
  assert_int_equal(robust_is_free(lock), 1);
  assert_int_equal(robust_trylock(lock), ROBUST_OK);
  assert_int_equal(robust_is_free(lock), 0);
  robust_unlock(lock);
  assert_int_equal(robust_is_free(lock), 1);
  struct member holder = holder_of(lock);
  assert_int_equal(robust_trylock(lock), -EBUSY);
  assert_int_equal(robust_lock_until(lock, 0), -ETIMEDOUT);
  int64_t until = clock_now() + 70 * SPEC_MS;
  assert_int_equal(robust_lock_until(lock, until), -ETIMEDOUT);
  assert_in_range(clock_now(), until, until + 1000 * SPEC_MS);
  assert_int_equal(robust_is_free(lock), 0);
  member_kill(&holder);
  assert_int_equal(robust_is_free(lock), 1);
  assert_int_equal(robust_trylock(lock), ROBUST_DIED);
  robust_unlock(lock);
  assert_int_equal(robust_lock_until(lock, 0), ROBUST_OK); /* told once */
  robust_unlock(lock);
}

static void all_run(void *arg) {
  (void)arg;
  for (int i = 0; i < LOCKS; i++) must(robust_lock(&page->lock[i]) == ROBUST_OK);
  for (int i = 0; i < LOCKS; i += 3) robust_unlock(&page->lock[i]); /* not in reverse order */
  must(pthread_mutex_lock(&page->mutex) == 0);
  for (int i = 1; i < LOCKS; i += 3) robust_unlock(&page->lock[i]);
  is_ready();
  for (;;) pause();
}

/* The list is glibc's: locks and robust mutexes come and go in any order, and all are given back.
 */
static void all_of_a_dead_one(void **state) {
  (void)state;
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&page->mutex, &kind);
  struct member m = member_start(all_run, NULL);
  await_ready();
  member_kill(&m);
  for (int i = 0; i < LOCKS; i++) {
    assert_int_equal(robust_trylock(&page->lock[i]), i % 3 == 2 ? ROBUST_DIED : ROBUST_OK);
    robust_unlock(&page->lock[i]);
  }
  assert_int_equal(pthread_mutex_trylock(&page->mutex), EOWNERDEAD);
  pthread_mutex_consistent(&page->mutex);
  pthread_mutex_unlock(&page->mutex);
}

static void wait_run(void *arg) {
  int rc = robust_lock(arg);
  must(rc >= 0);
  robust_unlock(arg);
  _exit(rc == ROBUST_DIED ? 1 : 0);
}

/* Each that sleeps gets its turn, and the first of them is told of the death. */
static void death_wakes(void **state) {
  (void)state;
  for (int round = 0; round < 5; round++) {
    struct member holder = holder_of(&page->lock[0]), waiter[4];
    for (int i = 0; i < 4; i++) {
      waiter[i] = member_start(wait_run, &page->lock[0]);
      wait_asleep(&waiter[i]);
    }
    int64_t since = clock_now();
    member_kill(&holder);
    int told = 0;
    for (int i = 0; i < 4; i++) told += member_end(&waiter[i]);
    assert_int_equal(told, 1);
    assert_true(clock_now() - since < 400 * SPEC_MS * spec_slower());
  }
}

/* A waiter that dies between its wake and its taking of the lock takes nobody's wake with it. */
static void killed_waiters_harm_nobody(void **state) {
  (void)state;
  for (int round = 0; round < 20; round++) {
    robust_lock(&page->lock[0]);
    struct member doomed = member_start(wait_run, &page->lock[0]);
    wait_asleep(&doomed);
    struct member waiter = member_start(wait_run, &page->lock[0]);
    wait_asleep(&waiter);
    robust_unlock(&page->lock[0]);
    proc_signal(&doomed.proc, SIGKILL);
    assert_int_equal(proc_wait(&waiter.proc, spec_in(500)), 1);
    int status = member_end(&waiter);
    assert_true(status == 0 || status == 1);
    member_end(&doomed);
  }
}

static void count_run(void *arg) {
  for (int i = 0; i < *(int *)arg; i++) {
    must(robust_lock(&page->lock[0]) == ROBUST_OK);
    page->a++;
    robust_unlock(&page->lock[0]);
  }
}

static void one_at_a_time(void **state) {
  (void)state;
  int times = 50000;
  struct member m[4];
  for (int i = 0; i < 4; i++) m[i] = member_start(count_run, &times);
  for (int i = 0; i < 4; i++) assert_int_equal(member_end(&m[i]), 0);
  assert_int_equal(page->a, 4 * times);
}

static void pairs_run(void *arg) {
  (void)arg;
  for (;;) {
    if (robust_lock(&page->lock[0]) == ROBUST_DIED) page->b = page->a;
    must(page->a == page->b);
    page->a++;
    is_ready();
    page->b++;
    robust_unlock(&page->lock[0]);
  }
}

/* Owners are killed anywhere: nobody hangs, and who finds a broken pair was told. */
static void owners_killed_under_load(void **state) {
  (void)state;
  struct member m[3];
  for (int i = 0; i < 3; i++) m[i] = member_start(pairs_run, NULL);
  for (int i = 0; i < 200; i++) {
    await_ready();
    member_kill(&m[i % 3]);
    m[i % 3] = member_start(pairs_run, NULL);
  }
  for (int i = 0; i < 3; i++) member_kill(&m[i]);
  assert_true(robust_lock_until(&page->lock[0], spec_in(500)) >= 0);
  robust_unlock(&page->lock[0]);
}

static void *thread_run(void *arg) {
  robust_lock(arg);
  return NULL;
}

/* The owner is a thread: what it held when it ended is as of a dead process. */
static void threads_own(void **state) {
  (void)state;
  pthread_t thread;
  robust_lock(&page->lock[1]);
  assert_int_equal(pthread_create(&thread, NULL, thread_run, &page->lock[0]), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(robust_lock(&page->lock[0]), ROBUST_DIED);
  robust_unlock(&page->lock[0]);
  robust_unlock(&page->lock[1]);
}

static void life_run(void *arg) {
  (void)arg;
  robust_lock(&page->lock[0]);
  robust_expect_waiters(&page->lock[0]);
  is_ready();
  for (;;) pause();
}

/* Who sleeps on the word itself hears of the owner's death from the kernel, without slices. */
static void death_wakes_a_watcher_of_the_word(void **state) {
  (void)state;
  struct member m = member_start(life_run, NULL);
  await_ready();
  uint32_t word = atomic_load(&page->lock[0].word);
  proc_signal(&m.proc, SIGKILL);
  int rc = futex_wait(&page->lock[0].word, word, spec_in(2000));
  assert_true(rc == 0 || rc == -EAGAIN);
  assert_int_equal(robust_is_free(&page->lock[0]), 1);
  member_end(&m);
}

#define page_case(name) cmocka_unit_test_setup_teardown(name, page_begin, case_end)

int main(void) {
  const struct CMUnitTest cases[] = {
      page_case(busy_and_deadline), page_case(all_of_a_dead_one),
      page_case(death_wakes),       page_case(killed_waiters_harm_nobody),
      page_case(one_at_a_time),     page_case(owners_killed_under_load),
      page_case(threads_own),       page_case(death_wakes_a_watcher_of_the_word),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
