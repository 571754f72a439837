/* Scenes of queues with somebody else at them: asleep, behind in the line, or overtaking. */
#ifndef SPEC_SHM_SCENES_WAIT_H
#define SPEC_SHM_SCENES_WAIT_H

#include "scenes_queue.h"

/* ---- somebody asleep at the other end ---- */

static void consumer_run(void *arg) {
  (void)arg;
  uint64_t block;
  must(queue_get(q, &got, &block, CLOCK_NEVER) == 0);
  must(message_whole(got.data, got.size));
  _exit(message_number(got.data, got.size) == 10 ? 10 : 0);
}

static void sleeping_consumer(void) {
  new_queue();
  helper = member_start(consumer_run, NULL);
  wait_asleep(&helper);
}

/* The consumer sees the victim's message by itself, else it is given another. */
static enum outcome woken_verify(void) {
  const struct queue *queue = heap_payload(q);
  int done = (atomic_load(&queue->tail) >> 32 & QUEUE_COUNT) == 1; /* whoever has it by now */
  if (!done) put_bytes(3, SMALL, spec_in(STEP_HANG));
  assert_int_equal(proc_wait(&helper.proc, spec_in(STEP_HANG)), 1);
  assert_int_equal(member_end(&helper), done ? 10 : 0);
  assert_int_equal(queue_length(q), 0);
  drop_queue();
  return done ? DONE : NOT_DONE;
}

static void producer_run(void *arg) {
  (void)arg;
  put_bytes(3, SMALL, CLOCK_NEVER);
}

static void sleeping_producer(void) {
  q = queue_new(2, 0, family_ledger(), &q_hold);
  put_bytes(1, SMALL, spec_in(STEP_HANG));
  put_bytes(2, SMALL, spec_in(STEP_HANG));
  helper = member_start(producer_run, NULL);
  wait_asleep(&helper);
}

static enum outcome place_verify(void) {
  first = next_number();
  assert_int_equal(proc_wait(&helper.proc, spec_in(STEP_HANG)), 1);
  assert_int_equal(member_end(&helper), 0);
  if (first == 1)
    assert_int_equal(next_number(), 2);
  else
    assert_int_equal(first, 2);
  assert_int_equal(next_number(), 3);
  assert_int_equal(next_number(), 0);
  drop_queue();
  return first == 1 ? NOT_DONE : DONE;
}

/* The consumer that waits holding the lock dies; the one behind it takes over. */
static void waiting_act(void) {
  uint64_t block;
  must(queue_get(q, &got, &block, clock_now() + 20 * SPEC_MS) == -ETIMEDOUT);
}

static void wait_behind(void) {
  helper = member_start(consumer_run, NULL);
  wait_asleep(&helper);
}

static enum outcome takeover_verify(void) {
  put_bytes(10, SMALL, spec_in(STEP_HANG));
  assert_int_equal(proc_wait(&helper.proc, spec_in(STEP_HANG)), 1);
  assert_int_equal(member_end(&helper), 10);
  drop_queue();
  return EITHER;
}

/* The producer that waits for a place holding the lock dies; the one behind it takes over. */
static void full_queue(void) {
  q = queue_new(2, 0, family_ledger(), &q_hold);
  put_bytes(1, SMALL, spec_in(STEP_HANG));
  put_bytes(2, SMALL, spec_in(STEP_HANG));
}

static void waiting_put_act(void) {
  must(queue_put(q, ready, SMALL, clock_now() + 20 * SPEC_MS) == -ETIMEDOUT);
}

static void producer_behind(void) {
  helper = member_start(producer_run, NULL);
  wait_asleep(&helper);
}

static enum outcome place_taken_over_verify(void) {
  assert_int_equal(next_number(), 1);
  assert_int_equal(proc_wait(&helper.proc, spec_in(STEP_HANG)), 1);
  assert_int_equal(member_end(&helper), 0);
  assert_int_equal(queue_length(q), 2);
  assert_int_equal(next_number(), 2);
  assert_int_equal(next_number(), 3);
  drop_queue();
  return EITHER;
}

/* task_done for who waits for it. */
static void task_waiter_run(void *arg) {
  (void)arg;
  must(queue_wait_done(q, CLOCK_NEVER) == 0);
}

static void task_in_hand(void) {
  new_queue();
  put_bytes(1, SMALL, spec_in(STEP_HANG));
  assert_int_equal(next_number(), 1);
  helper = member_start(task_waiter_run, NULL);
  wait_asleep(&helper);
}

static void task_done_act(void) {
  must(queue_task_done(q) == 0);
}

static enum outcome task_done_verify(void) {
  int done = queue_wait_done(q, 0) == 0;
  if (!done) assert_int_equal(queue_task_done(q), 0);
  assert_int_equal(proc_wait(&helper.proc, spec_in(STEP_HANG)), 1);
  assert_int_equal(member_end(&helper), 0);
  assert_int_equal(queue_task_done(q), -ERANGE);
  drop_queue();
  return done ? DONE : NOT_DONE;
}

/* ---- a victim that lives: it stands still while others go on ---- */

#define QUARTER (QUEUE_FIRST_RING / 4 - 16) /* bytes: four such messages fill the first ring */

static void four_quarters(void) {
  q = queue_new(4, 0, family_ledger(), &q_hold);
  for (uint64_t i = 1; i <= 4; i++) put_bytes(i, QUARTER, spec_in(STEP_HANG));
}

/* The fifth goes where the first one stood, as soon as the first is given up. */
static int fifth_came;

static void try_fifth(void) {
  char bytes[QUARTER];
  message_fill(bytes, QUARTER, 5);
  int rc = queue_put(q, bytes, QUARTER, 0);
  assert_true(rc == 0 || rc == -EAGAIN);
  fifth_came = rc == 0;
}

static void got_the_first(void) {
  must(message_whole(got.data, got.size) && message_number(got.data, got.size) == 1);
}

static enum outcome overtaken_verify(void) {
  drain(2, fifth_came ? 5 : 4, 0);
  drop_queue();
  return fifth_came ? DONE : NOT_DONE;
}

/* ---- the table ---- */

/* ---- a host that waits for messages in an event loop ---- */

static int has_rung;

static void listened_queue(void) {
  two_in_queue();
  queue_listen(q);
}

static void look_then_put(void) {
  has_rung = !((struct queue *)heap_payload(q))->listened;
  third_put();
}

/* Who has rung has put before. */
static enum outcome heard_put_verify(void) {
  enum outcome found = put_verify();
  if (has_rung) assert_int_equal(found, DONE);
  return found;
}

static const struct scene queue_scenes[] = {
    {"put", .prepare = two_in_queue, .arm = put_arm, .act = put_act, .early = third_put,
     .verify = put_verify},
    {"put for an event loop", .prepare = listened_queue, .arm = put_arm, .act = put_act,
     .early = look_then_put, .verify = heard_put_verify},
    {"put behind a skip", .prepare = near_end, .arm = put_arm, .act = put_act, .early = third_put,
     .verify = put_verify},
    {"put that grows the ring", .prepare = full_ring, .arm = grow_arm, .act = grow_act,
     .early = fourth_put, .verify = grow_verify},
    {"put to a sleeper", .prepare = sleeping_consumer, .arm = put_arm, .act = put_act,
     .verify = woken_verify, .every = 3},
    {"get", .prepare = two_in_queue, .arm = get_arm, .act = get_act, .early = first_get,
     .verify = get_verify},
    {"get behind a skip", .prepare = skip_first, .arm = get_arm, .act = get_act, .early = first_get,
     .verify = get_verify},
    {"get that is overtaken", .prepare = four_quarters, .arm = get_arm, .act = get_act,
     .meanwhile = try_fifth, .after = got_the_first, .verify = overtaken_verify},
    {"get for a sleeper", .prepare = sleeping_producer, .arm = get_arm, .act = get_act,
     .verify = place_verify, .every = 3},
    {"get that waits", .prepare = new_queue, .arm = get_arm, .act = waiting_act,
     .meanwhile = wait_behind, .verify = takeover_verify, .every = 7},
    {"put that waits", .prepare = full_queue, .arm = put_arm, .act = waiting_put_act,
     .meanwhile = producer_behind, .verify = place_taken_over_verify, .every = 7},
    {"task_done", .prepare = task_in_hand, .act = task_done_act, .verify = task_done_verify},
    {"put_block", .prepare = thing_and_queue, .arm = block_arm, .act = put_block_act,
     .early = third_put, .verify = put_block_verify},
    {"get of a block", .prepare = block_in_queue, .arm = get_arm, .act = get_block_act,
     .early = first_get, .verify = get_block_verify},
    {"close", .prepare = two_in_queue, .act = close_act, .verify = close_verify},
    {"queue_new", .act = queue_new_act, .every = 7},
};

#endif
