/* mph_fd, mph_watch and mph_dispatch. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "shm/region.h"
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

/* How often the descriptor woke within the time, with what came of it. */
static int wakes_within(mph_host *h, int fd, int ms) {
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  int wakes = 0;
  for (; poll(&poller, 1, ms) == 1; wakes++) OK(h, mph_dispatch(h));
  return wakes;
}

static mph_ref sleeper(mph_host *h, double seconds) {
  mph_ref pool, future, f;
  mph_value time = mph_num(seconds);
  f = lua(h, "return function(s) require 'mphost'.sleep(s) return s end").ref;
  OK(h, mph_pool_open(h, 2, &pool));
  OK(h, mph_submit(h, pool, f, &time, 1, &future));
  return future;
}

static void idles_while_nothing_happens(void **state) {
  mph_host *h = *state;
  mph_ref q;
  int user = 0, fd = mph_fd(h);
  OK(h, mph_queue_open(h, 0, &q));
  OK(h, mph_watch(h, q, note_ready, &user));
  OK(h, mph_watch(h, sleeper(h, 60), note_ready, &user));
  wakes_within(h, fd, 300); /* the workers come */
  assert_int_equal(wakes_within(h, fd, 1000), 0);
  assert_int_equal(user, 0);
  OK(h, mph_stop(h));
}

static void one_wake_for_one_thing(void **state) {
  mph_host *h = *state;
  mph_ref q;
  int user = 0, fd = mph_fd(h);
  OK(h, mph_queue_open(h, 0, &q));
  for (int i = 0; i < 100; i++) {
    mph_value v;
    OK(h, mph_watch(h, q, note_ready, &user));
    OK(h, mph_queue_put(h, q, mph_int(i), 0));
    assert_int_equal(wakes_within(h, fd, 0), 1);
    OK(h, mph_queue_get(h, q, &v, 0));
    assert_int_equal(user, i + 1);
  }
}

static void tells_what_was_there_before(void **state) {
  mph_host *h = *state;
  mph_ref q, r, future = sleeper(h, 0);
  mph_value v;
  int user = 0;
  OK(h, mph_queue_open(h, 0, &q));
  OK(h, mph_queue_open(h, 0, &r));
  OK(h, mph_queue_put(h, q, mph_int(1), 0));
  OK(h, mph_future_get(h, future, MPH_FOREVER, &v));
  OK(h, mph_watch(h, q, note_ready, &user));
  int fd = mph_fd(h);
  wakes_within(h, fd, 0);
  assert_int_equal(user, 1);
  OK(h, mph_watch(h, r, note_ready, &user));
  OK(h, mph_watch(h, q, note_ready, &user));
  wakes_within(h, fd, 0);
  assert_int_equal(user, 2);
  OK(h, mph_watch(h, future, note_ready, &user));
  OK(h, mph_queue_close(h, r));
  wakes_within(h, fd, 0);
  assert_int_equal(user, 4);
}

static void tells_what_this_process_settles(void **state) {
  mph_host *h = *state;
  mph_ref first = sleeper(h, 60), second = sleeper(h, 0);
  mph_value v;
  int user = 0, fd = mph_fd(h);
  OK(h, mph_watch(h, first, note_ready, &user));
  OK(h, mph_watch(h, second, note_ready, &user));
  OK(h, mph_future_get(h, second, MPH_FOREVER, &v)); /* sleeps on a futex meanwhile */
  wakes_within(h, fd, 0);
  assert_int_equal(user, 1);
  assert_int_equal(mph_future_cancel(h, first), 1);
  wakes_within(h, fd, 0);
  assert_int_equal(user, 2);
}

static void cancel_it(mph_host *h, void *user, mph_ref ref) {
  mph_value v;
  OK(h, mph_queue_get(h, ref, &v, 0));
  assert_int_equal(mph_future_cancel(h, *(mph_ref *)user), 1);
}

/* In the order in which they are looked at, the future's turn is over then. */
static void tells_what_a_callback_settles(void **state) {
  mph_host *h = *state;
  mph_ref q, future = sleeper(h, 60);
  int user = 0;
  mph_fd(h);
  OK(h, mph_queue_open(h, 0, &q));
  OK(h, mph_watch(h, q, cancel_it, &future));
  OK(h, mph_watch(h, future, note_ready, &user));
  OK(h, mph_queue_put(h, q, mph_int(1), 0));
  assert_int_equal(mph_dispatch(h), 2);
  assert_int_equal(user, 1);
}

static void tells_of_killed_workers(void **state) {
  mph_host *h = *state;
  mph_ref pool, future;
  int user = 0, fd = mph_fd(h);
  mph_ref f = lua(h, "return function() io.popen('kill -9 $PPID'):read() end").ref;
  OK(h, mph_pool_open(h, 2, &pool));
  OK(h, mph_submit(h, pool, f, NULL, 0, &future));
  OK(h, mph_watch(h, future, note_ready, &user));
  while (user == 0) OK(h, wait_for(h, fd));
  mph_value v;
  assert_int_equal(mph_future_get(h, future, 0, &v), MPH_ERUN);
  assert_non_null(strstr(mph_errmsg(h), "killed by SIGKILL"));
  OK(h, mph_pool_close(h, pool, 10));
}

/* A process that cannot ring is one that is killed between putting and ringing, as far as others
 * see. */
static int mute(mph_host *h, void *user, const mph_value *args, int n, mph_value *result) {
  (void)h, (void)user, (void)args, (void)n, (void)result;
  return close(region_bell);
}

/* The only worker is stopped with what nobody wants any more in its hand. */
static void does_not_wait_for_a_stopped_worker(void **state) {
  mph_host *h = *state;
  mph_ref pool, unwanted, future;
  mph_value begun = lua(h, "return require 'mphost'.Value 'i'"), seven = mph_int(7), pid;
  int user = 0, fd = mph_fd(h);
  OK(h, mph_pool_open(h, 1, &pool));
  mph_ref spin = lua(h, "return function(v) v.value = require 'mphost'.current_process().pid "
                        "while true do end end")
                     .ref;
  OK(h, mph_submit(h, pool, spin, &begun, 1, &unwanted));
  OK(h, mph_submit(h, pool, lua(h, "return function(x) return x end").ref, &seven, 1, &future));
  OK(h, mph_watch(h, future, note_ready, &user));
  OK(h, mph_eval(h, "local v = ... v:wait(0) return v.value", "=e", &begun, 1, &pid, 1));
  wakes_within(h, fd, 100);
  kill((pid_t)pid.integer, SIGSTOP);
  OK(h, mph_future_cancel(h, unwanted));
  while (user == 0) OK(h, wait_for(h, fd));
  assert_int_equal(wakes_within(h, fd, 200), 0); /* and idles then */
  OK(h, mph_pool_close(h, pool, 10));
}

static void hears_of_it_by_the_death(mph_host *h, const char *start) {
  mph_ref q;
  int user = 0, fd = mph_fd(h);
  OK(h, mph_define(h, "mute", mute, NULL, NULL));
  OK(h, mph_queue_open(h, 0, &q));
  OK(h, mph_watch(h, q, note_ready, &user));
  mph_value arg = mph_object(q), pid;
  OK(h, mph_eval(h, start, "=start", &arg, 1, &pid, 1));
  while (mph_queue_length(h, q) < 1) wakes_within(h, fd, 1);
  if (user == 0) { /* else an arrival has told */
    assert_int_equal(wakes_within(h, fd, 50), 0);
    kill((pid_t)pid.integer, SIGKILL);
    while (user == 0) OK(h, wait_for(h, fd));
  } else {
    print_message("an arrival was too close\n");
    kill((pid_t)pid.integer, SIGKILL);
  }
  OK(h, mph_stop(h));
}

#define VICTIM                                                                                     \
  "local mp, q = require 'mphost', ... local pids = mp.Queue() "                                   \
  "local function victim() require 'mphost.c'.mute() pids:put(mp.current_process().pid) "          \
  "mp.sleep(0.2) q:put 'x' mp.sleep(60) end "

static void a_child_is_killed_before_it_rings(void **state) {
  hears_of_it_by_the_death(*state, VICTIM "p = mp.spawn(victim) return pids:get()");
}

static void a_grandchild_is_killed_before_it_rings(void **state) {
  hears_of_it_by_the_death(*state, VICTIM "p = mp.spawn(function() g = mp.spawn(victim) "
                                          "pcall(g.join, g) mp.sleep(60) end) return pids:get()");
}

static int descriptors(void) {
  int n = 0;
  for (int fd = 0; fd < 1000; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

static void leaves_no_descriptor(void **state) {
  (void)state;
  int before = descriptors();
  for (int i = 0; i < 3; i++) {
    mph_host *h;
    mph_ref q;
    int user = 0;
    assert_int_equal(mph_open(&h, NULL), MPH_OK);
    int fd = mph_fd(h);
    OK(h, mph_queue_open(h, 0, &q));
    OK(h, mph_watch(h, q, note_ready, &user));
    OK(h, mph_run_string(h, "p = require 'mphost'.spawn(function() end)", NULL));
    wakes_within(h, fd, 10);
    assert_true(descriptors() > before);
    assert_int_equal(mph_close(h), MPH_OK);
  }
  assert_int_equal(descriptors(), before);
}

/* A child that inherits a host has a descriptor of its own, and its parent's is left alone. */
static int look_in_child(mph_host *h, void *user, const mph_value *args, int n, mph_value *result) {
  int told = 0;
  (void)n;
  if (mph_dispatch(h) != 0) return MPH_ERUN; /* what the parent watches is the parent's */
  int fd = mph_fd(h);
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  if (mph_queue_put(h, args[0].ref, mph_int(1), 0) < 0) return MPH_ERUN;
  if (mph_watch(h, args[0].ref, note_ready, &told) < 0) return MPH_ERUN;
  if (poll(&poller, 1, 5000) != 1 || mph_dispatch(h) != 1) return MPH_ERUN;
  *result = mph_bool(told == 1 && *(int *)user == 0);
  return 0;
}

static void children_have_their_own(void **state) {
  mph_host *h = *state;
  mph_ref q, own;
  int user = 0, fd = mph_fd(h);
  OK(h, mph_queue_open(h, 0, &q));
  OK(h, mph_queue_open(h, 0, &own));
  OK(h, mph_watch(h, q, note_ready, &user));
  OK(h, mph_define(h, "look", look_in_child, &user, NULL));
  mph_value arg = mph_object(own), v;
  OK(h, mph_eval(h,
                 "return require 'mphost'.spawn(function(q) return require 'mphost.c'.look(q) end, "
                 "...):result()",
                 "=e", &arg, 1, &v, 1));
  assert_int_equal(v.boolean, 1);
  OK(h, mph_queue_put(h, q, mph_int(1), 0));
  while (user == 0) OK(h, wait_for(h, fd));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(tells_of_a_queue),
      CASE(forgets_the_released),
      CASE(may_be_called_inside_callbacks),
      CASE(tells_of_futures),
      CASE(idles_while_nothing_happens),
      CASE(one_wake_for_one_thing),
      CASE(tells_what_was_there_before),
      CASE(tells_what_this_process_settles),
      CASE(tells_what_a_callback_settles),
      CASE(tells_of_killed_workers),
      CASE(does_not_wait_for_a_stopped_worker),
      CASE(a_child_is_killed_before_it_rings),
      CASE(a_grandchild_is_killed_before_it_rings),
      CASE(children_have_their_own),
      cmocka_unit_test(leaves_no_descriptor),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
