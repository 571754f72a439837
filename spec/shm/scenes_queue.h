/* The operations of queues that members are killed in (stepkill.h). */
#ifndef SPEC_SHM_SCENES_QUEUE_H
#define SPEC_SHM_SCENES_QUEUE_H

#include "scenes.h"

static void put_bytes(uint64_t number, size_t size, int64_t deadline) {
  char bytes[QUEUE_INLINE];
  message_fill(bytes, size, number);
  must(queue_put(q, bytes, size, deadline) == 0);
}

/* A block with a number in it that carries a hold on `thing`. */
static uint64_t new_message(uint64_t number) {
  uint64_t block = heap_alloc(SMALL, BLOCK_DATA, family_ledger());
  must(block);
  message_fill(heap_payload(block), SMALL, number);
  must(object_hold(thing, &block_at(block)->owned));
  return block;
}

static void put_message(uint64_t number, int64_t deadline) {
  must(queue_put_block(q, new_message(number), deadline) == 0);
}

/* The next message's number; 0: the queue is empty. */
static uint64_t next_number(void) {
  uint64_t block;
  int rc = queue_get(q, &got, &block, 0);
  if (rc == -EAGAIN) return 0;
  assert_int_equal(rc, 0);
  const char *bytes = block ? heap_payload(block) : got.data;
  size_t size = block ? SMALL : got.size;
  assert_true(message_whole(bytes, size));
  uint64_t number = message_number(bytes, size);
  if (block) object_drop(block);
  return number;
}

static void two_in_queue(void) {
  new_queue();
  put_bytes(1, SMALL, spec_in(STEP_HANG));
  put_bytes(2, SMALL, spec_in(STEP_HANG));
}

/* The queue holds `from` ... `until`, and perhaps `extra` before the last: DONE if so. */
static enum outcome drain(uint64_t from, uint64_t until, uint64_t extra) {
  uint64_t length = queue_length(q), number, n = 0;
  enum outcome found = NOT_DONE;
  for (; (number = next_number()); n++) {
    if (number == extra && from == until && found == NOT_DONE) {
      found = DONE;
      continue;
    }
    assert_int_equal(number, from++);
  }
  assert_int_equal(from, until + 1);
  assert_int_equal(n, length);
  return found;
}

static char ready[QUEUE_INLINE]; /* filled before the stepping */

static void put_arm(void) {
  message_fill(ready, SMALL, 10);
}

static void put_act(void) {
  must(queue_put(q, ready, SMALL, CLOCK_NEVER) == 0);
}

/* Before the victim is reaped: what it committed and did not carry out is the next owner's duty. */
static void third_put(void) {
  put_bytes(3, SMALL, spec_in(STEP_HANG));
}

static enum outcome put_verify(void) {
  enum outcome found = drain(1, 3, 10);
  drop_queue();
  return found;
}

static void get_arm(void) {
  buffer_reserve(&got, QUEUE_INLINE);
}

static void get_act(void) {
  uint64_t block;
  must(queue_get(q, &got, &block, CLOCK_NEVER) == 0);
}

static uint64_t first; /* number */

static void first_get(void) {
  first = next_number();
}

static enum outcome get_verify(void) {
  assert_in_range(first, 1, 2);
  put_bytes(3, SMALL, spec_in(STEP_HANG));
  drain(first + 1, 3, 0);
  drop_queue();
  return first == 1 ? NOT_DONE : DONE;
}

/* Leaves the ring empty, `units` before its end. */
static void before_end(unsigned units) {
  new_queue();
  unsigned left = QUEUE_FIRST_RING / 8 - units;
  for (unsigned n; left; left -= n) {
    n = left > 1000 ? 500 : left;
    put_bytes(1, 8 * (n - 1), spec_in(STEP_HANG));
    assert_int_equal(next_number(), 1);
  }
}

/* The victim's record (6 units) does not fit at the ring's end: a SKIP leads to the start. */
static void near_end(void) {
  before_end(16);
  put_bytes(1, SMALL, spec_in(STEP_HANG));
  put_bytes(2, SMALL, spec_in(STEP_HANG));
}

static void skip_first(void) {
  before_end(4);
  put_bytes(1, SMALL, spec_in(STEP_HANG));
  put_bytes(2, SMALL, spec_in(STEP_HANG));
}

static void thing_and_queue(void) {
  new_thing();
  two_in_queue();
}

static void block_in_queue(void) {
  new_thing();
  new_queue();
  put_message(1, spec_in(STEP_HANG));
  put_bytes(2, SMALL, spec_in(STEP_HANG));
}

static void block_arm(void) {
  mine = new_message(10);
}

static void put_block_act(void) {
  must(queue_put_block(q, mine, CLOCK_NEVER) == 0);
}

static enum outcome put_block_verify(void) {
  enum outcome found = put_verify();
  assert_int_equal(block_at(thing)->refs, 1);
  object_drop(thing_hold);
  return found;
}

static void get_block_act(void) {
  must(queue_get(q, &got, &mine, CLOCK_NEVER) == 0);
  must(mine);
}

static enum outcome get_block_verify(void) {
  enum outcome found = get_verify();
  assert_int_equal(block_at(thing)->refs, 1);
  object_drop(thing_hold);
  return found;
}

/* The ring is full but for a few units, what is in it goes round its end, a SKIP in its midst. */
static void full_ring(void) {
  new_queue();
  for (int i = 0; i < 2; i++) put_bytes(1, 8000, spec_in(STEP_HANG));
  for (int i = 0; i < 2; i++) assert_int_equal(next_number(), 1);
  for (uint64_t i = 1; i <= 3; i++) put_bytes(i, 8000, spec_in(STEP_HANG));
}

static void grow_arm(void) {
  message_fill(ready, QUEUE_INLINE, 10);
}

static void grow_act(void) {
  uint64_t ring = ((struct queue *)heap_payload(q))->ring;
  must(queue_put(q, ready, QUEUE_INLINE, CLOCK_NEVER) == 0);
  must(((struct queue *)heap_payload(q))->ring != ring);
}

static void fourth_put(void) {
  put_bytes(4, SMALL, spec_in(STEP_HANG));
}

static enum outcome grow_verify(void) {
  enum outcome found = drain(1, 4, 10);
  drop_queue();
  return found;
}

static void close_act(void) {
  queue_close(q);
}

static enum outcome close_verify(void) {
  int closed = queue_is_closed(q);
  char bytes[SMALL];
  message_fill(bytes, SMALL, 3);
  assert_int_equal(queue_put(q, bytes, SMALL, spec_in(STEP_HANG)), closed ? -EPIPE : 0);
  queue_close(q);
  uint64_t block;
  for (uint64_t i = 1; i <= (closed ? 2 : 3); i++) {
    assert_int_equal(queue_get(q, &got, &block, spec_in(STEP_HANG)), 0);
    assert_int_equal(message_number(got.data, got.size), i);
  }
  assert_int_equal(queue_get(q, &got, &block, CLOCK_NEVER), -EPIPE);
  drop_queue();
  return closed ? DONE : NOT_DONE;
}

static void queue_new_act(void) {
  must(queue_new(5, 0, family_ledger(), &mine));
}

#endif
