/* Queues into whose memory somebody else writes: each get gives a whole message or -EBADMSG, ends,
   and the queue goes on. */
#include "support.h"

#include "shm/queue.h"
#include "shm/ring.h"

#define SIZE 20    /* bytes of a message: 4 units with the header */
#define MESSAGES 6 /* in the ring when it is written to */

static uint64_t q, q_hold;
static struct buffer got;

static int bad_begin(void **state) {
  int rc = case_begin(state);
  q = queue_new(0, 0, family_ledger(), &q_hold);
  assert_true(q);
  return rc;
}

static int bad_end(void **state) {
  object_drop(q_hold);
  return case_end(state);
}

static void put_number(uint64_t number) {
  char bytes[SIZE];
  message_fill(bytes, SIZE, number);
  assert_int_equal(queue_put(q, bytes, SIZE, CLOCK_NEVER), 0);
}

static void put_block(uint64_t number) {
  uint64_t block = heap_alloc(SIZE, BLOCK_DATA, family_ledger());
  message_fill(heap_payload(block), SIZE, number);
  assert_int_equal(queue_put_block(q, block, CLOCK_NEVER), 0);
}

/* The record of the n-th message from 0, when all before it are `SIZE` bytes or blocks. */
static struct record *record_of(int n) {
  struct queue *at = heap_payload(q);
  struct record *record = record_at(at, position(atomic_load(&at->head)));
  while (n--) record = record_next(record);
  return record;
}

/* The number of the next message, 0 for bytes that are none of ours, or the error. */
static int64_t next(void) {
  uint64_t block, number;
  int rc = queue_get(q, &got, &block, 0);
  if (rc < 0) return rc;
  const char *bytes = block ? heap_payload(block) : got.data;
  size_t size = block ? SIZE : got.size;
  number = message_whole(bytes, size) ? message_number(bytes, size) : 0;
  if (block) object_drop(block);
  return (int64_t)number;
}

static void goes_on(void) {
  assert_int_equal(queue_length(q), 0);
  assert_int_equal(next(), -EAGAIN);
  for (uint64_t i = 1; i <= 3000; i++) { /* around the ring, and through its growth */
    put_number(i);
    put_block(i);
    if (i % 3) continue;
    for (int k = 0; k < 3; k++) {
      assert_int_equal(next(), i / 3 * 3 - 2 + (uint64_t)k);
      assert_int_equal(next(), i / 3 * 3 - 2 + (uint64_t)k);
    }
  }
  assert_int_equal(queue_length(q), 0);
}

/* A kind that is none: one message is lost, the sizes lead to the others. */
static void a_foreign_kind(void **state) {
  (void)state;
  for (uint32_t kind = 0; kind < 300; kind += kind < 6 ? 1 : 97) {
    if (kind == RECORD_BYTES || kind == RECORD_SKIP || kind == RECORD_BLOCK) continue;
    for (int at = 0; at < MESSAGES; at++) {
      for (uint64_t i = 1; i <= MESSAGES; i++) put_number(i);
      record_of(at)->kind = kind;
      for (int i = 0; i < MESSAGES; i++) assert_int_equal(next(), i == at ? -EBADMSG : i + 1);
      assert_int_equal(next(), -EAGAIN);
    }
  }
  goes_on();
}

/* A size that leads anywhere: those before it come, nothing behind the tail is read. */
static void a_foreign_size(void **state) {
  (void)state;
  const uint32_t sizes[] = {0, 1, 12, 13, 28, 4096, 32768, 1u << 30, UINT32_MAX - 7, UINT32_MAX};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int at = 0; at < MESSAGES; at++) {
      for (uint64_t i = 1; i <= MESSAGES; i++) put_number(i);
      record_of(at)->size = sizes[s];
      for (int i = 0; i < at; i++) assert_int_equal(next(), i + 1);
      int n = 0;
      while (next() != -EAGAIN) assert_true(++n <= MESSAGES - at);
      put_number(99);
      int64_t number = next(); /* at once in its place, or after what was misread */
      assert_true(number == 99 || number == -EBADMSG);
      while (next() != -EAGAIN) {
      }
    }
  goes_on();
}

/* A message that leads over the next one as if to the ring's end. */
static void a_foreign_skip(void **state) {
  (void)state;
  for (int at = 0; at < MESSAGES; at++) {
    for (uint64_t i = 1; i <= MESSAGES; i++) put_number(i);
    record_of(at)->kind = RECORD_SKIP;
    for (int i = 0; i < at; i++) assert_int_equal(next(), i + 1);
    int n = 0;
    while (next() != -EAGAIN) assert_true(++n <= MESSAGES - at);
  }
  for (uint64_t i = 1; i <= MESSAGES; i++) put_number(i);
  for (int i = 0; i < MESSAGES; i++) *record_of(i) = (struct record){0, RECORD_SKIP};
  while (next() != -EAGAIN) {
  }
  goes_on();
}

/* An offset that is no block's, or a block's that is no message. */
static void a_foreign_block(void **state) {
  (void)state;
  uint64_t free_one = heap_alloc(100, BLOCK_DATA, family_ledger());
  object_drop(free_one);
  const uint64_t offsets[] = {0,
                              64,
                              REGION_HEAP - 64,
                              q,
                              q_hold,
                              free_one,
                              free_one + 64,
                              REGION_HEAP + 1,
                              region.size - 64,
                              region.size,
                              UINT64_MAX - 63,
                              UINT64_MAX};
  for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
    put_number(1);
    put_block(2);
    put_block(3);
    uint64_t *offset = (uint64_t *)(record_of(1) + 1), real = *offset;
    *offset = offsets[i];
    assert_int_equal(next(), 1);
    assert_int_equal(next(), -EBADMSG);
    assert_int_equal(next(), 3);
    assert_int_equal(next(), -EAGAIN);
    object_drop(real); /* it was still the queue's */
  }
  put_block(1);
  record_of(0)->kind = RECORD_BYTES; /* its offset as a message */
  assert_true(next() > 0);
  goes_on();
}

static void many_at_once(void **state) {
  (void)state;
  uint64_t block;
  for (uint64_t i = 1; i <= MESSAGES; i++) put_number(i);
  record_of(2)->kind = 77;
  assert_int_equal(queue_get_many(q, &got, 100, &block, 0), 2);
  assert_int_equal(queue_get_many(q, &got, 100, &block, 0), -EBADMSG);
  assert_int_equal(queue_get_many(q, &got, 100, &block, 0), MESSAGES - 3);
  assert_int_equal(queue_get_many(q, &got, 100, &block, 0), -EAGAIN);
  goes_on();
}

/* Anything anywhere in the records: it ends, and the queue goes on. */
static void anything(void **state) {
  (void)state;
  uint32_t seed = 1;
  for (int round = 0; round < 20000; round++) {
    for (uint64_t i = 1; i <= MESSAGES; i++)
      if ((round + (int)i) % 5) put_number(i);
    struct queue *at = heap_payload(q);
    uint32_t start = position(atomic_load(&at->head));
    for (int k = 0; k < 1 + round % 7; k++) {
      seed = seed * 1664525u + 1013904223u;
      uint32_t byte = (seed >> 8) % (4 * 8 * MESSAGES);
      ((char *)record_at(at, start + byte / 8))[byte % 8] =
          (char)(seed >> 24 & (round & 1 ? 3 : 255));
    }
    for (int n = 0; next() != -EAGAIN; n++) assert_true(n <= MESSAGES);
    assert_int_equal(queue_length(q), 0);
  }
  next();
  put_number(7);
  assert_int_equal(next(), 7);
}

#define bad_case(name) cmocka_unit_test_setup_teardown(name, bad_begin, bad_end)

int main(void) {
  const struct CMUnitTest cases[] = {
      bad_case(a_foreign_kind),  bad_case(a_foreign_size), bad_case(a_foreign_skip),
      bad_case(a_foreign_block), bad_case(many_at_once),   bad_case(anything),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
