/* The types of shared numbers: what Value and Array hold. No shared words here.

   A type is one of string.pack's letters. Whatever its width, a number is handed around as 64 bits:
   integers extended by their sign or by zeros, booleans 0 or 1, floats as the bits of a double
   (rounded already to what a float of 4 bytes can hold). Unsigned types of 8 bytes take all Lua
   integers, as their bits: as string.pack does. */
#ifndef SHM_NUMBER_H
#define SHM_NUMBER_H

#include <stdint.h>
#include <string.h>

enum {
  NUMBER_I8,
  NUMBER_U8,
  NUMBER_I16,
  NUMBER_U16,
  NUMBER_I32,
  NUMBER_U32,
  NUMBER_I64,
  NUMBER_U64,
  NUMBER_F32,
  NUMBER_F64,
  NUMBER_BOOL
};

struct number {
  char letter;
  uint8_t kind;
  uint8_t bytes; /* natural width; its alignment too */
  uint8_t is_float, is_signed;
};

/* All letters, for messages. */
#define NUMBER_LETTERS "b B h H i I l L j J T f d n ?"

/* The type of a letter, or NULL. */
const struct number *number_of(uint32_t letter);

/* Whether an integer is one of the type's. */
int number_holds(const struct number *type, int64_t x);

/* Whether a float is one of the type's: no finite one that is rounded to infinity. */
int number_fits(const struct number *type, double x);

/* A float of the type, rounded to its width. */
uint64_t number_round(const struct number *type, double x);

static inline uint64_t number_bits(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline double number_float(uint64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* As Lua's ==: zeros of both signs are equal, and a NaN equals nothing, itself included. */
static inline int number_equal(const struct number *type, uint64_t a, uint64_t b) {
  return type->is_float ? number_float(a) == number_float(b) : a == b;
}

/* Steps from the value before to the value after; `x` is the operand, all of the type `letter`. 0,
   or -ERANGE: the result is not one of the type's. Integers of 64 bits wrap. NaN is neither less
   nor more than anything. */
typedef int number_step(uint32_t letter, uint64_t before, uint64_t x, uint64_t *after);

number_step number_add, number_sub, number_max, number_min;

#endif
