/* memcpy where the C library's is slow: the same bytes, and no others, at every distance. */
#include "support.h"

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

enum { ROOM = 3 << 19, GUARD = 128, PAGE = 4096 };

void *__wrap_memcpy(void *to, const void *from, size_t size);
void *__real_memcpy(void *to, const void *from, size_t size);

static int left_alone; /* copies that were the C library's */

void *__real_memcpy(void *to, const void *from, size_t size) {
  left_alone++;
  return memmove(to, from, size);
}

static char *room(void) {
  char *memory = aligned_alloc(PAGE, ROOM);
  assert_non_null(memory);
  return memory;
}

static void copies(char *target, const char *source, size_t at, size_t behind, size_t size) {
  char *to = target + at + behind;
  memset(to - GUARD, 0x55, size + 2 * (size_t)GUARD);
  assert_ptr_equal(__wrap_memcpy(to, source + at, size), to);
  assert_memory_equal(to, source + at, size);
  for (int i = 1; i <= GUARD; i++) {
    assert_int_equal(to[-i], 0x55);
    assert_int_equal(to[size + (size_t)i - 1], 0x55);
  }
}

static void the_same_bytes(void **state) {
  (void)state;
  static const size_t sizes[] = {4096, 4097, 4159, 4160, 5000, 8000, 32768, 100001, 1 << 20};
  char *source = room(), *target = room();
  for (size_t i = 0; i < ROOM; i++) source[i] = (char)(i * 7 + i / 251);
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    for (size_t behind = 1; behind < 32; behind += 1 + behind % 3) {
      left_alone = 0;
      copies(target, source, PAGE + behind % 17, behind, sizes[k]);
      assert_int_equal(left_alone, 0);
    }
  }
  free(source);
  free(target);
}

static void the_rest_is_left_alone(void **state) {
  (void)state;
  char *source = room(), *target = room();
  memset(source, 1, ROOM);
  left_alone = 0;
  copies(target, source, PAGE, 8, 4095);
  copies(target, source, PAGE, 8, (1 << 20) + 1);
  copies(target, source, PAGE, 0, 8000);
  copies(target, source, PAGE, 32, 8000);
  copies(target, source, PAGE, PAGE - 8, 8000);
  copies(target, source, PAGE, 8, 0);
  assert_int_equal(left_alone, 6);
  free(source);
  free(target);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      cmocka_unit_test(the_same_bytes),
      cmocka_unit_test(the_rest_is_left_alone),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}

#else

int main(void) {
  return 0;
}

#endif
