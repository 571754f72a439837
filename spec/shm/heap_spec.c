/* The heap: blocks of any size, used again, given back, refused in good time. */
#include "support.h"

#include <sys/stat.h>

#include "memory.h"
#include "shm/region.h"

static uint64_t take(size_t size) {
  uint64_t block = heap_alloc(size, BLOCK_DATA, family_ledger());
  assert_true(block);
  return block;
}

/* Bytes of the region that are real memory. */
static uint64_t resident(void) {
  struct stat info;
  assert_int_equal(fstat(region.fd, &info), 0);
  return (uint64_t)info.st_blocks * 512;
}

/* A fresh block is at most a quarter too large; one that serves a second time at most as large
 * again, if it has pages to speak of. */
static void sizes_are_rounded_little(void **state) {
  (void)state;
  for (size_t size = 0; size < ((size_t)8 << 20); size += 1 + size / 50) {
    uint64_t block = take(size);
    size_t room = heap_room(block), total = size + HEAP_HEADER;
    assert_in_range(room, size, size + (size < 12 << 10 ? total / 4 : total) + 63);
    assert_int_equal((room + HEAP_HEADER) % 64, 0);
    assert_int_equal((uintptr_t)heap_payload(block) % 64, 0);
    assert_int_equal(block_at(block)->kind, BLOCK_DATA);
    assert_int_equal(block_at(block)->refs, 0);
    object_drop(block);
  }
}

#define BLOCKS 2000

static void fill(uint64_t block) {
  memset(heap_payload(block), (int)(block >> 6 & 0xff), heap_room(block));
}

static void check_filled(uint64_t block) {
  const unsigned char *bytes = heap_payload(block);
  size_t room = heap_room(block);
  assert_int_equal(bytes[0], block >> 6 & 0xff);
  assert_memory_equal(bytes, bytes + 1, room - 1);
}

static void blocks_do_not_overlap(void **state) {
  (void)state;
  static uint64_t block[BLOCKS];
  unsigned random = 12345;
  for (int round = 0; round < 5; round++) {
    for (int i = 0; i < BLOCKS; i++) {
      random = random * 1103515245 + 12345;
      if (block[i]) {
        check_filled(block[i]);
        object_drop(block[i]);
      }
      block[i] = take(1 + (random >> 8) % (random & 1 ? 100 : 8000));
      fill(block[i]);
    }
    check_heap();
  }
  for (int i = 0; i < BLOCKS; i++) {
    check_filled(block[i]);
    object_drop(block[i]);
  }
}

static void a_freed_block_comes_again(void **state) {
  (void)state;
  uint64_t a = take(1000), b = take(1000);
  object_drop(a);
  assert_int_equal(take(1000), a);
  object_drop(a);
  object_drop(b);
}

static void a_million_grow_nothing(void **state) {
  (void)state;
  static const size_t size[] = {1, 100, 1000, 5000, 40000};
  uint64_t least[5], most[5];
  for (int i = 0; i < 5; i++) {
    least[i] = take(size[i]);
    most[i] = take(size[i]);
    object_drop(least[i]);
    object_drop(most[i]);
  }
  uint64_t memory = resident();
  for (int i = 0; i < 1000000; i++) {
    uint64_t block = heap_alloc(size[i % 5], BLOCK_DATA, family_ledger());
    if (block != least[i % 5] && block != most[i % 5]) fail_msg("another block, at %d", i);
    object_drop(block);
  }
  assert_int_equal(resident(), memory);
}

#define LARGE ((size_t)100 << 20)

static void a_hundred_megabytes(void **state) {
  (void)state;
  uint64_t block = take(LARGE);
  char *bytes = heap_payload(block);
  for (size_t i = 0; i < LARGE; i += MAP_PAGE) bytes[i] = (char)(i >> 12);
  bytes[LARGE - 1] = 77;
  for (size_t i = 0; i < LARGE; i += MAP_PAGE) assert_int_equal(bytes[i], (char)(i >> 12));
  assert_int_equal(bytes[LARGE - 1], 77);
  object_drop(block);
}

/* Large free blocks keep their pages up to HEAP_WARM bytes; the rest goes back to the system. */
static void memory_goes_back(void **state) {
  (void)state;
  uint64_t block[4], before = resident();
  for (int i = 0; i < 4; i++) block[i] = take(LARGE);
  assert_in_range(resident(), 4 * LARGE, UINT64_MAX);
  for (int i = 0; i < 4; i++) object_drop(block[i]);
  assert_in_range(resident(), 0, before + HEAP_WARM + 4 * MAP_PAGE);
  for (int i = 0; i < 4; i++) { /* those too come again, cold ones with memory */
    block[i] = take(LARGE);
    ((char *)heap_payload(block[i]))[LARGE - 1] = 1;
  }
  assert_in_range(resident(), 4 * LARGE, UINT64_MAX);
  for (int i = 0; i < 4; i++) object_drop(block[i]);
}

static uint64_t take_noting(size_t size, int *fresh) {
  *fresh = -1;
  uint64_t block = heap_alloc_fresh(size, BLOCK_DATA, family_ledger(), fresh);
  assert_true(block);
  return block;
}

/* Large blocks are, the first time and after they gave their pages back. */
static void tells_who_is_fresh(void **state) {
  (void)state;
  int fresh;
  size_t small = 1000, large = ((size_t)3 << 20) - HEAP_HEADER, warm = HEAP_WARM - HEAP_HEADER;
  object_drop(take_noting(small, &fresh));
  assert_false(fresh);
  object_drop(take_noting(small, &fresh));
  assert_false(fresh);
  uint64_t block = take_noting(warm, &fresh);
  assert_true(fresh);
  uint64_t other = take_noting(large, &fresh), at = other;
  assert_true(fresh);
  object_drop(other);
  other = take_noting(large, &fresh);
  assert_true(other == at && !fresh);
  memset(heap_payload(other), 1, large);
  object_drop(block);
  object_drop(other); /* one too many to keep its pages */
  other = take_noting(large, &fresh);
  assert_true(other == at && fresh);
  assert_int_equal(((char *)heap_payload(other))[large - 1], 0);
  object_drop(other);
}

/* Where memory has ended, blocks of other sizes give up what they hold. */
static void the_free_give_way(void **state) {
  (void)state;
  enum { PIECES = 1000, PIECE = 10000 };
  static uint64_t piece[PIECES];
  for (int again = 0; again < 2; again++) {
    for (int i = 0; i < PIECES; i++) {
      piece[i] = take(PIECE);
      memset(heap_payload(piece[i]), i, PIECE);
    }
    for (int i = 0; i < PIECES; i++) {
      assert_int_equal(((unsigned char *)heap_payload(piece[i]))[PIECE - 1], i & 0xff);
      object_drop(piece[i]);
    }
    uint64_t before = resident();
    assert_int_equal(heap_alloc(region.size, BLOCK_DATA, family_ledger()), 0);
    assert_in_range(resident(), 0, before - (uint64_t)PIECES * PIECE / 3);
  }
}

static void more_than_there_is(void **state) {
  (void)state;
  assert_int_equal(heap_alloc(region.size, BLOCK_DATA, family_ledger()), 0);
  assert_int_equal(heap_alloc(region.size + 1, BLOCK_DATA, family_ledger()), 0);
  assert_int_equal(heap_alloc(SIZE_MAX, BLOCK_DATA, family_ledger()), 0);
  assert_int_equal(heap_alloc(SIZE_MAX - HEAP_HEADER + 1, BLOCK_DATA, family_ledger()), 0);
}

/* No memory is an error of the call, now and the next time; afterwards all is as before. */
static void no_memory_is_an_error(void **state) {
  (void)state;
  static const size_t size[] = {(size_t)700 << 10, (size_t)3 << 20};
  for (int i = 0; i < 2; i++) {
    uint64_t used = heap_used(), first = 1, second = 1;
    no_memory = 1;
    first = heap_alloc(size[i], BLOCK_DATA, family_ledger());
    second = heap_alloc(size[i], BLOCK_DATA, family_ledger());
    no_memory = 0;
    assert_int_equal(first, 0);
    assert_int_equal(second, 0);
    assert_int_equal(heap_used(), used);
    uint64_t before = resident(), block = take(size[i]);
    assert_in_range(resident(), before + size[i] / 2, UINT64_MAX); /* committed before use */
    object_drop(block);
  }
}

static void churn_run(void *arg) {
  unsigned random = (unsigned)family_index() * 7919;
  uint64_t block[8] = {0};
  for (int i = 0; i < *(int *)arg; i++) {
    random = random * 1103515245 + 12345;
    uint64_t *one = &block[random >> 20 & 7];
    if (*one) {
      must(*(uint64_t *)heap_payload(*one) == *one + (uint64_t)family_index());
      object_drop(*one);
    }
    must(*one = heap_alloc(8 + (random >> 8 & 4095), BLOCK_DATA, family_ledger()));
    *(uint64_t *)heap_payload(*one) = *one + (uint64_t)family_index();
  }
}

static void members_share_it(void **state) {
  (void)state;
  int times = 30000;
  struct member m[4];
  for (int i = 0; i < 4; i++) m[i] = member_start(churn_run, &times);
  for (int i = 0; i < 4; i++) assert_int_equal(member_end(&m[i]), 0);
}

/* Members die with blocks in their hands, at any moment of alloc and drop: all come back. */
static void killed_members_leave_nothing(void **state) {
  (void)state;
  int times = INT32_MAX;
  for (int i = 0; i < 100; i++) {
    struct member a = member_start(churn_run, &times), b = member_start(churn_run, &times);
    for (int k = 0; k < i * 10; k++) object_drop(take(500));
    member_kill(&a);
    member_kill(&b);
    check_heap();
    assert_int_equal(heap_used(), spec_base);
  }
}

int main(void) {
  const struct CMUnitTest cases[] = {
      spec_case(no_memory_is_an_error), /* first: no free block may serve it */
      spec_case(sizes_are_rounded_little),
      spec_case(blocks_do_not_overlap),
      spec_case(a_freed_block_comes_again),
      spec_case(a_million_grow_nothing),
      spec_case(a_hundred_megabytes),
      spec_case(memory_goes_back),
      spec_case(the_free_give_way),
      spec_case(tells_who_is_fresh),
      spec_case(more_than_there_is),
      spec_case(members_share_it),
      spec_case(killed_members_leave_nothing),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
