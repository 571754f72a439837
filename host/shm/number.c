/* The types of shared numbers: see number.h. */
#include "shm/number.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>

static const struct number types[128] = {
    ['b'] = {'b', NUMBER_I8, 1, 0, 1},   ['B'] = {'B', NUMBER_U8, 1, 0, 0},
    ['h'] = {'h', NUMBER_I16, 2, 0, 1},  ['H'] = {'H', NUMBER_U16, 2, 0, 0},
    ['i'] = {'i', NUMBER_I32, 4, 0, 1},  ['I'] = {'I', NUMBER_U32, 4, 0, 0},
    ['l'] = {'l', NUMBER_I64, 8, 0, 1},  ['L'] = {'L', NUMBER_U64, 8, 0, 0},
    ['j'] = {'j', NUMBER_I64, 8, 0, 1},  ['J'] = {'J', NUMBER_U64, 8, 0, 0},
    ['T'] = {'T', NUMBER_U64, 8, 0, 0},  ['f'] = {'f', NUMBER_F32, 4, 1, 1},
    ['d'] = {'d', NUMBER_F64, 8, 1, 1},  ['n'] = {'n', NUMBER_F64, 8, 1, 1},
    ['?'] = {'?', NUMBER_BOOL, 1, 0, 0},
};

const struct number *number_of(uint32_t letter) {
  return letter < 128 && types[letter].letter ? &types[letter] : NULL;
}

int number_holds(const struct number *type, int64_t x) {
  if (type->bytes == 8) return 1;
  int bits = 8 * type->bytes;
  if (type->is_signed) return x >= -((int64_t)1 << (bits - 1)) && x < (int64_t)1 << (bits - 1);
  return x >= 0 && x < (int64_t)1 << bits;
}

int number_fits(const struct number *type, double x) {
  return type->kind != NUMBER_F32 || isinf((float)x) == isinf(x);
}

uint64_t number_round(const struct number *type, double x) {
  return number_bits(type->kind == NUMBER_F32 ? (double)(float)x : x);
}

static int integer_step(const struct number *type, int64_t result, int overflowed,
                        uint64_t *after) {
  if (type->bytes < 8 && (overflowed || !number_holds(type, result))) return -ERANGE;
  *after = (uint64_t)result;
  return 0;
}

static int float_step(const struct number *type, double result, uint64_t *after) {
  *after = number_round(type, result);
  return number_fits(type, result) ? 0 : -ERANGE;
}

int number_add(uint32_t letter, uint64_t before, uint64_t x, uint64_t *after) {
  const struct number *type = &types[letter];
  int64_t result;
  if (type->is_float) return float_step(type, number_float(before) + number_float(x), after);
  int overflowed = __builtin_add_overflow((int64_t)before, (int64_t)x, &result);
  return integer_step(type, result, overflowed, after);
}

int number_sub(uint32_t letter, uint64_t before, uint64_t x, uint64_t *after) {
  const struct number *type = &types[letter];
  int64_t result;
  if (type->is_float) return float_step(type, number_float(before) - number_float(x), after);
  int overflowed = __builtin_sub_overflow((int64_t)before, (int64_t)x, &result);
  return integer_step(type, result, overflowed, after);
}

static int is_less(uint32_t letter, uint64_t a, uint64_t b) {
  const struct number *type = &types[letter];
  if (type->is_float) return number_float(a) < number_float(b);
  if (type->is_signed || type->bytes < 8) return (int64_t)a < (int64_t)b;
  return a < b;
}

int number_max(uint32_t letter, uint64_t before, uint64_t x, uint64_t *after) {
  *after = is_less(letter, before, x) ? x : before;
  return 0;
}

int number_min(uint32_t letter, uint64_t before, uint64_t x, uint64_t *after) {
  *after = is_less(letter, x, before) ? x : before;
  return 0;
}
