/* Queues and those who wait at them: who is woken, who is not kept waiting, who takes over. */
#include "queue_support.h"

#include "os/futex.h"

static void expect(uint64_t number) {
  expect_until(number, spec_in(1000));
}

static void getter_run(void *arg) {
  must(get(CLOCK_NEVER) == *(int *)arg);
}

static void putter_run(void *arg) {
  must(put(5, 40, CLOCK_NEVER) == *(int *)arg);
}

static void close_wakes_all(void **state) {
  (void)state;
  int closed = -EPIPE;
  begin(1);
  struct member a = member_start(getter_run, &closed), b = member_start(getter_run, &closed);
  wait_asleep(&a);
  wait_asleep(&b);
  queue_close(q);
  assert_int_equal(member_end(&a), 0);
  assert_int_equal(member_end(&b), 0);
  object_drop(hold);
  begin(1);
  assert_int_equal(put(0, 8, 0), 0);
  a = member_start(putter_run, &closed), b = member_start(putter_run, &closed);
  wait_asleep(&a);
  wait_asleep(&b);
  queue_close(q);
  assert_int_equal(member_end(&a), 0);
  assert_int_equal(member_end(&b), 0);
  assert_int_equal(queue_length(q), 1);
  object_drop(hold);
}

/* The try forms do not wait behind somebody that waits with the lock in its hand. */
static void try_beside_a_waiter(void **state) {
  (void)state;
  int ok = 0;
  begin(1);
  struct member waiter = member_start(getter_run, &ok);
  wait_asleep(&waiter);
  int64_t since = clock_now();
  assert_int_equal(get(0), -EAGAIN);
  assert_true(clock_now() - since < 40 * SPEC_MS * spec_slower());
  assert_int_equal(put(1, 40, 0), 0);
  assert_int_equal(member_end(&waiter), 0);
  assert_int_equal(put(1, 40, 0), 0);
  waiter = member_start(putter_run, &ok);
  wait_asleep(&waiter);
  since = clock_now();
  assert_int_equal(put(2, 40, 0), -EAGAIN);
  assert_true(clock_now() - since < 40 * SPEC_MS * spec_slower());
  expect(1);
  assert_int_equal(member_end(&waiter), 0);
  expect(5);
  object_drop(hold);
}

static void interrupted_getter(void *arg) {
  handle(SIGUSR1);
  getter_run(arg);
}

static void interrupted_putter(void *arg) {
  handle(SIGUSR1);
  putter_run(arg);
}

/* The first waiter sleeps with the lock in its hand, the second waits for the lock: a signal
   handler that runs ends the wait of either. */
static void signals_end_waits(void **state, member_run *run) {
  (void)state;
  int interrupted = -EINTR;
  struct member a = member_start(run, &interrupted);
  wait_asleep(&a);
  struct member b = member_start(run, &interrupted);
  wait_asleep(&b);
  assert_int_equal(proc_signal(&b.proc, SIGUSR1), 0);
  assert_int_equal(proc_wait(&b.proc, spec_in(1000)), 1);
  assert_int_equal(member_end(&b), 0);
  assert_int_equal(proc_signal(&a.proc, SIGUSR1), 0);
  assert_int_equal(proc_wait(&a.proc, spec_in(1000)), 1);
  assert_int_equal(member_end(&a), 0);
}

static void signals_end_gets(void **state) {
  begin(1);
  signals_end_waits(state, interrupted_getter);
  object_drop(hold);
}

static void signals_end_puts(void **state) {
  begin(1);
  assert_int_equal(put(0, 8, 0), 0);
  signals_end_waits(state, interrupted_putter);
  assert_int_equal(queue_length(q), 1);
  object_drop(hold);
}

static void large_putter(void *arg) {
  (void)arg;
  must(put(7, QUEUE_INLINE, CLOCK_NEVER) == 0);
}

/* A consumer that sleeps with its lock in its hand must not keep a producer from making room. The
   record is the largest, the ring empty, and its end just too near: a SKIP must go first. */
static void put_beside_a_sleeping_getter(void **state) {
  (void)state;
  int ok = 0;
  size_t left = QUEUE_FIRST_RING - QUEUE_INLINE; /* until one unit is missing before the end */
  begin(0);
  for (size_t part; left; left -= part) {
    part = left > 4000 ? 2000 : left;
    assert_int_equal(put(1, part - 8, 0), 0);
    expect(1);
  }
  struct member getter = member_start(getter_run, &ok);
  wait_asleep(&getter);
  struct member putter = member_start(large_putter, NULL);
  assert_int_equal(proc_wait(&putter.proc, spec_in(1000)), 1);
  assert_int_equal(member_end(&putter), 0);
  assert_int_equal(member_end(&getter), 0);
  object_drop(hold);
}

/* A producer waits for the other end's lock to make the ring grow; the holder empties the queue,
   keeps the lock and goes to sleep for more. */
static void ring_emptied_while_growing(void **state) {
  (void)state;
  begin(0);
  for (int i = 0; i < 4; i++) assert_int_equal(put(1, 8000, 0), 0);
  struct queue *it = heap_payload(q);
  robust_lock(&it->get);
  struct member putter = member_start(large_putter, NULL);
  wait_asleep(&putter);
  atomic_store(&it->head, atomic_load(&it->tail)); /* as four gets do */
  it->tail_seen = it->tail;
  assert_int_equal(proc_wait(&putter.proc, spec_in(1000)), 1);
  robust_unlock(&it->get);
  assert_int_equal(member_end(&putter), 0);
  expect(7);
  object_drop(hold);
}

/* Of two that wait the first, with the lock, dies: the second goes on. */
static void next_waiter_takes_over(void **state) {
  (void)state;
  int ok = 0;
  begin(0);
  for (int i = 0; i < 10; i++) {
    struct member first = member_start(getter_run, &ok);
    wait_asleep(&first);
    struct member second = member_start(getter_run, &ok);
    wait_asleep(&second);
    member_kill(&first);
    assert_int_equal(put(1, 8, 0), 0);
    assert_int_equal(proc_wait(&second.proc, spec_in(500)), 1);
    assert_int_equal(member_end(&second), 0);
  }
  object_drop(hold);
}

static void done_waiter_run(void *arg) {
  (void)arg;
  must(queue_wait_done(q, CLOCK_NEVER) == 0);
}

static void last_task_done_wakes(void **state) {
  (void)state;
  begin(0);
  assert_int_equal(put(1, 8, 0), 0);
  assert_int_equal(put(2, 8, 0), 0);
  struct member waiter = member_start(done_waiter_run, NULL);
  wait_asleep(&waiter);
  assert_int_equal(queue_task_done(q), 0);
  assert_int_equal(proc_wait(&waiter.proc, clock_now() + 5 * SPEC_MS), 0);
  assert_int_equal(queue_task_done(q), 0);
  assert_int_equal(proc_wait(&waiter.proc, spec_in(1000)), 1);
  assert_int_equal(member_end(&waiter), 0);
  object_drop(hold);
}

static void watcher_run(void *arg) {
  (void)arg;
  static _Atomic uint32_t other;
  while (queue_length(q) == 0) {
    _Atomic uint32_t *words[] = {&other, queue_watch(q)};
    uint32_t expected[] = {0, 1};
    if (queue_length(q) == 0) futex_wait_many(words, expected, 2, CLOCK_NEVER); /* no slices here */
  }
}

static void a_put_wakes_a_watcher(void **state) {
  (void)state;
  begin(0);
  for (int i = 0; i < 20; i++) {
    struct member watcher = member_start(watcher_run, NULL);
    wait_asleep(&watcher);
    assert_int_equal(put(3, 8, 0), 0);
    assert_int_equal(proc_wait(&watcher.proc, spec_in(1000)), 1);
    assert_int_equal(member_end(&watcher), 0);
    expect(3);
  }
  object_drop(hold);
}

/* A get wakes who waits for a place: twenty slices of 50 ms would show. */
static void a_get_wakes_a_putter(void **state) {
  (void)state;
  int ok = 0;
  int64_t waited = 0;
  begin(1);
  assert_int_equal(put(5, 40, 0), 0);
  for (int i = 0; i < 20; i++) {
    struct member putter = member_start(putter_run, &ok);
    wait_asleep(&putter);
    int64_t since = clock_now();
    expect(5);
    assert_int_equal(member_end(&putter), 0);
    waited += clock_now() - since;
  }
  assert_true(waited < 300 * SPEC_MS * spec_slower());
  object_drop(hold);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      spec_case(close_wakes_all),
      spec_case(try_beside_a_waiter),
      spec_case(signals_end_gets),
      spec_case(signals_end_puts),
      spec_case(put_beside_a_sleeping_getter),
      spec_case(ring_emptied_while_growing),
      spec_case(next_waiter_takes_over),
      spec_case(last_task_done_wakes),
      spec_case(a_put_wakes_a_watcher),
      spec_case(a_get_wakes_a_putter),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
