/* A program that is its own helper (mph_member): start method "spawn" in a host with threads, and
 * with C functions. */
#include <pthread.h>
#include <stdatomic.h>

#include "support.h"

static int factor = 2;

static int prepare(mph_host *h) {
  return mph_define(h, "twice", twice, &factor, NULL);
}

static void has_the_functions_it_defines(void **state) {
  mph_host *h = *state;
  mph_ref pool, f;
  mph_value items[8], results[8];
  for (int i = 0; i < 8; i++) items[i] = mph_int(i);
  OK(h, mph_define(h, "twice", twice, &factor, &f));
  OK(h, mph_run_string(h, "mp = require 'mphost' mp.start_method 'spawn'", NULL));
  OK(h, mph_pool_open(h, 2, &pool));
  OK(h, mph_map(h, pool, f, items, 8, results));
  for (int i = 0; i < 8; i++) assert_int_equal(results[i].integer, 2 * i);
  OK(h, mph_pool_close(h, pool, MPH_FOREVER));
}

static int thrice(mph_host *h, void *user, const mph_value *args, int n, mph_value *result) {
  (void)h, (void)user, (void)n;
  *result = mph_int(3 * args[0].integer);
  return 0;
}

/* Functions that the other process cannot know are an error of the task. */
static void misses_others(mph_host *h, const char *method) {
  mph_ref pool, f;
  mph_value item = mph_int(1), result;
  assert_int_equal(mph_set(h, "method", mph_str(method)), MPH_OK);
  OK(h, mph_run_string(h, "mp = require 'mphost' mp.start_method(method)", NULL));
  OK(h, mph_define(h, "thrice", thrice, NULL, &f));
  OK(h, mph_pool_open(h, 2, &pool));
  assert_int_equal(mph_map(h, pool, f, &item, 1, &result), MPH_ERUN);
  assert_non_null(strstr(mph_errmsg(h), "C function 'thrice' is not in this process"));
  OK(h, mph_eval(h, "mp.start_method 'fork'", NULL, NULL, 0, NULL, 0));
  OK(h, mph_pool_kill(h, pool));
  OK(h, mph_pool_open(h, 2, &pool));
  OK(h, mph_map(h, pool, f, &item, 1, &result));
  assert_int_equal(result.integer, 3);
  OK(h, mph_pool_close(h, pool, MPH_FOREVER));
}

static void spawned_programs_miss_others(void **state) {
  misses_others(*state, "spawn");
}

static void the_zygote_misses_what_came_later(void **state) {
  assert_int_equal(mph_zygote(), MPH_OK);
  misses_others(*state, "zygote");
}

static atomic_bool stop;

static void *hammer(void *file) {
  while (!atomic_load(&stop)) {
    char *text = malloc(4000);
    if (text) fprintf(file, "%p\n", (void *)text);
    free(text);
  }
  return NULL;
}

static void beside_threads(void **state) {
  mph_host *h = *state;
  pthread_t thread[4];
  FILE *null = fopen("/dev/null", "w");
  for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&thread[i], NULL, hammer, null), 0);
  alarm(120);
  for (int i = 0; i < 10; i++)
    OK(h, mph_run_string(h,
                         "local mp = require 'mphost' mp.start_method 'spawn' "
                         "local pool <close> = mp.Pool(2) "
                         "assert(pool:map(function(n) return n + 1 end, {1, 2})[2] == 3)",
                         "=spawn"));
  alarm(0);
  atomic_store(&stop, 1);
  for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);
  fclose(null);
}

static pid_t pid_of(mph_host *h, const char *code) {
  return (pid_t)lua(h, code).integer;
}

static int is_this_program(pid_t pid) {
  char path[64], line[64] = "";
  snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  size_t n = fread(line, 1, sizeof line - 1, file);
  fclose(file);
  return !memmem(line, n, "--mphost-", 9);
}

/* There have been threads: the zygote is no fork any more, and has the functions all the same. */
static void a_late_zygote_is_spawned(void **state) {
  mph_host *h = *state;
  mph_ref f;
  mph_value v = mph_int(21);
  assert_int_equal(mph_zygote(), MPH_OK);
  OK(h, mph_define(h, "twice", twice, &factor, &f));
  OK(h, mph_set(h, "twice", mph_object(f)));
  OK(h, mph_eval(h, "return require 'mphost'.spawn(twice, ...):result()", NULL, &v, 1, &v, 1));
  assert_int_equal(v.integer, 42);
  pid_t child = pid_of(h, "p = require 'mphost'.spawn(function() require 'mphost'.sleep(60) end) "
                          "return p.pid");
  assert_false(is_this_program(child));
  OK(h, mph_run_string(h, "p:kill() p:join()", NULL));
  assert_true(is_this_program(getpid()));
}

int main(int argc, char **argv) {
  if (mph_member(argc, argv, prepare) < 0) return 1;
  if (mph_member(-1, NULL, NULL) != MPH_EINVAL || mph_member(1, NULL, NULL) != MPH_EINVAL) return 1;
  const struct CMUnitTest tests[] = {
      CASE(has_the_functions_it_defines), CASE(spawned_programs_miss_others), CASE(beside_threads),
      CASE(a_late_zygote_is_spawned), CASE(the_zygote_misses_what_came_later)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
