/* Pools and futures from C. */
#include "support.h"

static int square(mph_host *h, void *user, const mph_value *args, int n, mph_value *result) {
  (void)h, (void)user, (void)n;
  if (args[0].integer == 13) {
    *result = mph_str("thirteen");
    return -1;
  }
  *result = mph_int(args[0].integer * args[0].integer);
  return 0;
}

static void maps_a_c_function(void **state) {
  mph_host *h = *state;
  mph_ref pool, f;
  mph_value items[100], out[100];
  OK(h, mph_define(h, "square", square, NULL, &f));
  OK(h, mph_pool_open(h, 2, &pool));
  assert_int_equal(mph_kind(h, pool), MPH_KIND_POOL);
  for (int i = 0; i < 100; i++) items[i] = mph_int(i + 20);
  OK(h, mph_map(h, pool, f, items, 100, out));
  for (int i = 0; i < 100; i++) assert_int_equal(out[i].integer, (i + 20) * (i + 20));
  OK(h, mph_map(h, pool, f, items, 100, NULL));
  OK(h, mph_map(h, pool, f, NULL, 0, NULL));
  items[50] = mph_int(13);
  assert_int_equal(mph_map(h, pool, f, items, 100, out), MPH_ERUN);
  assert_non_null(strstr(mph_errmsg(h), "task 51 failed"));
  assert_non_null(strstr(mph_errmsg(h), "thirteen"));
  assert_int_equal(out[0].type, MPH_NIL);
  OK(h, mph_pool_close(h, pool, 10));
  assert_int_equal(mph_map(h, pool, f, items, 1, out), MPH_ECLOSED);
}

static void maps_a_lua_function(void **state) {
  mph_host *h = *state;
  mph_ref pool,
      f = lua(h, "local n = 0 return function(s) n = n + 1 return s and s .. '!' end").ref;
  mph_value items[] = {mph_str("a"), mph_nil(), mph_bytes("\0", 1)}, out[3];
  OK(h, mph_pool_open(h, 2, &pool));
  OK(h, mph_map(h, pool, f, items, 3, out));
  assert_string_equal(out[0].data, "a!");
  assert_int_equal(out[1].type, MPH_NIL);
  assert_memory_equal(out[2].data, "\0!", 3);
  assert_int_equal(mph_map(h, pool, lua(h, "return 1").ref, items, 3, out), MPH_EREF);
  assert_int_equal(mph_map(h, pool, pool, items, 3, out), MPH_ETYPE);
  OK(h, mph_pool_kill(h, pool));
  assert_int_equal(mph_map(h, pool, f, items, 3, out), MPH_ECLOSED);
}

static void outlives_a_killed_worker(void **state) {
  mph_host *h = *state;
  mph_ref pool, f = lua(h, "return function(n) if n == 3 then require 'mphost'.current_process() "
                           "io.popen('kill -9 $PPID'):read() end return n end")
                        .ref;
  mph_value items[8], out[8];
  for (int i = 0; i < 8; i++) items[i] = mph_int(i);
  OK(h, mph_pool_open(h, 2, &pool));
  assert_int_equal(mph_map(h, pool, f, items, 8, out), MPH_ERUN);
  assert_non_null(strstr(mph_errmsg(h), "SIGKILL"));
  items[3] = mph_int(30);
  OK(h, mph_map(h, pool, f, items, 8, out));
  assert_int_equal(out[3].integer, 30);
  OK(h, mph_pool_close(h, pool, MPH_FOREVER));
}

static void submits_futures(void **state) {
  mph_host *h = *state;
  mph_ref pool, future, f = lua(h, "return function(a, b) return a + b end").ref;
  mph_ref slow = lua(h, "return function() require 'mphost'.sleep(30) end").ref;
  mph_ref bad = lua(h, "return function() error 'bad task' end").ref;
  mph_value args[] = {mph_int(3), mph_int(4)}, out;
  OK(h, mph_pool_open(h, 1, &pool));
  int rc = mph_submit(h, pool, f, args, 2, &future);
  if (rc == MPH_EUNAVAILABLE) skip();
  OK(h, rc);
  assert_int_equal(mph_kind(h, future), MPH_KIND_FUTURE);
  OK(h, mph_future_get(h, future, 30, &out));
  assert_int_equal(out.integer, 7);
  assert_int_equal(mph_future_done(h, future), 1);
  OK(h, mph_future_get(h, future, 0, &out));
  assert_int_equal(mph_future_cancel(h, future), 0);
  OK(h, mph_submit(h, pool, bad, NULL, 0, &future));
  assert_int_equal(mph_future_get(h, future, 30, &out), MPH_ERUN);
  assert_non_null(strstr(mph_errmsg(h), "bad task"));
  OK(h, mph_submit(h, pool, slow, NULL, 0, &future));
  assert_int_equal(mph_future_done(h, future), 0);
  assert_int_equal(mph_future_get(h, future, 0, &out), MPH_EAGAIN);
  assert_int_equal(mph_future_get(h, future, 0.01, &out), MPH_ETIMEDOUT);
  mph_future_cancel(h, future);
  OK(h, mph_pool_kill(h, pool));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(maps_a_c_function),
      CASE(maps_a_lua_function),
      CASE(outlives_a_killed_worker),
      CASE(submits_futures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
