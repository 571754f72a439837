/* Queues under load: producers and consumers in processes of their own, some of them killed. */
#include "support.h"

#include "shm/queue.h"

#define PRODUCERS 4
#define CONSUMERS 3
#define MESSAGES 20000 /* of each producer */

struct board {
  _Atomic uint32_t seen[PRODUCERS][MESSAGES]; /* how often a message was got */
  _Atomic uint32_t got;
};

struct flow {
  uint64_t queue, thing;
  size_t most;  /* bytes of a message */
  int messages; /* of each producer */
  int blocks;   /* every so many messages is a block with a hold; 0: none */
  int who;
};

static struct board *board;

static int load_begin(void **state) {
  if (!board) board = spec_page(sizeof *board);
  memset(board, 0, sizeof *board);
  return case_begin(state);
}

static uint64_t number_of(int who, int i) {
  return (uint64_t)who << 32 | (uint32_t)i;
}

static uint64_t block_message(const struct flow *f, uint64_t number, size_t size) {
  uint64_t block = heap_alloc(size, BLOCK_DATA, family_ledger());
  must(block);
  block_at(block)->note = size;
  message_fill(heap_payload(block), size, number);
  must(object_hold(f->thing, &block_at(block)->owned));
  return block;
}

static void produce(void *arg) {
  const struct flow *f = arg;
  static char bytes[QUEUE_INLINE];
  for (int i = 0; i < f->messages; i++) {
    size_t size = 8 + (size_t)(i * 37 + f->who * 11) % (f->most - 7);
    uint64_t number = number_of(f->who, i);
    if (f->blocks && i % f->blocks == 0) {
      uint64_t block = block_message(f, number, size);
      must(queue_put_block(f->queue, block, CLOCK_NEVER) == 0);
    } else {
      message_fill(bytes, size, number);
      must(queue_put(f->queue, bytes, size, CLOCK_NEVER) == 0);
    }
  }
}

/* One message: its number; UINT64_MAX: closed and empty. */
static uint64_t consume_one(const struct flow *f, struct buffer *into) {
  uint64_t block;
  int rc = queue_get(f->queue, into, &block, CLOCK_NEVER);
  if (rc == -EPIPE) return UINT64_MAX;
  must(rc == 0);
  const char *bytes = block ? heap_payload(block) : into->data;
  size_t size = block ? block_at(block)->note : into->size;
  must(message_whole(bytes, size));
  uint64_t number = message_number(bytes, size);
  if (block) {
    must(list_first(&block_at(block)->owned)->refs == f->thing);
    object_drop(block);
  }
  return number;
}

/* Each producer's messages come in their order, also to one of several consumers. */
static void consume(void *arg) {
  const struct flow *f = arg;
  struct buffer into = {0};
  int64_t last[PRODUCERS];
  memset(last, -1, sizeof last);
  for (uint64_t number; (number = consume_one(f, &into)) != UINT64_MAX;) {
    int who = (int)(number >> 32), i = (int)(uint32_t)number;
    must(who < PRODUCERS && i > last[who]);
    last[who] = i;
    atomic_fetch_add(&board->seen[who][i], 1);
    atomic_fetch_add(&board->got, 1);
  }
  free(into.data);
}

static void run_flow(struct flow *f, uint64_t capacity, int producers, int consumers) {
  uint64_t hold, thing_hold;
  struct member producer[PRODUCERS], consumer[CONSUMERS];
  f->queue = queue_new(capacity, 0, family_ledger(), &hold);
  f->thing = object_new(10, BLOCK_VALUE, family_ledger(), &thing_hold);
  for (int i = 0; i < consumers; i++) consumer[i] = member_start(consume, f);
  for (f->who = 0; f->who < producers; f->who++) producer[f->who] = member_start(produce, f);
  for (int i = 0; i < producers; i++) assert_int_equal(member_end(&producer[i]), 0);
  queue_close(f->queue);
  for (int i = 0; i < consumers; i++) assert_int_equal(member_end(&consumer[i]), 0);
  assert_int_equal(queue_length(f->queue), 0);
  assert_int_equal(block_at(f->thing)->refs, 1);
  for (int who = 0; who < producers; who++)
    for (int i = 0; i < f->messages; i++) assert_int_equal(board->seen[who][i], 1);
  object_drop(hold);
  object_drop(thing_hold);
}

static void one_to_one(void **state) {
  (void)state;
  run_flow(&(struct flow){.most = 60, .messages = MESSAGES}, 0, 1, 1);
}

static void many_to_many(void **state) {
  (void)state;
  run_flow(&(struct flow){.most = 300, .messages = MESSAGES}, 0, PRODUCERS, CONSUMERS);
}

static void many_through_a_narrow_one(void **state) {
  (void)state;
  run_flow(&(struct flow){.most = 60, .messages = 1000}, 1, PRODUCERS, CONSUMERS);
}

/* The ring is nearly full all the time: a place is written again as soon as it may be. */
static void large_ones_in_a_small_ring(void **state) {
  (void)state;
  run_flow(&(struct flow){.most = QUEUE_INLINE, .messages = 5000}, 4, 2, 2);
}

static void blocks_with_holds(void **state) {
  (void)state;
  run_flow(&(struct flow){.most = QUEUE_INLINE, .messages = 3000, .blocks = 3}, 0, PRODUCERS,
           CONSUMERS);
}

/* ---- the killed ---- */

/* Puts for ever, blocks and bytes; dies at some moment. */
static void produce_for_ever(void *arg) {
  struct flow f = *(const struct flow *)arg;
  f.messages = MESSAGES;
  for (;;) produce(&f);
}

static void consume_for_ever(void *arg) {
  struct buffer into = {0};
  for (;;) must(consume_one(arg, &into) != UINT64_MAX);
}

/* What comes is whole and new, whatever dies; the queue's length is what comes out of it. */
static void users_are_killed(void **state) {
  (void)state;
  uint64_t hold, thing_hold;
  struct flow f = {.most = 2000, .blocks = 5};
  struct buffer into = {0};
  f.queue = queue_new(100, 0, family_ledger(), &hold);
  f.thing = object_new(10, BLOCK_VALUE, family_ledger(), &thing_hold);
  for (int i = 0; i < 150; i++) {
    struct member producer = member_start(produce_for_ever, &f);
    struct member consumer = member_start(consume_for_ever, &f);
    for (int k = 0; k < i % 7 * 20; k++) assert_int_not_equal(consume_one(&f, &into), UINT64_MAX);
    member_kill(i & 1 ? &producer : &consumer);
    member_kill(i & 1 ? &consumer : &producer);
  }
  uint64_t length = queue_length(f.queue);
  assert_in_range(length, 0, 100);
  queue_close(f.queue);
  while (consume_one(&f, &into) != UINT64_MAX) length--;
  assert_int_equal(length, 0);
  assert_int_equal(block_at(f.thing)->refs, 1);
  object_drop(hold);
  object_drop(thing_hold);
  free(into.data);
}

/* Length is the number at one moment: with one in and one out it is never more than what is in. */
static void pump(void *arg) {
  const struct flow *f = arg;
  struct buffer into = {0};
  uint64_t block;
  for (int i = 0; i < f->messages; i++) {
    must(queue_put(f->queue, "12345678", 8, CLOCK_NEVER) == 0);
    must(queue_get(f->queue, &into, &block, CLOCK_NEVER) == 0);
  }
}

static void length_is_of_one_moment(void **state) {
  (void)state;
  uint64_t hold;
  struct flow f = {.messages = 100000};
  f.queue = queue_new(0, 0, family_ledger(), &hold);
  struct member a = member_start(pump, &f), b = member_start(pump, &f);
  while (proc_wait(&a.proc, 0) == 0) assert_in_range(queue_length(f.queue), 0, 2);
  assert_int_equal(member_end(&a), 0);
  assert_int_equal(member_end(&b), 0);
  assert_int_equal(queue_length(f.queue), 0);
  object_drop(hold);
}

#define load_case(name) cmocka_unit_test_setup_teardown(name, load_begin, case_end)

int main(void) {
  const struct CMUnitTest cases[] = {
      load_case(large_ones_in_a_small_ring),
      load_case(one_to_one),
      load_case(many_to_many),
      load_case(blocks_with_holds),
      load_case(many_through_a_narrow_one),
      load_case(users_are_killed),
      load_case(length_is_of_one_moment),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
