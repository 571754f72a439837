/* Shared arrays: see array.h. Loops over all elements keep several sums or bests at a time: they
   wait for memory, not for each other. */
#include "shm/array.h"

#include <math.h>

#include "shm/object.h"
#include "shm/region.h"

uint64_t array_new(const struct number *type, uint64_t count, struct link *list, uint64_t *hold) {
  if (count > (region.size - sizeof(struct array)) / type->bytes) return 0;
  size_t size = sizeof(struct array) + (size_t)count * type->bytes;
  uint64_t offset = object_new(size, BLOCK_ARRAY, list, hold);
  if (!offset) return 0;
  struct array *array = heap_payload(offset);
  array->count = count;
  array->letter = (unsigned char)type->letter;
  return offset;
}

struct span array_span(uint64_t offset) {
  struct array *array = heap_payload(offset);
  return (struct span){(char *)(array + 1), array->count, number_of((uint32_t)array->letter)};
}

uint64_t slice_new(uint64_t root, uint64_t first, uint64_t count, struct link *list,
                   uint64_t *hold) {
  uint64_t offset = object_new(sizeof(struct slice), BLOCK_SLICE, list, hold);
  if (!offset) return 0;
  *(struct slice *)heap_payload(offset) = (struct slice){root, first, count};
  if (object_hold(root, &block_at(offset)->owned)) return offset;
  object_drop(*hold);
  return 0;
}

/* ---- one element ---- */

/* What stands in memory for the bits of a number. */
static uint64_t raw_of(const struct number *type, uint64_t bits) {
  if (type->kind != NUMBER_F32) return bits;
  float x = (float)number_float(bits);
  uint32_t raw;
  memcpy(&raw, &x, sizeof raw);
  return raw;
}

void span_store(const struct span *span, uint64_t i, uint64_t bits) {
  uint64_t raw = raw_of(span->type, bits);
  switch (span->type->bytes) {
  case 1: __atomic_store_n((uint8_t *)span->base + i, (uint8_t)raw, __ATOMIC_RELEASE); break;
  case 2:
    __atomic_store_n((uint16_t *)(void *)span->base + i, (uint16_t)raw, __ATOMIC_RELEASE);
    break;
  case 4:
    __atomic_store_n((uint32_t *)(void *)span->base + i, (uint32_t)raw, __ATOMIC_RELEASE);
    break;
  default: __atomic_store_n((uint64_t *)(void *)span->base + i, raw, __ATOMIC_RELEASE);
  }
}

#define REPLACE(type)                                                                              \
  __extension__({                                                                                  \
    type old = (type)before;                                                                       \
    __atomic_compare_exchange_n((type *)(void *)span->base + i, &old, (type)after, 0,              \
                                __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);                               \
  })

int span_replace(const struct span *span, uint64_t i, uint64_t expected, uint64_t bits) {
  uint64_t before = raw_of(span->type, expected), after = raw_of(span->type, bits);
  switch (span->type->bytes) {
  case 1: return REPLACE(uint8_t);
  case 2: return REPLACE(uint16_t);
  case 4: return REPLACE(uint32_t);
  default: return REPLACE(uint64_t);
  }
}

/* Once, but for the zeros: they are equal and differ in a bit. */
int span_cas(const struct span *span, uint64_t i, uint64_t old, uint64_t bits) {
  uint64_t before = old;
  while (number_equal(span->type, before, old)) { /* false at once for a NaN */
    if (span_replace(span, i, before, bits)) return 1;
    before = span_load(span, i);
  }
  return 0;
}

int span_apply(const struct span *span, uint64_t i, number_step *step, uint64_t x,
               uint64_t *before) {
  uint64_t after;
  do {
    *before = span_load(span, i);
    int rc = step((unsigned char)span->type->letter, *before, x, &after);
    if (rc < 0) return rc;
  } while (!span_replace(span, i, *before, after));
  return 0;
}

/* ---- all elements ---- */

/* Eight bytes at a time where they are aligned: a store of them is a store of each element in it.
 */
void span_fill(const struct span *span, uint64_t bits) {
  uint64_t raw = raw_of(span->type, bits), i = 0, bytes = span->type->bytes;
  uint64_t mask = bytes == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * bytes) - 1;
  uint64_t word = (raw & mask) * (UINT64_MAX / mask), per = 8 / bytes;
  for (; i < span->count && (uintptr_t)(span->base + i * bytes) % 8; i++) span_store(span, i, bits);
  for (; i + per <= span->count; i += per)
    __atomic_store_n((uint64_t *)(void *)(span->base + i * bytes), word, __ATOMIC_RELAXED);
  for (; i < span->count; i++) span_store(span, i, bits);
  __atomic_thread_fence(__ATOMIC_RELEASE);
}

/* Backward when `to` lies behind `from`: they may overlap. */
#define COPY(name, type)                                                                           \
  static void name(void *to, const void *from, uint64_t n) {                                       \
    type *t = to;                                                                                  \
    const type *f = from;                                                                          \
    int back = (char *)to > (const char *)from;                                                    \
    for (uint64_t i = 0; i < n; i++) {                                                             \
      uint64_t k = back ? n - 1 - i : i;                                                           \
      __atomic_store_n(t + k, __atomic_load_n(f + k, __ATOMIC_RELAXED), __ATOMIC_RELEASE);         \
    }                                                                                              \
  }
COPY(copy_2, uint16_t)
COPY(copy_4, uint32_t)
COPY(copy_8, uint64_t)

void span_copy(const struct span *to, const struct span *from) {
  switch (to->type->bytes) {
  case 1: memmove(to->base, from->base, to->count); break; /* a byte cannot be torn */
  case 2: copy_2(to->base, from->base, to->count); break;
  case 4: copy_4(to->base, from->base, to->count); break;
  default: copy_8(to->base, from->base, to->count);
  }
}

#define LANES 8
#define AT(p, i) __atomic_load_n((p) + (i), __ATOMIC_RELAXED)

#ifdef __clang__
#define VECTOR /* at -O2 already */
#else
#define VECTOR __attribute__((optimize("O3")))
#endif

/* A byte is never torn: these loops may become vectors. */
#define SUM_BYTES(name, type)                                                                      \
  VECTOR static uint64_t name(const void *base, uint64_t n) {                                      \
    const type *p = base;                                                                          \
    uint64_t sum = 0;                                                                              \
    for (uint64_t i = 0; i < n;) {                                                                 \
      int32_t part = 0;                                                                            \
      uint64_t until = n - i > 1 << 20 ? i + (1 << 20) : n;                                        \
      for (; i < until; i++) part += p[i];                                                         \
      sum += (uint64_t)(int64_t)part;                                                              \
    }                                                                                              \
    return sum;                                                                                    \
  }
SUM_BYTES(sum_i8, int8_t)
SUM_BYTES(sum_u8, uint8_t)

#define SUM(name, type, total, value)                                                              \
  static total name(const void *base, uint64_t n) {                                                \
    const type *p = base;                                                                          \
    total lane[LANES] = {0};                                                                       \
    uint64_t i = 0;                                                                                \
    for (; i + LANES <= n; i += LANES)                                                             \
      for (int k = 0; k < LANES; k++) lane[k] += value(AT(p, i + (uint64_t)k));                    \
    for (; i < n; i++) lane[0] += value(AT(p, i));                                                 \
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +                                           \
           ((lane[4] + lane[5]) + (lane[6] + lane[7]));                                            \
  }

static inline double raw_float(uint32_t raw) {
  float x;
  memcpy(&x, &raw, sizeof x);
  return (double)x;
}

#define WIDE(x) ((uint64_t)(int64_t)(x))
SUM(sum_i16, int16_t, uint64_t, WIDE)
SUM(sum_u16, uint16_t, uint64_t, WIDE)
SUM(sum_i32, int32_t, uint64_t, WIDE)
SUM(sum_u32, uint32_t, uint64_t, WIDE)
SUM(sum_64, uint64_t, uint64_t, WIDE)
SUM(sum_f32, uint32_t, double, raw_float)
SUM(sum_f64, uint64_t, double, number_float)

uint64_t span_sum(const struct span *span) {
  const char *p = span->base;
  uint64_t n = span->count;
  switch (span->type->kind) {
  case NUMBER_I8: return sum_i8(p, n);
  case NUMBER_I16: return sum_i16(p, n);
  case NUMBER_U16: return sum_u16(p, n);
  case NUMBER_I32: return sum_i32(p, n);
  case NUMBER_U32: return sum_u32(p, n);
  case NUMBER_I64:
  case NUMBER_U64: return sum_64(p, n);
  case NUMBER_F32: return number_bits(sum_f32(p, n));
  case NUMBER_F64: return number_bits(sum_f64(p, n));
  default: return sum_u8(p, n);
  }
}

/* The best of n > 0 elements: `x better y`. The first ones begin every lane, so no bound of the
   type is needed. */
#define BEST(name, type, better)                                                                   \
  static type name(const void *base, uint64_t n) {                                                 \
    const type *p = base;                                                                          \
    type lane[LANES];                                                                              \
    for (int k = 0; k < LANES; k++) lane[k] = AT(p, 0);                                            \
    uint64_t i = 0;                                                                                \
    for (; i + LANES <= n; i += LANES)                                                             \
      for (int k = 0; k < LANES; k++) {                                                            \
        type x = AT(p, i + (uint64_t)k);                                                           \
        lane[k] = x better lane[k] ? x : lane[k];                                                  \
      }                                                                                            \
    for (; i < n; i++) lane[0] = AT(p, i) better lane[0] ? AT(p, i) : lane[0];                     \
    for (int k = 1; k < LANES; k++) lane[0] = lane[k] better lane[0] ? lane[k] : lane[0];          \
    return lane[0];                                                                                \
  }

/* Of bytes, as a vector. */
#define BEST_BYTES(name, type, better)                                                             \
  VECTOR static type name(const void *base, uint64_t n) {                                          \
    const type *p = base;                                                                          \
    type best = p[0];                                                                              \
    for (uint64_t i = 0; i < n; i++) best = p[i] better best ? p[i] : best;                        \
    return best;                                                                                   \
  }

/* The same of floats: every comparison with NaN is false, so what a lane begins with must not be
   one. */
#define BEST_FLOAT(name, type, value, better, worst)                                               \
  static double name(const void *base, uint64_t n) {                                               \
    const type *p = base;                                                                          \
    double lane[LANES];                                                                            \
    int some = 0; /* an element that is not NaN: the worst may be there itself */                  \
    for (int k = 0; k < LANES; k++) lane[k] = worst;                                               \
    uint64_t i = 0;                                                                                \
    for (; i + LANES <= n; i += LANES)                                                             \
      for (int k = 0; k < LANES; k++) {                                                            \
        double x = value(AT(p, i + (uint64_t)k));                                                  \
        lane[k] = x better lane[k] ? x : lane[k];                                                  \
        some |= x == x;                                                                            \
      }                                                                                            \
    for (; i < n; i++) {                                                                           \
      double x = value(AT(p, i));                                                                  \
      lane[0] = x better lane[0] ? x : lane[0];                                                    \
      some |= x == x;                                                                              \
    }                                                                                              \
    for (int k = 1; k < LANES; k++) lane[0] = lane[k] better lane[0] ? lane[k] : lane[0];          \
    return some ? lane[0] : NAN;                                                                   \
  }

#define BOTH(suffix, type) BEST(min_##suffix, type, <) BEST(max_##suffix, type, >)
BEST_BYTES(min_i8, int8_t, <)
BEST_BYTES(max_i8, int8_t, >)
BEST_BYTES(min_u8, uint8_t, <)
BEST_BYTES(max_u8, uint8_t, >)
BOTH(i16, int16_t)
BOTH(u16, uint16_t)
BOTH(i32, int32_t)
BOTH(u32, uint32_t)
BOTH(i64, int64_t)
BOTH(u64, uint64_t)
BEST_FLOAT(min_f32, uint32_t, raw_float, <, INFINITY)
BEST_FLOAT(max_f32, uint32_t, raw_float, >, -INFINITY)
BEST_FLOAT(min_f64, uint64_t, number_float, <, INFINITY)
BEST_FLOAT(max_f64, uint64_t, number_float, >, -INFINITY)

#define CHOOSE(best)                                                                               \
  switch (span->type->kind) {                                                                      \
  case NUMBER_I8: return WIDE(best##_i8(span->base, span->count));                                 \
  case NUMBER_I16: return WIDE(best##_i16(span->base, span->count));                               \
  case NUMBER_U16: return best##_u16(span->base, span->count);                                     \
  case NUMBER_I32: return WIDE(best##_i32(span->base, span->count));                               \
  case NUMBER_U32: return best##_u32(span->base, span->count);                                     \
  case NUMBER_I64: return WIDE(best##_i64(span->base, span->count));                               \
  case NUMBER_U64: return best##_u64(span->base, span->count);                                     \
  case NUMBER_F32: return number_bits(best##_f32(span->base, span->count));                        \
  case NUMBER_F64: return number_bits(best##_f64(span->base, span->count));                        \
  default: return best##_u8(span->base, span->count);                                              \
  }

uint64_t span_min(const struct span *span){CHOOSE(min)}

uint64_t span_max(const struct span *span) {
  CHOOSE(max)
}
