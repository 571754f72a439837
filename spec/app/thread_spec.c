/* Hosts in programs with threads, and what is left when they are closed. */
#include <dirent.h>

#include "support.h"

static int descriptors(void) {
  int n = 0;
  DIR *dir = opendir("/proc/self/fd");
  while (readdir(dir)) n++;
  closedir(dir);
  return n;
}

/* A line of /proc/self/maps that is of our memory. */
static int mappings(void) {
  char line[512];
  int n = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps)) n += strstr(line, "memfd:mphost") != NULL;
  fclose(maps);
  return n;
}

#define HAMMER                                                                                     \
  "local mp = require 'mphost' local q, v = mp.Queue(), mp.Value('j', 0) "                         \
  "for i = 1, 300 do local a = mp.Queue(3) a:put {i, ('x'):rep(i * 7)} assert(a:get()[1] == i) "   \
  "q:put(i) v:add(i) end "                                                                         \
  "if ... then return end "                                                                        \
  "for round = 1, 3 do local pool <close> = mp.Pool(2) "                                           \
  "local t = pool:map(function(i) return i * 2 + q:get() * 0 end, mp.range(1, 100)) "              \
  "for i = 1, 100 do assert(t[i] == 2 * i) end end "                                               \
  "assert(v.value == 45150 and #q == 0) "                                                          \
  "local p = mp.spawn(function() return 'ended' end) assert(p:result() == 'ended')"

static void *hammer(void *result) {
  mph_host *h;
  int rc = mph_open(&h, NULL);
  const char *sanitizer = getenv("MPHOST_SANITIZE");
  mph_value only_objects = mph_bool(1); /* its allocator does not look after its locks at a fork */
  for (int i = 0; i < 3 && rc >= 0; i++)
    rc = mph_eval(h, HAMMER, "=hammer", &only_objects, sanitizer && *sanitizer ? 1 : 0, NULL, 0);
  if (rc < 0) snprintf(result, 2000, "%s: %s", mph_errname(rc), mph_errmsg(h));
  mph_close(h);
  return NULL;
}

static void two_hosts_in_two_threads(void **state) {
  (void)state;
  static char result[4][2000];
  pthread_t thread[4];
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&thread[i], NULL, hammer, result[i]), 0);
  for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);
  for (int i = 0; i < 4; i++) assert_string_equal(result[i], "");
  assert_int_equal(mappings(), 0);
}

static void *start_pool(void *user) {
  mph_host *h = *(mph_host **)user;
  mph_run_string(h,
                 "mp = require 'mphost' q = mp.Queue() "
                 "p = mp.spawn(function() mp.sleep(0.2) return q:get() end) "
                 "pool = mp.Pool(2) pool:map(function(x) return x end, {1, 2})",
                 "=start");
  return NULL;
}

/* A child lives as long as the process, not as long as the thread that started it. */
static void children_outlive_their_thread(void **state) {
  (void)state;
  mph_host *h;
  assert_int_equal(mph_open(&h, NULL), MPH_OK);
  for (int i = 0; i < 3; i++) {
    in_thread(start_pool, &h);
    OK(h, mph_run_string(h,
                         "mp.sleep(0.05) q:put 'alive' assert(p:result() == 'alive') "
                         "assert(pool:map(function(x) return x + 1 end, {1, 2})[2] == 3) "
                         "pool:close() pool:join()",
                         "=after"));
  }
  assert_int_equal(mph_close(h), MPH_OK);
}

static void *open_in_thread(void *user) {
  mph_open(user, NULL);
  mph_require(*(mph_host **)user, "mphost", "mp");
  return NULL;
}

static void a_host_outlives_its_opener(void **state) {
  (void)state;
  mph_host *h;
  in_thread(open_in_thread, &h);
  OK(h, mph_run_string(h,
                       "local q = mp.Queue{redeliver = true} q:put(1) q:get() "
                       "assert(mp.spawn(function() return #q end):result() == 0) "
                       "q:task_done() "
                       "local v = mp.Value('i') "
                       "mp.spawn(function() mp.spawn(function() v:add(1) end):join() end):join() "
                       "assert(v.value == 1)",
                       "=later"));
  assert_int_equal(mph_close(h), MPH_OK);
}

static void nothing_is_left(void **state) {
  (void)state;
  int before = descriptors();
  for (int i = 0; i < 300 / slower(); i++) {
    mph_host *h;
    assert_int_equal(mph_open(&h, NULL), MPH_OK);
    OK(h, mph_run_string(h,
                         "local mp = require 'mphost' local q = mp.Queue() q:put(('x'):rep(1e5)) "
                         "keep = q t = {mp.Value('d'), mp.Pipe()} "
                         "if ... == nil then p = mp.spawn(function() return 1 end) end",
                         "=open"));
    assert_int_equal(mappings(), 1);
    assert_int_equal(mph_close(h), MPH_OK);
    assert_int_equal(mappings(), 0);
  }
  assert_int_equal(descriptors(), before);
}

static void the_last_host_takes_the_memory(void **state) {
  (void)state;
  mph_host *a, *b;
  assert_int_equal(mph_open(&a, NULL), MPH_OK);
  assert_int_equal(mph_open(&b, NULL), MPH_OK);
  OK(a, mph_require(a, "mphost", "mp"));
  OK(b, mph_require(b, "mphost", "mp"));
  mph_ref q, same;
  OK(a, mph_queue_open(a, 0, &q));
  OK(b, mph_run_string(b, "setmetatable({}, {__gc = function() mp.Queue() end}) q = mp.Queue()",
                       "=b"));
  assert_int_equal(mph_close(a), MPH_OK);
  assert_int_equal(mappings(), 1);
  OK(b, mph_queue_open(b, 0, &same));
  OK(b, mph_queue_put(b, same, mph_int(1), 0));
  assert_int_equal(mph_close(b), MPH_OK);
  assert_int_equal(mappings(), 0);
}

static void *read_stdin(void *fd) {
  FILE *f = fdopen(*(int *)fd, "r");
  char line[10];
  if (fgets(line, sizeof line, f)) line[0] = 0;
  fclose(f);
  return NULL;
}

/* A thread that reads holds its stream's lock for as long as nothing comes. */
static void starts_while_a_thread_reads(void **state) {
  (void)state;
  int ends[2];
  pthread_t thread;
  mph_host *h;
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(pthread_create(&thread, NULL, read_stdin, &ends[0]), 0);
  usleep(20000);
  assert_int_equal(mph_open(&h, NULL), MPH_OK);
  alarm(60);
  OK(h, mph_run_string(h, "assert(require 'mphost'.spawn(function() return 5 end):result() == 5)",
                       "=reads"));
  alarm(0);
  assert_int_equal(mph_close(h), MPH_OK);
  close(ends[1]);
  pthread_join(thread, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_hosts_in_two_threads),
      cmocka_unit_test(children_outlive_their_thread),
      cmocka_unit_test(a_host_outlives_its_opener),
      cmocka_unit_test(nothing_is_left),
      cmocka_unit_test(the_last_host_takes_the_memory),
      cmocka_unit_test(starts_while_a_thread_reads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
