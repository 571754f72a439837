/* Queues that redeliver: what a dead consumer had comes back, first, once, and is not forgotten. */
#include "support.h"

#include "shm/queue.h"

#define SIZE 24

static uint64_t q, hold;
static struct buffer none;

static void begin(void) {
  q = queue_new(0, 1, family_ledger(), &hold);
  assert_true(q);
}

static void put(uint64_t number) {
  uint64_t block = heap_alloc(SIZE, BLOCK_DATA, family_ledger());
  must(block);
  message_fill(heap_payload(block), SIZE, number);
  must(queue_put_block(q, block, CLOCK_NEVER) == 0);
}

static void put_range(uint64_t from, uint64_t until) {
  for (; from <= until; from++) put(from);
}

/* The next one's number; or an error. */
static int64_t get(int64_t deadline) {
  uint64_t block;
  int rc = queue_get(q, &none, &block, deadline);
  if (rc < 0) return rc;
  must(block && message_whole(heap_payload(block), SIZE));
  return (int64_t)message_number(heap_payload(block), SIZE);
}

static void taker_run(void *arg) {
  for (int i = 0; i < *(int *)arg; i++) must(get(CLOCK_NEVER) > 0);
}

/* A member takes so many and ends without a word. */
static void take_and_die(int n) {
  struct member m = member_start(taker_run, &n);
  assert_int_equal(member_end(&m), 0);
}

static void comes_back_to_the_front(void **state) {
  (void)state;
  begin();
  put_range(1, 5);
  take_and_die(3);
  assert_int_equal(queue_length(q), 5);
  for (int i = 1; i <= 5; i++) assert_int_equal(get(0), i);
  assert_int_equal(get(0), -EAGAIN);
  object_drop(hold);
}

/* What its consumer gives back comes first again, for anybody, and is nobody's task. */
static void goes_back(void **state) {
  (void)state;
  uint64_t block;
  begin();
  put_range(1, 3);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(queue_get(q, &none, &block, 0), 0);
    assert_int_equal(message_number(heap_payload(block), SIZE), 1);
    queue_return(q, block);
    assert_int_equal(queue_length(q), 3);
    assert_int_equal(queue_task_done(q), -ERANGE);
  }
  take_and_die(2);
  assert_int_equal(queue_length(q), 3);
  for (int i = 1; i <= 3; i++) assert_int_equal(get(0), i);
  for (int i = 1; i <= 3; i++) assert_int_equal(queue_task_done(q), 0);
  object_drop(hold);
}

static void each_is_dealt_with_once(void **state) {
  (void)state;
  begin();
  put_range(1, 4);
  assert_int_equal(queue_task_done(q), -ERANGE);
  for (int i = 1; i <= 2; i++) assert_int_equal(get(0), i);
  assert_int_equal(queue_task_done(q), 0);
  assert_int_equal(queue_task_done(q), 0);
  assert_int_equal(queue_task_done(q), -ERANGE);
  take_and_die(2);
  assert_int_equal(queue_wait_done(q, 0), -ETIMEDOUT);
  for (int i = 3; i <= 4; i++) {
    assert_int_equal(get(0), i);
    assert_int_equal(queue_task_done(q), 0);
  }
  assert_int_equal(queue_wait_done(q, 0), 0);
  object_drop(hold);
}

static int reported; /* descriptor */

static void lingerer_run(void *arg) {
  (void)arg;
  must(get(CLOCK_NEVER) == 1);
  must(write(reported, "", 1) == 1);
  for (;;) pause();
}

/* A member that has taken the message: it says so by a byte. */
static struct member taker(member_run *run) {
  int ends[2];
  char byte;
  assert_int_equal(pipe(ends), 0);
  reported = ends[1];
  struct member m = member_start(run, NULL);
  assert_int_equal(read(ends[0], &byte, 1), 1);
  close(ends[0]);
  close(ends[1]);
  return m;
}

/* The death of who has the message wakes who waits for one. */
static void waited_for(void **state) {
  (void)state;
  begin();
  put(1);
  struct member m = taker(lingerer_run);
  assert_int_equal(get(clock_now() + 20 * SPEC_MS), -ETIMEDOUT);
  assert_int_equal(queue_length(q), 0);
  proc_signal(&m.proc, SIGKILL);
  int64_t since = clock_now();
  assert_int_equal(get(CLOCK_NEVER), 1);
  assert_true(clock_now() - since < 200 * SPEC_MS * spec_slower());
  assert_int_equal(member_end(&m), -SIGKILL);
  object_drop(hold);
}

/* Closed and empty is not the end while somebody else may die with a message in hand ... */
static void closed_waits_for_others(void **state) {
  (void)state;
  begin();
  put(1);
  struct member m = taker(lingerer_run);
  queue_close(q);
  assert_int_equal(get(0), -EAGAIN);
  assert_int_equal(get(clock_now() + 20 * SPEC_MS), -ETIMEDOUT);
  proc_signal(&m.proc, SIGKILL);
  assert_int_equal(get(CLOCK_NEVER), 1);
  assert_int_equal(get(CLOCK_NEVER), -EPIPE); /* ... but what is in our own hand will not come */
  assert_int_equal(queue_task_done(q), 0);
  assert_int_equal(get(CLOCK_NEVER), -EPIPE);
  assert_int_equal(member_end(&m), -SIGKILL);
  object_drop(hold);
}

static void later_done_run(void *arg) {
  (void)arg;
  must(get(CLOCK_NEVER) == 1);
  must(write(reported, "", 1) == 1);
  clock_sleep_until(clock_now() + 30 * SPEC_MS);
  must(queue_task_done(q) == 0);
}

static void the_last_task_done_ends_it(void **state) {
  (void)state;
  begin();
  put(1);
  struct member m = taker(later_done_run);
  queue_close(q);
  assert_int_equal(get(CLOCK_NEVER), -EPIPE);
  assert_int_equal(member_end(&m), 0);
  object_drop(hold);
}

static void goes_with_the_queue(void **state) {
  (void)state;
  uint64_t used = heap_used();
  begin();
  put_range(1, 6);
  assert_int_equal(get(0), 1);
  take_and_die(2);
  assert_int_equal(queue_length(q), 5);
  assert_int_equal(get(0), 2);
  object_drop(hold);
  assert_int_equal(heap_used(), used);
}

static _Atomic int *seen;

static void worker_run(void *arg) {
  (void)arg;
  for (int64_t n; (n = get(CLOCK_NEVER)) > 0;) {
    atomic_fetch_add(&seen[n], 1);
    must(queue_task_done(q) == 0);
  }
}

/* Consumers are killed all the time: each message is dealt with, at least once. */
static void nothing_is_forgotten(void **state) {
  (void)state;
  enum { MESSAGES = 4000, WORKERS = 4 };
  seen = spec_page((MESSAGES + 1) * sizeof *seen);
  begin();
  struct member m[WORKERS];
  put_range(1, MESSAGES);
  queue_close(q);
  for (int i = 0; i < WORKERS; i++) m[i] = member_start(worker_run, NULL);
  for (int kills = 0; queue_length(q) > 0; kills++) {
    struct member *victim = &m[kills % WORKERS];
    clock_sleep_until(clock_now() + SPEC_MS / 4);
    proc_signal(&victim->proc, SIGKILL);
    member_end(victim);
    *victim = member_start(worker_run, NULL);
  }
  for (int i = 0; i < WORKERS; i++) assert_int_equal(member_end(&m[i]), 0);
  assert_int_equal(queue_wait_done(q, 0), 0);
  for (int i = 1; i <= MESSAGES; i++) assert_true(seen[i] >= 1);
  object_drop(hold);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      spec_case(comes_back_to_the_front), spec_case(goes_back),
      spec_case(each_is_dealt_with_once), spec_case(waited_for),
      spec_case(closed_waits_for_others), spec_case(the_last_task_done_ends_it),
      spec_case(goes_with_the_queue),     spec_case(nothing_is_forgotten),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
