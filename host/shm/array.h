/* Many typed numbers in shared memory, at their natural width, and views of them.

   An array is a struct array with its elements behind it. A slice is an object of its own that
   names a part of an array, or of a mapped file (file.h), its root, and owns a hold on it: so a
   slice can be sent, and keeps its root alive, like any object. A slice of a slice names the root.

   A span is what a process works with: where the elements lie in its own address space. Each
   element is read and written by one atomic access of its width, so nobody sees half of one, and
   nobody can die in the middle. An operation on many elements is many such steps: who dies in it
   has done some of them, and others may see them one by one.

   count, letter            of an array: written by its creator before anybody else knows it
   root, first, count ...   of a slice: the same
   elements                 written by anybody, each by one store or compare-and-swap
   Creator dies: array and slice are in its ledger (object.h); a slice that has not got its hold on
   the root yet owns nothing, which is as good. */
#ifndef SHM_ARRAY_H
#define SHM_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "shm/heap.h"
#include "shm/number.h"

struct array {
  uint64_t count;
  uint64_t letter;
  uint64_t pad[6];
};
_Static_assert(sizeof(struct array) == 64, "elements are aligned to cache lines");

struct slice {
  uint64_t root; /* offset of the array or file */
  uint64_t first, count;
};

struct span {
  char *base;
  uint64_t count;
  const struct number *type;
};

/* A new array of zeros with one hold: its offset and *hold; 0: no memory. */
uint64_t array_new(const struct number *type, uint64_t count, struct link *list, uint64_t *hold);

/* The whole of an array. */
struct span array_span(uint64_t array);

/* A new slice of `count` elements from `first` on (from 0) of a root that the caller holds. */
uint64_t slice_new(uint64_t root, uint64_t first, uint64_t count, struct link *list,
                   uint64_t *hold);

/* A part of a span. Indices count from 0 everywhere; the caller has checked them. */
static inline struct span span_part(struct span whole, uint64_t first, uint64_t count) {
  return (struct span){whole.base + first * whole.type->bytes, count, whole.type};
}

/* One element. `bits` as in number.h. */
void span_store(const struct span *span, uint64_t i, uint64_t bits);
/* Writes `bits` if the element is still `expected`, bit for bit: 1 done, 0 not. */
int span_replace(const struct span *span, uint64_t i, uint64_t expected, uint64_t bits);
/* Writes `bits` if the element equals `old` (number_equal): 1 done, 0 not. */
int span_cas(const struct span *span, uint64_t i, uint64_t old, uint64_t bits);
/* Applies a step, again and again until nobody came between: 0 and the value before, or -ERANGE. */
int span_apply(const struct span *span, uint64_t i, number_step *step, uint64_t x,
               uint64_t *before);

/* All elements. */
void span_fill(const struct span *span, uint64_t bits);
/* Copies the elements of another span of the same width and count; they may overlap. */
void span_copy(const struct span *to, const struct span *from);
/* The sum as a 64-bit integer that wraps, or a double; booleans count as 1. */
uint64_t span_sum(const struct span *span);
/* The least or greatest element that is not NaN: its bits; NaN if there is no other. Not of an
   empty span. */
uint64_t span_min(const struct span *span);
uint64_t span_max(const struct span *span);

/* Stores in order and loads in order: relaxed would do for the element itself, but a reader that
   sees an element must see what its writer wrote before. On x86 it costs nothing. */
#define SPAN_LOAD(type)                                                                            \
  __atomic_load_n((const type *)(const void *)span->base + i, __ATOMIC_ACQUIRE)

static inline uint64_t span_load(const struct span *span, uint64_t i) {
  switch (span->type->kind) {
  case NUMBER_I8: return (uint64_t)(int64_t)SPAN_LOAD(int8_t);
  case NUMBER_I16: return (uint64_t)(int64_t)SPAN_LOAD(int16_t);
  case NUMBER_U16: return SPAN_LOAD(uint16_t);
  case NUMBER_I32: return (uint64_t)(int64_t)SPAN_LOAD(int32_t);
  case NUMBER_U32: return SPAN_LOAD(uint32_t);
  case NUMBER_I64:
  case NUMBER_U64:
  case NUMBER_F64: return SPAN_LOAD(uint64_t);
  case NUMBER_F32: {
    uint32_t bits = SPAN_LOAD(uint32_t);
    float x;
    memcpy(&x, &bits, sizeof x);
    return number_bits((double)x);
  }
  default: return SPAN_LOAD(uint8_t);
  }
}

#endif
