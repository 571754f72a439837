/* memcpy where the C library's is slow.

   glibc copies from 4 KB up to the size of a core's cache by "rep movsb" on processors that have a
   fast one. AMD's Zen 3 takes twenty times as long for it when the target's place in its page is up
   to 31 bytes behind the source's: 2 GB/s instead of 40, measured for each distance (glibc 2.36).
   Where a Lua string lies is chance, so copies of strings met that now and then, and those of one
   size always or never. Then the copy is made here, from the end: forwards each load would wait for
   a store whose address only looks alike.

   Linked with --wrap=memcpy (CMakeLists.txt): what we and, in the program, Lua call memcpy is this.
   Without, as in a build by luarocks, nobody calls it. */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include <emmintrin.h>
#include <stddef.h>
#include <stdint.h>

enum { FROM = 4 << 10, TO = 1 << 20, PAGE = 4096, NEAR = 32, STEP = 64 };

void *__real_memcpy(void *to, const void *from, size_t size) __attribute__((weak));
void *__wrap_memcpy(void *to, const void *from, size_t size);

static void copy_step(char *to, const char *from) {
  __m128i a = _mm_loadu_si128((const __m128i *)from);
  __m128i b = _mm_loadu_si128((const __m128i *)(from + 16));
  __m128i c = _mm_loadu_si128((const __m128i *)(from + 32));
  __m128i d = _mm_loadu_si128((const __m128i *)(from + 48));
  _mm_storeu_si128((__m128i *)to, a);
  _mm_storeu_si128((__m128i *)(to + 16), b);
  _mm_storeu_si128((__m128i *)(to + 32), c);
  _mm_storeu_si128((__m128i *)(to + 48), d);
}

/* At least STEP bytes. */
static void *copy_backwards(char *to, const char *from, size_t size) {
  size_t at = size;
  for (; at >= STEP; at -= STEP) {
    copy_step(to + at - STEP, from + at - STEP);
    __asm__ volatile("" ::: "memory"); /* or the compiler may make a call of memcpy of the loop */
  }
  if (at > 0) copy_step(to, from); /* once more what is behind `at` */
  return to;
}

void *__wrap_memcpy(void *to, const void *from, size_t size) {
  if (size < FROM || size > TO) return __real_memcpy(to, from, size);
  uintptr_t behind = ((uintptr_t)to - (uintptr_t)from) % PAGE;
  if (behind == 0 || behind >= NEAR) return __real_memcpy(to, from, size);
  return copy_backwards(to, from, size);
}

#endif
