/* Scenes of several messages at once, and of queues that redeliver. */
#ifndef SPEC_SHM_SCENES_HAND_H
#define SPEC_SHM_SCENES_HAND_H

#include "scenes_queue.h"

#include <sched.h>

#include "shm/pipe.h"

/* ---- several messages in one step ---- */

static char many[3 * SMALL];
static uint32_t many_sizes[3] = {SMALL, SMALL, SMALL};

static void many_arm(void) {
  for (int i = 0; i < 3; i++) message_fill(many + i * SMALL, SMALL, 10 + (uint64_t)i);
}

static void put_many_act(void) {
  size_t done;
  must(queue_put_many(q, many, many_sizes, 3, &done, CLOCK_NEVER) == 0 && done == 3);
}

/* All three are in, one behind the other, or none. */
static enum outcome put_many_verify(void) {
  assert_int_equal(next_number(), 1);
  assert_int_equal(next_number(), 2);
  uint64_t number = next_number();
  int all = number == 10;
  if (all) {
    assert_int_equal(next_number(), 11);
    assert_int_equal(next_number(), 12);
    number = next_number();
  }
  assert_int_equal(number, 3);
  assert_int_equal(queue_length(q), 0);
  drop_queue();
  return all ? DONE : NOT_DONE;
}

static void get_many_act(void) {
  uint64_t block;
  must(queue_get_many(q, &got, 100, &block, CLOCK_NEVER) == 2);
}

static void length_before(void) {
  first = queue_length(q);
}

static enum outcome get_many_verify(void) {
  assert_true(first == 0 || first == 2);
  put_bytes(3, SMALL, spec_in(STEP_HANG));
  drain(first ? 1 : 3, 3, 0);
  drop_queue();
  return first ? NOT_DONE : DONE;
}

/* ---- messages that come back ---- */

static void two_to_redeliver(void) {
  new_thing();
  q = queue_new(0, 1, family_ledger(), &q_hold);
  put_message(1, spec_in(STEP_HANG));
  put_message(2, spec_in(STEP_HANG));
}

static void keeper_run(void *arg) {
  uint64_t block;
  for (int i = 0; i < *(int *)arg; i++) must(queue_get(q, &got, &block, CLOCK_NEVER) == 0);
}

/* Somebody took so many of them and died. */
static void kept_by_the_dead(int n) {
  two_to_redeliver();
  struct member keeper = member_start(keeper_run, &n);
  assert_int_equal(member_end(&keeper), 0);
}

static void one_kept(void) {
  kept_by_the_dead(1);
}

static void two_kept(void) {
  kept_by_the_dead(2);
}

static void bring_back(void) {
  must(queue_length(q) == 2);
}

static void one_came_back(void) {
  one_kept();
  bring_back();
}

static void keep_act(void) {
  must(queue_get(q, &got, &mine, CLOCK_NEVER) == 0);
  must(message_number(heap_payload(mine), SMALL) == 1);
}

static void deal_act(void) {
  must(queue_task_done(q) == 0);
}

static void return_act(void) {
  queue_return(q, mine);
}

/* From number `from` on, each comes once, in order, and then all is dealt with. */
static void expect_rest(uint64_t from) {
  assert_int_equal(queue_length(q), 3 - from);
  for (uint64_t i = from, block; i <= 2; i++) {
    assert_int_equal(queue_get(q, &got, &block, spec_in(STEP_HANG)), 0);
    assert_int_equal(message_number(heap_payload(block), SMALL), i);
    assert_int_equal(queue_task_done(q), 0);
  }
  assert_int_equal(queue_wait_done(q, 0), 0);
  drop_queue();
  assert_int_equal(block_at(thing)->refs, 1);
  object_drop(thing_hold);
}

static void dead_length(void) {
  first = queue_length(q);
}

/* Whether it had got it or not: it comes back. */
static enum outcome comes_back_verify(void) {
  expect_rest(1);
  return EITHER;
}

static enum outcome dealt_verify(void) {
  assert_true(first == 1 || first == 2);
  expect_rest(first == 2 ? 1 : 2);
  return first == 2 ? NOT_DONE : DONE;
}

/* ---- closed, and what is left is in the hand of one that dies meanwhile ---- */

static int last_rc, has_died;

static void hold_on_run(void *arg) {
  (void)arg;
  keeper_run(&(int){1});
  for (;;) pause();
}

static void last_in_hand(void) {
  has_died = 0;
  new_thing();
  q = queue_new(0, 1, family_ledger(), &q_hold);
  put_message(2, spec_in(STEP_HANG));
  helper = member_start(hold_on_run, NULL);
  while (queue_length(q)) sched_yield();
  queue_close(q);
}

static void last_get_act(void) {
  last_rc = queue_get(q, &got, &mine, 0);
}

/* Never "closed and empty". */
static void last_get_after(void) {
  must(last_rc == 0 || last_rc == -EAGAIN);
}

/* Unless the victim stands with the journal's lock, which we would wait for. */
static void dies_and_goes_back(void) {
  if (!robust_is_free(region_at(REGION_JOURNAL))) return;
  member_kill(&helper);
  has_died = 1;
  assert_int_equal(queue_length(q), 1);
}

static enum outcome last_verify(void) {
  if (!has_died) member_kill(&helper);
  expect_rest(2);
  return EITHER;
}

/* ---- pipes ---- */

static uint64_t ends[2], end_holds[2];

static void new_pipe(void) {
  pipe_init();
  must(pipe_new(1, family_ledger(), ends, end_holds) == 0);
}

static void pipe_new_act(void) {
  must(pipe_new(1, family_ledger(), ends, end_holds) == 0);
}

static void two_at_the_end(void) {
  new_pipe();
  char bytes[SMALL];
  message_fill(bytes, SMALL, 1);
  must(queue_put(pipe_end(ends[1])->out, bytes, SMALL, 0) == 0);
}

/* The end travels in a message, which only the victim gets. */
static void end_under_way(void) {
  new_queue();
  two_at_the_end();
  uint64_t block = heap_alloc(SMALL, BLOCK_DATA, family_ledger());
  must(object_hold(ends[1], &block_at(block)->owned));
  must(queue_put_block(q, block, 0) == 0);
  object_drop(end_holds[1]);
}

static void leave_end_arm(void) {
  must(queue_get(q, &got, &mine, CLOCK_NEVER) == 0 && mine);
}

static void leave_end_act(void) {
  object_drop(mine);
}

/* Dropped or dead, the end is closed, and what was in comes out. */
static enum outcome end_closed_verify(void) {
  uint64_t block, in = pipe_end(ends[0])->in;
  assert_int_equal(queue_get(in, &got, &block, CLOCK_NEVER), 0);
  assert_int_equal(message_number(got.data, got.size), 1);
  assert_int_equal(queue_get(in, &got, &block, CLOCK_NEVER), -EPIPE);
  object_drop(end_holds[0]);
  drop_queue();
  return EITHER;
}

/* ---- the table ---- */

static const struct scene hand_scenes[] = {
    {"put_many", .prepare = two_in_queue, .arm = many_arm, .act = put_many_act, .early = third_put,
     .verify = put_many_verify},
    {"get_many", .prepare = two_in_queue, .arm = get_arm, .act = get_many_act,
     .early = length_before, .verify = get_many_verify},
    {"get of what will come back", .prepare = two_to_redeliver, .act = keep_act,
     .early = dead_length, .verify = comes_back_verify},
    {"get of what came back", .prepare = one_came_back, .act = keep_act, .early = dead_length,
     .verify = comes_back_verify},
    {"giving back", .prepare = two_to_redeliver, .arm = keep_act, .act = return_act,
     .early = dead_length, .verify = comes_back_verify},
    {"bringing back", .prepare = two_kept, .act = bring_back, .early = dead_length,
     .verify = comes_back_verify},
    {"task_done of what would come back", .prepare = two_to_redeliver, .arm = keep_act,
     .act = deal_act, .early = dead_length, .verify = dealt_verify},
    {"get while the last goes back", .prepare = last_in_hand, .arm = get_arm, .act = last_get_act,
     .meanwhile = dies_and_goes_back, .after = last_get_after, .verify = last_verify},
    {"pipe_new", .act = pipe_new_act, .every = 7},
    {"the last drop of an end", .prepare = end_under_way, .arm = leave_end_arm,
     .act = leave_end_act, .verify = end_closed_verify},
};

#endif
