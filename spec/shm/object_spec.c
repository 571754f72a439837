/* Objects: they live as long as one hold does, and take with them what they own. */
#include "support.h"

static uint64_t thing(uint64_t *hold) {
  uint64_t object = object_new(100, BLOCK_VALUE, family_ledger(), hold);
  assert_true(object);
  return object;
}

static void zeroed(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) {
    uint64_t hold, object = thing(&hold);
    for (int k = 0; k < 100; k++) assert_int_equal(((char *)heap_payload(object))[k], 0);
    memset(heap_payload(object), 0xff, 100);
    assert_int_equal(block_at(object)->kind, BLOCK_VALUE);
    assert_int_equal(block_at(object)->refs, 1);
    assert_int_equal(block_at(hold)->refs, object);
    object_drop(hold);
  }
}

static void the_last_hold_counts(void **state) {
  (void)state;
  uint64_t hold[10], object = thing(&hold[0]);
  for (int i = 1; i < 10; i++) assert_true(hold[i] = object_hold(object, family_ledger()));
  assert_int_equal(block_at(object)->refs, 10);
  for (int i = 0; i < 9; i++) object_drop(hold[i]);
  assert_int_equal(block_at(object)->refs, 1);
  assert_int_not_equal(heap_used(), spec_base);
  object_drop(hold[9]);
  assert_int_equal(heap_used(), spec_base);
}

static void owned_go_along(void **state) {
  (void)state;
  uint64_t hold, object = thing(&hold), other_hold, other = thing(&other_hold);
  for (int i = 0; i < 50; i++) {
    uint64_t block = heap_alloc(100, BLOCK_DATA, &block_at(object)->owned);
    assert_true(heap_alloc(3000, BLOCK_DATA, &block_at(block)->owned));
    assert_true(object_hold(other, &block_at(block)->owned));
  }
  assert_int_equal(block_at(other)->refs, 51);
  object_drop(hold);
  assert_int_equal(block_at(other)->refs, 1);
  object_drop(other_hold);
}

/* One in the other, a hundred thousand deep: it is taken apart without recursion. */
static void a_deep_chain(void **state) {
  (void)state;
  uint64_t hold, object = thing(&hold);
  for (int i = 0; i < 100000; i++) {
    uint64_t outer_hold, outer = thing(&outer_hold);
    object_move(hold, &block_at(outer)->owned);
    hold = outer_hold;
    object = outer;
  }
  assert_int_equal(block_at(object)->refs, 1);
  object_drop(hold);
  assert_int_equal(heap_used(), spec_base);
}

static void moved_to_another_owner(void **state) {
  (void)state;
  uint64_t hold, object = thing(&hold);
  uint64_t block = heap_alloc(100, BLOCK_DATA, family_ledger());
  object_move(block, &block_at(object)->owned);
  object_move(block, family_ledger());
  object_drop(hold);
  assert_int_equal(block_at(block)->kind, BLOCK_DATA); /* it was not the object's any more */
  object_drop(block);
}

static void taken_from_a_message(void **state) {
  (void)state;
  uint64_t hold[3], object[3], taken;
  uint64_t message = heap_alloc(100, BLOCK_DATA, family_ledger());
  for (int i = 0; i < 3; i++) {
    object[i] = thing(&hold[i]);
    assert_true(object_hold(object[i], &block_at(message)->owned));
  }
  assert_int_equal(object_take_hold(message, object[2], 2, family_ledger()), 0);
  uint64_t used = heap_used();
  assert_true(taken = object_take_hold(message, object[2], 3, family_ledger()));
  assert_int_equal(heap_used(), used);
  assert_int_equal(block_at(taken)->refs, object[2]);
  assert_int_equal(object_take_hold(message, object[2], SIZE_MAX, family_ledger()), 0);
  object_drop(message);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(block_at(object[i])->refs, i == 2 ? 2 : 1);
    object_drop(hold[i]);
  }
  object_drop(taken);
}

static void a_million_grow_nothing(void **state) {
  (void)state;
  uint64_t hold, first = thing(&hold), first_hold = hold;
  object_drop(hold);
  for (int i = 0; i < 500000; i++) {
    uint64_t object = thing(&hold);
    if (object > first + 4096 || hold > first_hold + 4096) fail_msg("it grows, at %d", i);
    object_drop(hold);
  }
  for (int i = 0; i < 500000; i++) {
    if (i % 1000 == 0) first = thing(&hold);
    uint64_t one = object_hold(first, family_ledger());
    if (!one || block_at(first)->refs != 2) fail_msg("a hold, at %d", i);
    object_drop(one);
    if (i % 1000 == 999) object_drop(hold);
  }
}

/* ---- several processes ---- */

static uint64_t shared;

static void hold_and_wait(void *arg) {
  (void)arg;
  must(block_at(shared)->refs >= 2);
  for (;;) pause();
}

static void lives_with_its_last_holder(void **state) {
  (void)state;
  uint64_t hold;
  shared = thing(&hold);
  struct member a = member_start(hold_and_wait, NULL), b = member_start(hold_and_wait, NULL);
  assert_int_equal(block_at(shared)->refs, 3);
  object_drop(hold);
  assert_int_equal(block_at(shared)->refs, 2);
  assert_int_equal(block_at(shared)->kind, BLOCK_VALUE);
  member_kill(&a);
  assert_int_equal(block_at(shared)->refs, 1);
  assert_int_not_equal(heap_used(), spec_base);
  member_kill(&b);
  assert_int_equal(heap_used(), spec_base);
}

static void holds_run(void *arg) {
  uint64_t one[16] = {0};
  for (int i = 0; i < *(int *)arg; i++) {
    if (one[i % 16]) object_drop(one[i % 16]);
    must(one[i % 16] = object_hold(shared, family_ledger()));
  }
}

static void counts_are_right(void **state) {
  (void)state;
  int times = 20000, for_ever = INT32_MAX;
  uint64_t hold;
  shared = thing(&hold);
  struct member m[3], doomed[20];
  for (int i = 0; i < 3; i++) m[i] = member_start(holds_run, &times);
  for (int i = 0; i < 20; i++) {
    doomed[i] = member_start(holds_run, &for_ever);
    if (i >= 3) member_kill(&doomed[i - 3]);
  }
  for (int i = 17; i < 20; i++) member_kill(&doomed[i]);
  for (int i = 0; i < 3; i++) assert_int_equal(member_end(&m[i]), 0);
  assert_int_equal(block_at(shared)->refs, 1);
  object_drop(hold);
}

/* Several sweep what is dying at the same time. */
static void heavy_run(void *arg) {
  for (int i = 0; i < *(int *)arg; i++) {
    uint64_t hold, object = object_new(10, BLOCK_VALUE, family_ledger(), &hold);
    must(object);
    for (int k = 0; k < 20; k++) must(heap_alloc(50, BLOCK_DATA, &block_at(object)->owned));
    object_drop(hold);
  }
}

static void many_sweep(void **state) {
  (void)state;
  int times = 500, for_ever = INT32_MAX;
  struct member m[4];
  for (int i = 0; i < 4; i++) m[i] = member_start(heavy_run, i ? &times : &for_ever);
  member_kill(&m[0]);
  for (int i = 1; i < 4; i++) assert_int_equal(member_end(&m[i]), 0);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      spec_case(zeroed),
      spec_case(the_last_hold_counts),
      spec_case(owned_go_along),
      spec_case(a_deep_chain),
      spec_case(moved_to_another_owner),
      spec_case(taken_from_a_message),
      spec_case(a_million_grow_nothing),
      spec_case(lives_with_its_last_holder),
      spec_case(counts_are_right),
      spec_case(many_sweep),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
