/* What goes with a thread: called once, in the thread, and only where it was asked for. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bind/thread.h"

static _Thread_local int mine;
static int first, second, foreign;

static void end_first(void) {
  first++;
  foreign += mine != 7;
}

static void end_second(void) {
  second++;
  foreign += mine != 7;
}

static void *ask_for_both(void *unused) {
  mine = 7;
  for (int i = 0; i < 3; i++) {
    thread_at_end(end_first);
    thread_at_end(end_second);
  }
  return unused;
}

static void *ask_for_one(void *unused) {
  mine = 7;
  thread_at_end(end_second);
  return unused;
}

static void *ask_for_none(void *unused) {
  return unused;
}

static void run(void *(*body)(void *)) {
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, body, NULL), 0);
  pthread_join(thread, NULL);
}

static void each_once_in_its_thread(void **state) {
  (void)state;
  run(ask_for_both);
  assert_int_equal(first, 1);
  assert_int_equal(second, 1);
  run(ask_for_one);
  assert_int_equal(first, 1);
  assert_int_equal(second, 2);
  run(ask_for_none);
  assert_int_equal(first, 1);
  assert_int_equal(second, 2);
  assert_int_equal(foreign, 0);
}

static void not_while_it_runs(void **state) {
  (void)state;
  first = 0;
  thread_at_end(end_first);
  assert_int_equal(first, 0);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      cmocka_unit_test(each_once_in_its_thread),
      cmocka_unit_test(not_while_it_runs),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
