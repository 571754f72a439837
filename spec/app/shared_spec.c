/* Queues, numbers and arrays from C. */
#include <signal.h>

#include "support.h"

static void puts_and_gets(void **state) {
  mph_host *h = *state;
  mph_ref q;
  mph_value v;
  OK(h, mph_queue_open(h, 2, &q));
  assert_int_equal(mph_kind(h, q), MPH_KIND_QUEUE);
  assert_int_equal(mph_queue_get(h, q, &v, 0), MPH_EAGAIN);
  assert_int_equal(mph_queue_get(h, q, &v, 0.01), MPH_ETIMEDOUT);
  OK(h, mph_queue_put(h, q, mph_num(1.5), MPH_FOREVER));
  OK(h, mph_queue_put_bytes(h, q, "a\0b", 3, 0));
  assert_int_equal(mph_queue_length(h, q), 2);
  assert_int_equal(mph_queue_put(h, q, mph_int(1), 0), MPH_EAGAIN);
  assert_int_equal(mph_queue_put(h, q, mph_int(1), 0.01), MPH_ETIMEDOUT);
  assert_int_equal(mph_queue_put(h, q, mph_nil(), 0), MPH_EINVAL);
  OK(h, mph_queue_get(h, q, &v, MPH_FOREVER));
  assert_true(v.type == MPH_NUMBER && v.number == 1.5);
  OK(h, mph_queue_close(h, q));
  assert_int_equal(mph_queue_put(h, q, mph_int(1), 0), MPH_ECLOSED);
  OK(h, mph_queue_get(h, q, &v, 0));
  assert_memory_equal(v.data, "a\0b", 4);
  assert_int_equal(mph_queue_get(h, q, &v, MPH_FOREVER), MPH_ECLOSED);
}

static void sends_lua_values_to_processes(void **state) {
  mph_host *h = *state;
  mph_ref q;
  mph_value v, args[1];
  OK(h, mph_queue_open(h, 0, &q));
  args[0] = mph_object(q);
  OK(h, mph_eval(h, "p = require 'mphost'.spawn(function(q) q:put {n = q:get() + 1} end, ...)",
                 "=s", args, 1, NULL, 0));
  OK(h, mph_queue_put(h, q, mph_int(41), MPH_FOREVER));
  OK(h, mph_eval(h, "p:join()", "=s", NULL, 0, NULL, 0));
  OK(h, mph_queue_get(h, q, &v, 10));
  assert_int_equal(v.type, MPH_REF);
  OK(h, mph_eval(h, "return (...).n", "=s", &v, 1, &v, 1));
  assert_int_equal(v.integer, 42);
}

static void survives_a_killed_producer(void **state) {
  mph_host *h = *state;
  mph_ref q;
  mph_value v, arg;
  OK(h, mph_queue_open(h, 0, &q));
  arg = mph_object(q);
  OK(h, mph_eval(h,
                 "p = require 'mphost'.spawn(function(q) while true do q:put(('x'):rep(100)) end "
                 "end, ...)",
                 "=s", &arg, 1, NULL, 0));
  for (int i = 0; i < 1000; i++) OK(h, mph_queue_get(h, q, &v, 10));
  OK(h, mph_eval(h, "p:kill() p:join()", "=s", NULL, 0, NULL, 0));
  while (mph_queue_get(h, q, &v, 0) >= 0) assert_int_equal(v.size, 100);
  OK(h, mph_queue_put(h, q, mph_int(3), 0));
  OK(h, mph_queue_get(h, q, &v, 0));
  assert_int_equal(v.integer, 3);
}

static void counts_in_a_cell(void **state) {
  mph_host *h = *state;
  mph_ref cell;
  mph_value v, arg;
  OK(h, mph_cell_open(h, 'i', mph_int(5), &cell));
  assert_int_equal(mph_kind(h, cell), MPH_KIND_CELL);
  OK(h, mph_cell_add(h, cell, mph_int(2), &v));
  assert_int_equal(v.integer, 5);
  OK(h, mph_cell_load(h, cell, &v));
  assert_int_equal(v.integer, 7);
  assert_int_equal(mph_cell_cas(h, cell, mph_int(7), mph_int(1)), 1);
  assert_int_equal(mph_cell_cas(h, cell, mph_int(7), mph_int(1)), 0);
  OK(h, mph_cell_store(h, cell, mph_int(-1)));
  assert_int_equal(mph_cell_store(h, cell, mph_int(1LL << 40)), MPH_ERUN);
  assert_non_null(strstr(mph_errmsg(h), "out of range"));
  arg = mph_object(cell);
  OK(h, mph_eval(h, "require 'mphost'.spawn(function(c) c:add(10) end, ...):join()", "=s", &arg, 1,
                 NULL, 0));
  OK(h, mph_cell_load(h, cell, &v));
  assert_int_equal(v.integer, 9);
  OK(h, mph_cell_open(h, 'd', mph_num(0.25), &cell));
  OK(h, mph_cell_load(h, cell, &v));
  assert_true(v.number == 0.25);
  assert_int_equal(mph_cell_open(h, 'x', mph_int(0), &cell), MPH_ERUN);
}

static void fills_arrays(void **state) {
  mph_host *h = *state;
  mph_ref a;
  double in[1000], out[1000];
  size_t n = 0;
  int rc = mph_array_open(h, 'd', 1000, &a);
  if (rc == MPH_EUNAVAILABLE) skip();
  OK(h, rc);
  assert_int_equal(mph_kind(h, a), MPH_KIND_ARRAY);
  OK(h, mph_array_length(h, a, &n));
  assert_int_equal(n, 1000);
  for (int i = 0; i < 1000; i++) in[i] = i + 0.5;
  OK(h, mph_array_write(h, a, 0, 1000, in));
  OK(h, mph_array_read(h, a, 10, 990, out));
  for (int i = 0; i < 990; i++) assert_true(out[i] == in[i + 10]);
  assert_int_equal(mph_array_read(h, a, 10, 991, out), MPH_ERUN);
  assert_int_equal(mph_array_write(h, a, SIZE_MAX, 1, in), MPH_ERUN);
  OK(h, mph_array_open(h, 'b', 3, &a));
  in[0] = 1, in[1] = 127, in[2] = 128;
  OK(h, mph_array_write(h, a, 0, 2, in));
  assert_int_equal(mph_array_write(h, a, 0, 3, in), MPH_ERUN);
}

static void tells_kinds_apart(void **state) {
  mph_host *h = *state;
  mph_ref q, cell, t = lua(h, "return {}").ref;
  mph_value v;
  OK(h, mph_queue_open(h, 0, &q));
  OK(h, mph_cell_open(h, 'j', mph_nil(), &cell));
  assert_int_equal(mph_queue_put(h, cell, mph_int(1), 0), MPH_ETYPE);
  assert_int_equal(mph_queue_get(h, t, &v, 0), MPH_ETYPE);
  assert_int_equal(mph_cell_load(h, q, &v), MPH_ETYPE);
  assert_int_equal(mph_array_read(h, q, 0, 0, NULL), MPH_ETYPE);
  assert_int_equal(mph_map(h, q, t, NULL, 0, NULL), MPH_ETYPE);
  OK(h, mph_release(h, q));
  assert_int_equal(mph_queue_put(h, q, mph_int(1), 0), MPH_EREF);
  assert_int_equal(mph_queue_put(h, cell, mph_int(1), -0.5), MPH_EINVAL);
}

/* What the host program forks by itself has no part in the family. */
static void refuses_in_a_foreign_fork(void **state) {
  mph_host *h = *state;
  mph_ref q;
  mph_value v;
  OK(h, mph_queue_open(h, 0, &q));
  OK(h, mph_queue_put(h, q, mph_str("parent's"), 0));
  OK(h, mph_eval(h,
                 "p = require 'mphost'.spawn(function() require 'mphost'.sleep(60) end) "
                 "pool = require 'mphost'.Pool(1) pool:map(function() end, {1})",
                 "=s", NULL, 0, NULL, 0));
  pid_t pid = fork();
  if (pid == 0) {
    alarm(20);
    int bad = mph_queue_get(h, q, &v, 0) != MPH_EFORK;
    bad |= (mph_queue_length(h, q) != MPH_EFORK) << 1;
    bad |= (mph_eval(h, "return 1 + 1", NULL, NULL, 0, &v, 1) != 1) << 2;
    bad |= (mph_dispatch(h) != MPH_EFORK) << 3;
    bad |= (mph_close(h) != MPH_OK) << 4;
    _exit(bad);
  }
  int status;
  waitpid(pid, &status, 0);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  OK(h, mph_queue_get(h, q, &v, 0));
  assert_string_equal(v.data, "parent's");
  assert_int_equal(lua(h, "return pool:map(function(x) return x end, {7})[1]").integer, 7);
  assert_int_equal(lua(h, "return p:is_alive()").boolean, 1);
  OK(h, mph_eval(h, "p:kill() pool:terminate()", "=s", NULL, 0, NULL, 0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(puts_and_gets),
      CASE(sends_lua_values_to_processes),
      CASE(survives_a_killed_producer),
      CASE(counts_in_a_cell),
      CASE(fills_arrays),
      CASE(tells_kinds_apart),
      CASE(refuses_in_a_foreign_fork),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
