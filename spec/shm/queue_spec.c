/* Queues: order, wholeness, capacity, close, length, many producers and consumers. */
#include "queue_support.h"

#include "memory.h"

static void expect(uint64_t number, size_t size) {
  expect_until(number, 0);
  assert_int_equal(got.size, size);
}

static void any_size_round_the_ring(void **state) {
  (void)state;
  begin(0);
  size_t size = 8;
  for (uint64_t i = 0; i < 20000; i++) { /* the ring is 32 KB: some thousand times round */
    assert_int_equal(put(i, size, 0), 0);
    expect(i, size);
    size = 8 + (size * 31 + 17) % (QUEUE_INLINE - 8);
  }
  assert_int_equal(put(7, QUEUE_INLINE, 0), 0);
  expect(7, QUEUE_INLINE);
  object_drop(hold);
}

static void no_bytes_are_a_message(void **state) {
  (void)state;
  begin(0);
  for (int i = 0; i < 10000; i++) assert_int_equal(queue_put(q, "", 0, 0), 0);
  assert_int_equal(queue_length(q), 10000);
  for (int i = 0; i < 10000; i++) {
    assert_int_equal(get(0), 0);
    assert_int_equal(got.size, 0);
  }
  assert_int_equal(get(0), -EAGAIN);
  object_drop(hold);
}

/* Every distance between head and tail, at every place of the ring: skips, and growth in between.
 */
static void growth_keeps_order(void **state) {
  (void)state;
  for (size_t shift = 0; shift < 64; shift++) {
    begin(0);
    uint64_t in = 0, out = 0;
    for (size_t i = 0; i < shift; i++) assert_int_equal(put(in++, 8 + shift * 101 % 977, 0), 0);
    while (out < in) expect(out++, 8 + shift * 101 % 977);
    for (size_t i = 0; i < 400; i++) { /* three in, one out: the ring grows four times */
      for (int k = 0; k < 3; k++, in++) assert_int_equal(put(in, 8 + in * 37 % 1500, 0), 0);
      expect(out, 8 + out * 37 % 1500), out++;
      assert_int_equal(queue_length(q), in - out);
    }
    while (out < in) expect(out, 8 + out * 37 % 1500), out++;
    object_drop(hold);
  }
}

static void capacity_bounds(void **state) {
  (void)state;
  begin(3);
  assert_int_equal(queue_capacity(q), 3);
  for (uint64_t i = 0; i < 3; i++) assert_int_equal(put(i, 8, 0), 0);
  assert_int_equal(put(9, 8, 0), -EAGAIN);
  int64_t until = clock_now() + 30 * SPEC_MS;
  assert_int_equal(put(9, 8, until), -ETIMEDOUT);
  assert_in_range(clock_now(), until, until + 1000 * SPEC_MS);
  expect(0, 8);
  assert_int_equal(put(3, 8, 0), 0);
  assert_int_equal(queue_length(q), 3);
  for (uint64_t i = 1; i <= 3; i++) expect(i, 8);
  object_drop(hold);
}

static void empty_is_waited_for(void **state) {
  (void)state;
  begin(0);
  assert_int_equal(get(0), -EAGAIN);
  assert_int_equal(get(clock_now() - 1), -EAGAIN);
  int64_t until = clock_now() + 70 * SPEC_MS; /* longer than a slice */
  assert_int_equal(get(until), -ETIMEDOUT);
  assert_in_range(clock_now(), until, until + 1000 * SPEC_MS);
  object_drop(hold);
}

static void closed_drains(void **state) {
  (void)state;
  begin(0);
  assert_int_equal(put(1, 40, 0), 0);
  assert_int_equal(queue_is_closed(q), 0);
  queue_close(q);
  queue_close(q);
  assert_int_equal(queue_is_closed(q), 1);
  assert_int_equal(put(2, 40, CLOCK_NEVER), -EPIPE);
  assert_int_equal(put(2, 40, 0), -EPIPE);
  assert_int_equal(queue_length(q), 1);
  expect(1, 40);
  assert_int_equal(get(CLOCK_NEVER), -EPIPE);
  assert_int_equal(get(0), -EPIPE);
  object_drop(hold);
}

static void closed_refuses_blocks(void **state) {
  (void)state;
  begin(0);
  uint64_t block = heap_alloc(100, BLOCK_DATA, family_ledger());
  queue_close(q);
  assert_int_equal(queue_put_block(q, block, CLOCK_NEVER), -EPIPE);
  object_drop(block); /* still ours */
  object_drop(hold);
}

static void tasks_are_counted(void **state) {
  (void)state;
  begin(0);
  assert_int_equal(queue_task_done(q), -ERANGE);
  assert_int_equal(queue_wait_done(q, 0), 0);
  assert_int_equal(put(1, 8, 0), 0);
  assert_int_equal(put(2, 8, 0), 0);
  expect(1, 8);
  assert_int_equal(queue_task_done(q), 0);
  assert_int_equal(queue_wait_done(q, clock_now() + SPEC_MS), -ETIMEDOUT);
  assert_int_equal(queue_task_done(q), 0);
  assert_int_equal(queue_task_done(q), -ERANGE);
  assert_int_equal(queue_wait_done(q, 0), 0);
  object_drop(hold);
}

/* Where no larger ring can be had a put says so, and all that is in comes out. */
static void no_memory_puts_nothing(void **state) {
  (void)state;
  begin(0);
  uint64_t in = 0;
  no_memory = 1;
  while (put(in, 8000, 0) == 0 && in < 1000) in++;
  int again = put(in, 8000, CLOCK_NEVER);
  no_memory = 0;
  assert_in_range(in, 3, 999); /* free blocks of cases before this one serve first */
  assert_int_equal(again, -ENOMEM);
  assert_int_equal(queue_length(q), in);
  assert_int_equal(put(in, 8000, CLOCK_NEVER), 0);
  for (uint64_t out = 0; out <= in; out++) expect(out, 8000);
  object_drop(hold);
}

/* Positions are 32 bits of 8 bytes: they run over, and nobody sees it. */
static void positions_run_over(void **state) {
  (void)state;
  begin(0);
  struct queue *it = heap_payload(q);
  uint64_t near = UINT32_MAX - 5000; /* as after some 32 GB */
  it->head = it->tail = it->head_seen = it->tail_seen = near;
  for (uint64_t i = 0; i < 3000; i++) {
    size_t size = 8 + i * 7 % 300;
    assert_int_equal(put(i, size, 0), 0);
    assert_int_equal(put(i + 1, size, 0), 0);
    expect(i, size);
    expect(i + 1, size);
  }
  assert_true((uint32_t)it->tail < near);
  object_drop(hold);
}

/* The counts are 31 bits: they run over, and closing and length go on as before. */
static void counts_run_over(void **state) {
  (void)state;
  begin(2);
  struct queue *it = heap_payload(q);
  it->head = it->tail = it->head_seen = it->tail_seen = (uint64_t)0x7fffffff << 32;
  it->done = 0x7fffffff;
  assert_int_equal(put(1, 8, 0), 0);
  assert_int_equal(put(2, 8, 0), 0);
  assert_int_equal(put(3, 8, 0), -EAGAIN);
  assert_int_equal(queue_is_closed(q), 0);
  assert_int_equal(queue_length(q), 2);
  queue_close(q);
  assert_int_equal(queue_length(q), 2);
  expect(1, 8);
  expect(2, 8);
  assert_int_equal(get(0), -EPIPE);
  for (int i = 0; i < 2; i++) assert_int_equal(queue_task_done(q), 0);
  assert_int_equal(queue_task_done(q), -ERANGE);
  object_drop(hold);
}

/* What a message carries goes with the queue that nobody reads. */
static void dropped_with_all_in_it(void **state) {
  (void)state;
  uint64_t thing_hold, thing = object_new(10, BLOCK_VALUE, family_ledger(), &thing_hold);
  begin(0);
  for (int i = 0; i < 100; i++) {
    uint64_t block = heap_alloc(1000, BLOCK_DATA, family_ledger());
    assert_true(object_hold(thing, &block_at(block)->owned));
    assert_int_equal(queue_put_block(q, block, 0), 0);
    assert_int_equal(put((uint64_t)i, 100, 0), 0);
  }
  assert_int_equal(block_at(thing)->refs, 101);
  object_drop(hold);
  assert_int_equal(block_at(thing)->refs, 1);
  object_drop(thing_hold);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      spec_case(any_size_round_the_ring), spec_case(no_bytes_are_a_message),
      spec_case(growth_keeps_order),      spec_case(capacity_bounds),
      spec_case(empty_is_waited_for),     spec_case(closed_drains),
      spec_case(closed_refuses_blocks),   spec_case(tasks_are_counted),
      spec_case(no_memory_puts_nothing),  spec_case(positions_run_over),
      spec_case(counts_run_over),         spec_case(dropped_with_all_in_it),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
