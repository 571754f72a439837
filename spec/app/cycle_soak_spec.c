/* Opening and closing a host 10 000 times. */
#include "support.h"

static long resident(void) {
  long size, pages = 0;
  FILE *statm = fopen("/proc/self/statm", "r");
  if (fscanf(statm, "%ld %ld", &size, &pages) != 2) pages = 0;
  fclose(statm);
  return pages;
}

static void open_and_close(void) {
  mph_host *h;
  mph_ref q;
  mph_value v;
  assert_int_equal(mph_open(&h, NULL), MPH_OK);
  OK(h, mph_queue_open(h, 0, &q));
  OK(h, mph_queue_put(h, q, mph_str("x"), 0));
  OK(h, mph_queue_get(h, q, &v, 0));
  OK(h, mph_run_string(h, "local mp = require 'mphost' t = {mp.Value('d'), mp.Pipe()}", NULL));
  assert_int_equal(mph_close(h), MPH_OK);
}

static void loses_nothing(void **state) {
  (void)state;
  const char *text = getenv("MPHOST_CYCLES");
  int n = text ? atoi(text) : 10000;
  for (int i = 0; i < n / 10; i++) open_and_close();
  long before = resident();
  for (int i = 0; i < n; i++) open_and_close();
  print_message("%d cycles, %ld pages before, %ld after\n", n, before, resident());
  if (!text)
    assert_true(resident() < before + 100); /* valgrind, which asks for less, takes its own */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(loses_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
