/* Arrays: widths, single elements, all elements, slices. */
#include "support.h"

#include <math.h>

#include "shm/array.h"

static const char letters[] = "bBhHiIlLjJTfdn?";

static uint64_t array, array_hold;

static struct span new_span(char letter, uint64_t count) {
  array = array_new(number_of((uint32_t)letter), count, family_ledger(), &array_hold);
  assert_true(array);
  return array_span(array);
}

static void drop(void) {
  object_drop(array_hold);
}

static uint64_t bits_of(const struct number *type, int x) {
  return type->is_float ? number_bits(x) : (uint64_t)(int64_t)x;
}

static void elements_have_their_width(void **state) {
  (void)state;
  for (const char *c = letters; *c; c++) {
    struct span span = new_span(*c, 100);
    assert_int_equal(span.count, 100);
    assert_ptr_equal(span.type, number_of((uint32_t)*c));
    assert_int_equal((uintptr_t)span.base % 64, 0);
    for (uint64_t i = 0; i < 100; i++) assert_int_equal(span_load(&span, i), 0);
    int most = *c == '?' ? 2 : 100;
    for (uint64_t i = 0; i < 100; i++) span_store(&span, i, bits_of(span.type, (int)i % most));
    for (uint64_t i = 0; i < 100; i++)
      assert_int_equal(span_load(&span, i), bits_of(span.type, (int)i % most));
    assert_true(heap_room(array) >= sizeof(struct array) + 100u * span.type->bytes);
    drop();
  }
}

static void signs_survive(void **state) {
  (void)state;
  for (const char *c = "bhiljfdn"; *c; c++) {
    struct span span = new_span(*c, 3);
    uint64_t minus = bits_of(span.type, -5), before;
    span_store(&span, 1, minus);
    assert_int_equal(span_load(&span, 1), minus);
    assert_int_equal(span_load(&span, 0), 0);
    assert_int_equal(span_load(&span, 2), 0);
    assert_int_equal(span_apply(&span, 1, number_add, bits_of(span.type, 2), &before), 0);
    assert_int_equal(before, minus);
    assert_int_equal(span_load(&span, 1), bits_of(span.type, -3));
    assert_int_equal(span_replace(&span, 1, minus, 0), 0);
    assert_int_equal(span_replace(&span, 1, bits_of(span.type, -3), minus), 1);
    assert_int_equal(span_load(&span, 1), minus);
    drop();
  }
}

static void elements_are_compared_as_lua_does(void **state) {
  (void)state;
  for (const char *c = "fd"; *c; c++) {
    struct span span = new_span(*c, 3);
    uint64_t nan = number_bits(NAN), zero = number_bits(0.0), minus_zero = number_bits(-0.0);
    assert_int_equal(span_cas(&span, 1, minus_zero, minus_zero), 1);
    assert_true(span_load(&span, 1) == minus_zero);
    assert_int_equal(span_cas(&span, 1, number_bits(1), nan), 0);
    assert_int_equal(span_cas(&span, 1, zero, nan), 1);
    assert_int_equal(span_cas(&span, 1, nan, zero), 0);
    assert_true(isnan(number_float(span_load(&span, 1))));
    assert_int_equal(span_load(&span, 0) + span_load(&span, 2), 0);
    drop();
  }
  struct span span = new_span('h', 1);
  assert_int_equal(span_cas(&span, 0, 0, (uint64_t)-7), 1);
  assert_int_equal(span_cas(&span, 0, 7, 0), 0);
  assert_int_equal(span_cas(&span, 0, (uint64_t)-7, 0), 1);
  drop();
}

static void steps_stay_in_range(void **state) {
  (void)state;
  struct span span = new_span('B', 3);
  uint64_t before;
  span_store(&span, 1, 250);
  assert_int_equal(span_apply(&span, 1, number_add, 5, &before), 0);
  assert_int_equal(span_apply(&span, 1, number_add, 1, &before), -ERANGE);
  assert_int_equal(span_load(&span, 1), 255);
  assert_int_equal(span_load(&span, 0) + span_load(&span, 2), 0);
  drop();
}

#define TIMES 20000

/* Neighbours in one word are no one's business but their writer's. */
static void add_run(void *arg) {
  struct span span = array_span(array);
  uint64_t before, mine = (uint64_t)(uintptr_t)arg;
  for (int i = 0; i < TIMES; i++) {
    must(span_apply(&span, 0, number_add, bits_of(span.type, 1), &before) == 0);
    span_store(&span, mine, bits_of(span.type, i % 100));
    must(span_load(&span, mine) == bits_of(span.type, i % 100));
  }
}

static void members_share_elements(void **state) {
  (void)state;
  for (const char *c = "HifJd"; *c; c++) {
    struct span span = new_span(*c, 5);
    struct member m[3];
    for (uintptr_t k = 0; k < 3; k++) m[k] = member_start(add_run, (void *)(k + 1));
    for (int k = 0; k < 3; k++) assert_int_equal(member_end(&m[k]), 0);
    assert_int_equal(span_load(&span, 0), bits_of(span.type, 3 * TIMES));
    drop();
  }
}

/* Every length from 0 on, from every place in a word. */
static void fill_copy_sum_best(void **state) {
  (void)state;
  for (const char *c = letters; *c; c++) {
    struct span whole = new_span(*c, 64);
    const struct number *type = whole.type;
    int value = *c == '?' ? 1 : 7;
    for (uint64_t first = 1; first < 10; first++) {
      for (uint64_t count = 0; count <= 40; count++) {
        span_fill(&whole, 0);
        struct span part = span_part(whole, first, count);
        span_fill(&part, bits_of(type, value));
        uint64_t expected =
            type->is_float ? number_bits((double)count * value) : count * (uint64_t)value;
        assert_int_equal(span_sum(&part), expected);
        assert_int_equal(span_sum(&whole), expected);
        if (!count) continue;
        assert_int_equal(span_min(&part), bits_of(type, value));
        span_store(&part, count - 1, 0);
        assert_int_equal(span_min(&part), count ? 0 : bits_of(type, value));
        assert_int_equal(span_max(&whole), bits_of(type, count > 1 ? value : 0));
      }
    }
    drop();
  }
}

static void signs_count_in_sums(void **state) {
  (void)state;
  for (const char *c = "bhiljfdn"; *c; c++) {
    struct span span = new_span(*c, 50);
    for (int i = 0; i < 50; i++) span_store(&span, (uint64_t)i, bits_of(span.type, 10 - i));
    assert_int_equal(span_sum(&span), bits_of(span.type, 10 * 50 - 49 * 25));
    assert_int_equal(span_min(&span), bits_of(span.type, -39));
    assert_int_equal(span_max(&span), bits_of(span.type, 10));
    drop();
  }
  struct span span = new_span('J', 9);
  span_fill(&span, 5);
  span_store(&span, 8, UINT64_MAX);
  assert_int_equal(span_max(&span), UINT64_MAX);
  assert_int_equal(span_min(&span), 5);
  drop();
}

/* More than the sums of bytes keep in one part. */
static void many_bytes(void **state) {
  (void)state;
  struct span span = new_span('B', 3 << 20);
  span_fill(&span, 255);
  assert_int_equal(span_sum(&span), 255u * (3u << 20));
  drop();
  span = new_span('b', 3 << 20);
  span_fill(&span, (uint64_t)-128);
  assert_int_equal((int64_t)span_sum(&span), -128 * (3 << 20));
  drop();
}

static void nan_is_no_best(void **state) {
  (void)state;
  for (const char *c = "fd"; *c; c++) {
    for (uint64_t count = 1; count <= 20; count++) {
      struct span span = new_span(*c, count);
      span_fill(&span, number_bits(NAN));
      assert_true(isnan(number_float(span_min(&span))) && isnan(number_float(span_max(&span))));
      span_store(&span, count / 2, number_bits(-INFINITY));
      assert_true(number_float(span_min(&span)) < 0 && number_float(span_max(&span)) < 0);
      span_store(&span, count / 2, number_bits(3));
      assert_true(number_float(span_min(&span)) == 3 && number_float(span_max(&span)) == 3);
      drop();
    }
  }
}

static void copies_overlap(void **state) {
  (void)state;
  for (const char *c = "Bhifd"; *c; c++) {
    for (int back = 0; back < 2; back++) {
      struct span span = new_span(*c, 30);
      for (int i = 0; i < 30; i++) span_store(&span, (uint64_t)i, bits_of(span.type, i));
      struct span to = span_part(span, back ? 0 : 3, 20), from = span_part(span, back ? 3 : 0, 20);
      span_copy(&to, &from);
      for (int i = 0; i < 20; i++)
        assert_int_equal(span_load(&to, (uint64_t)i), bits_of(span.type, back ? i + 3 : i));
      assert_int_equal(span_load(&span, 29), bits_of(span.type, 29));
      drop();
    }
  }
}

/* A slice keeps the array when nobody else does. */
static void a_slice_holds_its_root(void **state) {
  (void)state;
  struct span span = new_span('i', 1000);
  span_store(&span, 500, 77);
  uint64_t hold, slice = slice_new(array, 400, 200, family_ledger(), &hold);
  assert_true(slice);
  assert_int_equal(block_at(array)->refs, 2);
  drop();
  const struct slice *s = heap_payload(slice);
  assert_int_equal(s->root, array);
  span = array_span(s->root);
  struct span part = span_part(span, s->first, s->count);
  assert_int_equal(span_load(&part, 100), 77);
  object_drop(hold);
}

static void sizes_that_cannot_be(void **state) {
  (void)state;
  uint64_t hold;
  assert_int_equal(array_new(number_of('d'), UINT64_MAX, family_ledger(), &hold), 0);
  assert_int_equal(array_new(number_of('d'), UINT64_MAX / 8, family_ledger(), &hold), 0);
  assert_int_equal(array_new(number_of('b'), region.size, family_ledger(), &hold), 0);
  struct span span = new_span('d', 0);
  assert_int_equal(span.count, 0);
  assert_int_equal(span_sum(&span), 0);
  drop();
}

int main(void) {
  const struct CMUnitTest cases[] = {
      spec_case(elements_have_their_width),
      spec_case(signs_survive),
      spec_case(elements_are_compared_as_lua_does),
      spec_case(steps_stay_in_range),
      spec_case(members_share_elements),
      spec_case(fill_copy_sum_best),
      spec_case(signs_count_in_sums),
      spec_case(many_bytes),
      spec_case(nan_is_no_best),
      spec_case(copies_overlap),
      spec_case(a_slice_holds_its_root),
      spec_case(sizes_that_cannot_be),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
