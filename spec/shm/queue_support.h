/* A queue as the specs use it: messages by number and size, whose wholeness shows (support.h). */
#ifndef SPEC_SHM_QUEUE_SUPPORT_H
#define SPEC_SHM_QUEUE_SUPPORT_H

#include "support.h"

#include "shm/queue.h"

static uint64_t q, hold; /* the queue at hand */
static struct buffer got;

static inline void begin(uint64_t capacity) {
  q = queue_new(capacity, 0, family_ledger(), &hold);
  assert_true(q);
}

/* Every other one in two parts. */
static inline int put(uint64_t number, size_t size, int64_t deadline) {
  char bytes[QUEUE_INLINE];
  message_fill(bytes, size, number);
  size_t head = number % 2 ? number / 2 % (size < 16 ? size + 1 : 16) : 0;
  if (head) return queue_put_parts(q, bytes, head, bytes + head, size - head, deadline);
  return queue_put(q, bytes, size, deadline);
}

static inline int get(int64_t deadline) {
  uint64_t block;
  return queue_get(q, &got, &block, deadline);
}

/* The next message is there by the deadline, and it is this one. */
static inline void expect_until(uint64_t number, int64_t deadline) {
  assert_int_equal(get(deadline), 0);
  assert_int_equal(message_number(got.data, got.size), number);
  assert_true(message_whole(got.data, got.size));
}

#endif
