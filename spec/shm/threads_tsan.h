/* ThreadSanitizer over two mappings of the same pages.

   It knows memory by address, so the two addresses of one shared word are two words to it: it would
   see neither a race between them nor a lock that prevents one. These functions stand between the
   instrumented code and its runtime (ld's --wrap) and show it every address in the second mapping
   as the one in the first. Plain accesses still go through the mapping that the thread uses; atomic
   ones, which the runtime carries out itself, through the first. */
#ifndef SPEC_SHM_THREADS_TSAN_H
#define SPEC_SHM_THREADS_TSAN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "shm/region.h"

static map first, second; /* two mappings of the same pages */

/* Before any other thread: a second mapping of the region. */
static inline void map_again(void) {
  first = second = region;
  second.base =
      mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, region.fd, 0);
  if (second.base == MAP_FAILED) abort();
}

#ifdef __SANITIZE_THREAD__

/* Reports end the program, with this code. */
#define TSAN_EXIT 66

/* Not instrumented themselves. */
#define UNSEEN __attribute__((no_sanitize("thread")))

const char *__tsan_default_options(void);
UNSEEN __attribute__((visibility("default"))) const char *__tsan_default_options(void) {
  return "halt_on_error=1 exitcode=66 history_size=4 report_signal_unsafe=0";
}

UNSEEN static void *shown(const volatile void *address) {
  uintptr_t offset = (uintptr_t)address - (uintptr_t)second.base;
  return second.base && offset < second.size ? first.base + offset : (void *)address;
}

/* Set: whatever is said to acquire or release does neither. To see that this is found out. */
static int weaken;

UNSEEN static int weakened(int order) {
  return weaken && order != __ATOMIC_SEQ_CST ? __ATOMIC_RELAXED : order;
}

#define HERE __builtin_return_address(0)

/* The runtime's own declarations are not public; these are what gcc's instrumentation calls. */
#define WRAP_ACCESS(name)                                                                          \
  void __tsan_##name##_pc(void *, void *);                                                         \
  void __wrap___tsan_##name(void *);                                                               \
  UNSEEN void __wrap___tsan_##name(void *a) {                                                      \
    __tsan_##name##_pc(shown(a), HERE);                                                            \
  }
WRAP_ACCESS(read1)
WRAP_ACCESS(read2)
WRAP_ACCESS(read4)
WRAP_ACCESS(read8)
WRAP_ACCESS(read16)
WRAP_ACCESS(write1)
WRAP_ACCESS(write2)
WRAP_ACCESS(write4)
WRAP_ACCESS(write8)
WRAP_ACCESS(write16)

#define WRAP_RANGE(name)                                                                           \
  void __tsan_##name##_range_pc(void *, unsigned long, void *);                                    \
  void __wrap___tsan_##name##_range(void *, unsigned long);                                        \
  UNSEEN void __wrap___tsan_##name##_range(void *a, unsigned long size) {                          \
    __tsan_##name##_range_pc(shown(a), size, HERE);                                                \
  }
WRAP_RANGE(read)
WRAP_RANGE(write)

#define WRAP_UNALIGNED(name)                                                                       \
  void __real___tsan_unaligned_##name(void *);                                                     \
  void __wrap___tsan_unaligned_##name(void *);                                                     \
  UNSEEN void __wrap___tsan_unaligned_##name(void *a) {                                            \
    __real___tsan_unaligned_##name(shown(a));                                                      \
  }
WRAP_UNALIGNED(read2)
WRAP_UNALIGNED(read4)
WRAP_UNALIGNED(read8)
WRAP_UNALIGNED(write2)
WRAP_UNALIGNED(write4)
WRAP_UNALIGNED(write8)

#define WRAP_RMW(bits, name)                                                                       \
  uint##bits##_t __real___tsan_atomic##bits##_##name(volatile uint##bits##_t *, uint##bits##_t,    \
                                                     int);                                         \
  uint##bits##_t __wrap___tsan_atomic##bits##_##name(volatile uint##bits##_t *, uint##bits##_t,    \
                                                     int);                                         \
  UNSEEN uint##bits##_t __wrap___tsan_atomic##bits##_##name(volatile uint##bits##_t *a,            \
                                                            uint##bits##_t v, int order) {         \
    return __real___tsan_atomic##bits##_##name(shown(a), v, weakened(order));                      \
  }
#define WRAP_CAS(bits, name)                                                                       \
  int __real___tsan_atomic##bits##_compare_exchange_##name(                                        \
      volatile uint##bits##_t *, uint##bits##_t *, uint##bits##_t, int, int);                      \
  int __wrap___tsan_atomic##bits##_compare_exchange_##name(                                        \
      volatile uint##bits##_t *, uint##bits##_t *, uint##bits##_t, int, int);                      \
  UNSEEN int __wrap___tsan_atomic##bits##_compare_exchange_##name(                                 \
      volatile uint##bits##_t *a, uint##bits##_t *old, uint##bits##_t v, int order, int failed) {  \
    return __real___tsan_atomic##bits##_compare_exchange_##name(shown(a), old, v, weakened(order), \
                                                                weakened(failed));                 \
  }
#define WRAP_ATOMIC(bits)                                                                          \
  uint##bits##_t __real___tsan_atomic##bits##_load(const volatile uint##bits##_t *, int);          \
  uint##bits##_t __wrap___tsan_atomic##bits##_load(const volatile uint##bits##_t *, int);          \
  UNSEEN uint##bits##_t __wrap___tsan_atomic##bits##_load(const volatile uint##bits##_t *a,        \
                                                          int order) {                             \
    return __real___tsan_atomic##bits##_load(shown(a), weakened(order));                           \
  }                                                                                                \
  void __real___tsan_atomic##bits##_store(volatile uint##bits##_t *, uint##bits##_t, int);         \
  void __wrap___tsan_atomic##bits##_store(volatile uint##bits##_t *, uint##bits##_t, int);         \
  UNSEEN void __wrap___tsan_atomic##bits##_store(volatile uint##bits##_t *a, uint##bits##_t v,     \
                                                 int order) {                                      \
    __real___tsan_atomic##bits##_store(shown(a), v, weakened(order));                              \
  }                                                                                                \
  WRAP_RMW(bits, exchange)                                                                         \
  WRAP_RMW(bits, fetch_add)                                                                        \
  WRAP_RMW(bits, fetch_sub)                                                                        \
  WRAP_RMW(bits, fetch_and)                                                                        \
  WRAP_RMW(bits, fetch_or)                                                                         \
  WRAP_RMW(bits, fetch_xor)                                                                        \
  WRAP_CAS(bits, strong)                                                                           \
  WRAP_CAS(bits, weak)
WRAP_ATOMIC(8)
WRAP_ATOMIC(16)
WRAP_ATOMIC(32)
WRAP_ATOMIC(64)

void *__real_memcpy(void *, const void *, size_t);
void *__wrap_memcpy(void *, const void *, size_t);
void *__real_memset(void *, int, size_t);
void *__wrap_memset(void *, int, size_t);

/* The runtime looks at, and moves, the bytes at the addresses that it is given. */
UNSEEN void *__wrap_memcpy(void *to, const void *from, size_t size) {
  __real_memcpy(shown(to), shown(from), size);
  return to;
}

UNSEEN void *__wrap_memset(void *to, int byte, size_t size) {
  __real_memset(shown(to), byte, size);
  return to;
}

#else
#define TSAN_EXIT (-1)
static int weaken;
#endif

#endif
