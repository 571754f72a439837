/* Workers of a program whose threads hold the locks of malloc and stdio all the time: by the
 * zygote, as programs of their own, and by forking the program. A round starts and ends 8 workers
 * and runs something in each. */
#ifndef SPEC_APP_HAMMER_H
#define SPEC_APP_HAMMER_H

#include <pthread.h>
#include <stdatomic.h>

#include "support.h"

static atomic_bool stop;

static void *hammer(void *file) {
  unsigned long i = 0;
  while (!atomic_load(&stop)) {
    char *text = malloc(16 + i++ % 8000);
    if (text) fprintf(file, "%p\n", (void *)text);
    free(text);
  }
  return NULL;
}

static void start_workers(mph_host *h, int workers, mph_ref f) {
  mph_value items[8], results[8];
  mph_ref pool;
  for (int i = 0; i < 8; i++) items[i] = mph_int(i);
  for (int n = 0; n < workers; n += 8) {
    alarm(120);
    OK(h, mph_pool_open(h, 8, &pool));
    OK(h, mph_map(h, pool, f, items, 8, results));
    OK(h, mph_pool_close(h, pool, MPH_FOREVER));
    OK(h, mph_release(h, pool));
    for (int i = 0; i < 8; i++) assert_int_equal(results[i].integer, 2 * i);
  }
  alarm(0);
}

static void beside_threads(mph_host *h, int workers, mph_ref f) {
  pthread_t thread[8];
  FILE *null = fopen("/dev/null", "w");
  atomic_store(&stop, 0);
  for (int i = 0; i < 8; i++) assert_int_equal(pthread_create(&thread[i], NULL, hammer, null), 0);
  start_workers(h, workers, f);
  atomic_store(&stop, 1);
  for (int i = 0; i < 8; i++) pthread_join(thread[i], NULL);
  fclose(null);
}

/* The sanitizer's allocator, unlike the C library's, does not look after its locks at a fork. */
static void by_forking_the_program(mph_host *h, int workers) {
  const char *sanitizer = getenv("MPHOST_SANITIZE");
  if (sanitizer && *sanitizer) skip();
  static int factor = 2;
  mph_ref f;
  OK(h, mph_define(h, "twice", twice, &factor, &f));
  assert_string_equal(lua(h, "return require 'mphost'.start_method()").data, "fork");
  beside_threads(h, workers, f);
}

static void by_programs(mph_host *h, int workers) {
  mph_value f = lua(h, "require 'mphost'.start_method 'spawn' return function(n) return 2 * n end");
  beside_threads(h, workers, f.ref);
}

static void by_the_zygote(mph_host *h, int workers) {
  static int factor = 2;
  mph_ref f;
  OK(h, mph_define(h, "twice", twice, &factor, &f));
  assert_int_equal(mph_zygote(), MPH_OK);
  assert_int_equal(mph_zygote(), MPH_OK);
  assert_string_equal(lua(h, "return require 'mphost'.start_method()").data, "zygote");
  beside_threads(h, workers, f);
}

/* Each is a case of its own: `workers` of them start. */
#define HAMMER_CASES(workers)                                                                      \
  static void fork_case(void **state) {                                                            \
    by_forking_the_program(*state, workers);                                                       \
  }                                                                                                \
  static void spawn_case(void **state) {                                                           \
    by_programs(*state, (workers) / 4);                                                            \
  }                                                                                                \
  static void zygote_case(void **state) {                                                          \
    by_the_zygote(*state, workers);                                                                \
  }                                                                                                \
  int main(int argc, char **argv) {                                                                \
    if (mph_member(argc, argv, NULL) < 0) return 1;                                                \
    const struct CMUnitTest tests[] = {CASE(fork_case), CASE(spawn_case), CASE(zygote_case)};      \
    return cmocka_run_group_tests(tests, NULL, NULL);                                              \
  }

#endif
