/* Pipes: what goes when an end goes, and who is told. */
#include "support.h"

#include "memory.h"
#include "shm/pipe.h"
#include "shm/queue.h"

static uint64_t end[2], hold[2];

static void begin(int duplex) {
  pipe_init();
  assert_int_equal(pipe_new(duplex, family_ledger(), end, hold), 0);
}

static uint64_t put(uint64_t queue, const char *text) {
  return (uint64_t)(int64_t)queue_put(queue, text, strlen(text) + 1, 0);
}

static void ends_are_crossed(void **state) {
  (void)state;
  begin(1);
  assert_true(pipe_end(end[0])->in == pipe_end(end[1])->out && pipe_end(end[0])->in);
  assert_true(pipe_end(end[0])->out == pipe_end(end[1])->in && pipe_end(end[0])->out);
  object_drop(hold[0]);
  object_drop(hold[1]);
  begin(0);
  assert_true(pipe_end(end[0])->in == pipe_end(end[1])->out && pipe_end(end[0])->in);
  assert_true(pipe_end(end[0])->out == 0 && pipe_end(end[1])->in == 0);
  object_drop(hold[0]);
  object_drop(hold[1]);
}

static void the_other_end_drains(void **state) {
  (void)state;
  struct buffer got = {0};
  uint64_t block;
  begin(1);
  assert_int_equal(put(pipe_end(end[1])->out, "last words"), 0);
  assert_false(pipe_is_lonely(end[0], 0));
  assert_true(pipe_is_lonely(end[0], 1));
  object_drop(hold[1]);
  assert_true(pipe_is_lonely(end[0], 0));
  uint64_t in = pipe_end(end[0])->in;
  assert_int_equal(queue_get(in, &got, &block, 0), 0);
  assert_string_equal(got.data, "last words");
  assert_int_equal(queue_get(in, &got, &block, CLOCK_NEVER), -EPIPE);
  assert_int_equal((int)put(pipe_end(end[0])->out, "x"), -EPIPE);
  object_drop(hold[0]);
  free(got.data);
}

static void holder_run(void *arg) {
  (void)arg;
  for (;;) pause();
}

/* The end was only the dead member's: it goes before anybody waits for the process. */
static void death_closes_its_end(void **state) {
  (void)state;
  begin(1);
  struct member m = member_start(holder_run, NULL);
  object_drop(hold[1]);
  wait_asleep(&m);
  family_bury();
  assert_false(queue_is_closed(pipe_end(end[0])->in));
  assert_int_equal(proc_signal(&m.proc, SIGKILL), 0);
  assert_int_equal(proc_wait(&m.proc, spec_in(5000)), 1);
  family_bury();
  assert_true(queue_is_closed(pipe_end(end[0])->in));
  assert_int_equal(member_end(&m), -SIGKILL);
  object_drop(hold[0]);
}

static void a_message_keeps_it_open(void **state) {
  (void)state;
  uint64_t q_hold, q = queue_new(0, 0, family_ledger(), &q_hold), block;
  struct buffer got = {0};
  begin(1);
  uint64_t message = heap_alloc(8, BLOCK_DATA, family_ledger());
  assert_true(object_hold(end[1], &block_at(message)->owned));
  assert_int_equal(queue_put_block(q, message, 0), 0);
  object_drop(hold[1]);
  assert_false(queue_is_closed(pipe_end(end[0])->in));
  assert_int_equal(queue_get(q, &got, &block, 0), 0);
  object_drop(block);
  assert_true(queue_is_closed(pipe_end(end[0])->in));
  object_drop(hold[0]);
  object_drop(q_hold);
}

/* Memory ends at each kind of part of a pipe: nothing of it stays. */
static void no_memory_makes_none(void **state) {
  (void)state;
  static const size_t parts[] = {QUEUE_FIRST_RING, sizeof(struct queue), sizeof(struct end), 0};
  static uint64_t filler[1 << 16];
  size_t filled = 0;
  begin(1);
  no_memory = 1;
  for (size_t i = 0; i < 4; i++)
    while ((filler[filled] = heap_alloc(parts[i], BLOCK_DATA, family_ledger()))) filled++;
  for (int i = 0; i < 2; i++) object_drop(filler[--filled]); /* the maker's own holds on the queues */
  for (size_t i = 0; i < 4; i++) {
    object_drop(hold[0]);
    object_drop(hold[1]);
    uint64_t taken = heap_alloc(parts[i], BLOCK_DATA, family_ledger()), used = heap_used();
    assert_true(taken);
    assert_int_equal(pipe_new(1, family_ledger(), end, hold), -ENOMEM);
    assert_int_equal(heap_used(), used);
    object_drop(taken);
    assert_int_equal(pipe_new(1, family_ledger(), end, hold), 0);
  }
  no_memory = 0;
  while (filled > 0) object_drop(filler[--filled]);
  object_drop(hold[0]);
  object_drop(hold[1]);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      spec_case(no_memory_makes_none),  spec_case(ends_are_crossed),
      spec_case(the_other_end_drains),  spec_case(death_closes_its_end),
      spec_case(a_message_keeps_it_open),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
