/* mph_fd, mph_watch and mph_dispatch. */
#include <poll.h>

#include "support.h"

static int calls;
static mph_ref called_with;

static void note_ready(mph_host *h, void *user, mph_ref ref) {
  (void)h;
  calls++;
  called_with = ref;
  *(int *)user += 1;
}

static int wait_for(mph_host *h, int fd) {
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  assert_int_equal(poll(&poller, 1, 20000), 1);
  return mph_dispatch(h);
}

static void tells_of_a_queue(void **state) {
  mph_host *h = *state;
  mph_ref q;
  int user = 0, fd = mph_fd(h);
  assert_true(fd > 2);
  assert_int_equal(mph_fd(h), fd);
  struct pollfd quiet = {.fd = fd, .events = POLLIN};
  assert_int_equal(poll(&quiet, 1, 20), 0); /* nothing watched: never readable */
  OK(h, mph_queue_open(h, 0, &q));
  OK(h, mph_watch(h, q, note_ready, &user));
  mph_value arg = mph_object(q);
  OK(h, mph_eval(h, "require 'mphost'.spawn(function(q) q:put(1) end, ...):join()", "=e", &arg, 1,
                 NULL, 0));
  while (user == 0) OK(h, wait_for(h, fd));
  assert_int_equal(called_with, q);
  assert_int_equal(mph_dispatch(h), 0); /* once */
  while (poll(&quiet, 1, 0) == 1) assert_int_equal(mph_dispatch(h), 0);
  assert_int_equal(poll(&quiet, 1, 20), 0);
}

static void forgets_the_released(void **state) {
  mph_host *h = *state;
  mph_ref q;
  int user = 0;
  OK(h, mph_queue_open(h, 0, &q));
  OK(h, mph_watch(h, q, note_ready, &user));
  OK(h, mph_queue_put(h, q, mph_int(1), 0));
  OK(h, mph_release(h, q));
  assert_int_equal(mph_dispatch(h), 0);
  assert_int_equal(user, 0);
  assert_int_equal(mph_watch(h, q, note_ready, NULL), MPH_EREF);
  assert_int_equal(mph_watch(h, lua(h, "return {}").ref, note_ready, NULL), MPH_ETYPE);
}

static void again(mph_host *h, void *user, mph_ref ref) {
  mph_value v;
  OK(h, mph_queue_get(h, ref, &v, 0));
  assert_int_equal(mph_close(h), MPH_ESTATE);
  if (++*(int *)user < 3) {
    OK(h, mph_queue_put(h, ref, mph_int(1), 0));
    OK(h, mph_watch(h, ref, again, user));
    OK(h, mph_dispatch(h)); /* nested */
  }
}

static void may_be_called_inside_callbacks(void **state) {
  mph_host *h = *state;
  mph_ref q;
  int user = 0;
  OK(h, mph_queue_open(h, 0, &q));
  OK(h, mph_queue_put(h, q, mph_int(1), 0));
  OK(h, mph_watch(h, q, again, &user));
  assert_int_equal(mph_dispatch(h), 1);
  assert_int_equal(user, 3);
}

static void tells_of_futures(void **state) {
  mph_host *h = *state;
  mph_ref pool, future, f = lua(h, "return function(n) return n end").ref;
  int user = 0, fd = mph_fd(h);
  OK(h, mph_pool_open(h, 2, &pool));
  for (int i = 0; i < 20; i++) {
    mph_value arg = mph_int(i);
    int rc = mph_submit(h, pool, f, &arg, 1, &future);
    if (rc == MPH_EUNAVAILABLE) skip();
    OK(h, rc);
    OK(h, mph_watch(h, future, note_ready, &user));
  }
  while (user < 20) OK(h, wait_for(h, fd));
  OK(h, mph_pool_close(h, pool, 10));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(tells_of_a_queue),
      CASE(forgets_the_released),
      CASE(may_be_called_inside_callbacks),
      CASE(tells_of_futures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
