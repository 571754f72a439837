/* Types of numbers: ranges, rounding, steps. */
#include "support.h"

#include <math.h>

#include "shm/number.h"

static void letters_are_string_packs(void **state) {
  (void)state;
  static const struct {
    char letter;
    int bytes;
  } width[] = {{'b', 1}, {'B', 1}, {'h', 2}, {'H', 2}, {'i', 4}, {'I', 4}, {'l', 8}, {'L', 8},
               {'j', 8}, {'J', 8}, {'T', 8}, {'f', 4}, {'d', 8}, {'n', 8}, {'?', 1}};
  int known = 0;
  for (uint32_t c = 0; c < 1000; c++) known += number_of(c) != NULL;
  assert_int_equal(known, sizeof width / sizeof *width);
  for (size_t i = 0; i < sizeof width / sizeof *width; i++) {
    const struct number *type = number_of((uint32_t)width[i].letter);
    assert_non_null(type);
    assert_int_equal(type->letter, width[i].letter);
    assert_int_equal(type->bytes, width[i].bytes);
    assert_non_null(strchr(NUMBER_LETTERS, width[i].letter));
  }
}

static void ranges_end_where_they_should(void **state) {
  (void)state;
  for (const char *c = "bhi"; *c; c++) {
    const struct number *type = number_of((uint32_t)*c);
    int64_t most = ((int64_t)1 << (8 * type->bytes - 1)) - 1;
    assert_true(number_holds(type, most) && number_holds(type, -most - 1));
    assert_false(number_holds(type, most + 1) || number_holds(type, -most - 2));
  }
  for (const char *c = "BHI"; *c; c++) {
    const struct number *type = number_of((uint32_t)*c);
    int64_t most = ((int64_t)1 << 8 * type->bytes) - 1;
    assert_true(number_holds(type, most) && number_holds(type, 0));
    assert_false(number_holds(type, most + 1) || number_holds(type, -1));
  }
  assert_true(number_holds(number_of('J'), INT64_MIN));
}

static void floats_round_to_their_width(void **state) {
  (void)state;
  assert_true(number_float(number_round(number_of('f'), 0.1)) == (double)0.1f);
  assert_true(number_float(number_round(number_of('d'), 0.1)) == 0.1);
  assert_true(isnan(number_float(number_round(number_of('f'), NAN))));
}

/* As Lua's ==: not as bits. */
static void equal_numbers(void **state) {
  (void)state;
  const struct number *d = number_of('d'), *j = number_of('j');
  uint64_t nan = number_bits(NAN), zero = number_bits(0.0), minus_zero = number_bits(-0.0);
  assert_true(zero != minus_zero && number_equal(d, zero, minus_zero));
  assert_false(number_equal(d, nan, nan) || number_equal(number_of('f'), nan, zero));
  assert_true(number_equal(d, number_bits(INFINITY), number_bits(INFINITY)));
  assert_false(number_equal(d, number_bits(0.5), number_bits(-0.5)));
  assert_true(number_equal(j, nan, nan));
  assert_false(number_equal(j, zero, minus_zero));
}

static uint64_t step(number_step *with, char letter, uint64_t before, uint64_t x) {
  uint64_t after = 99;
  assert_int_equal(with((uint32_t)letter, before, x, &after), 0);
  return after;
}

static void steps(void **state) {
  (void)state;
  uint64_t after = 99;
  assert_int_equal(step(number_add, 'b', (uint64_t)-3, 10), 7);
  assert_int_equal(step(number_sub, 'B', 200, 200), 0);
  assert_int_equal(number_add('b', 127, 1, &after), -ERANGE);
  assert_int_equal(number_sub('B', 0, 1, &after), -ERANGE);
  assert_int_equal(number_add('I', 5, (uint64_t)INT64_MAX, &after), -ERANGE);
  assert_int_equal(after, 99);
  assert_int_equal(step(number_add, 'j', INT64_MAX, 1), (uint64_t)INT64_MIN);
  assert_true(number_float(step(number_add, 'd', number_bits(0.5), number_bits(0.25))) == 0.75);
  assert_true(number_float(step(number_add, 'f', number_bits(1), number_bits((double)0.1f))) ==
              (double)(float)(1 + (double)0.1f));
  assert_int_equal(step(number_max, 'J', UINT64_MAX, 5), UINT64_MAX);
  assert_int_equal(step(number_max, 'j', UINT64_MAX, 5), 5);
  assert_int_equal(step(number_min, 'i', (uint64_t)-5, 5), (uint64_t)-5);
  assert_int_equal(step(number_min, 'd', number_bits(1), number_bits(-1)), number_bits(-1));
  assert_int_equal(step(number_max, 'd', number_bits(1), number_bits(NAN)), number_bits(1));
}

int main(void) {
  const struct CMUnitTest cases[] = {
      spec_case(letters_are_string_packs),
      spec_case(ranges_end_where_they_should),
      spec_case(floats_round_to_their_width),
      spec_case(equal_numbers),
      spec_case(steps),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
