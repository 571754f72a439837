/* Waking who waits in epoll: each ring is one edge for each set. */
#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>

#include "os/bell.h"

static int new_set(int bell) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, bell, &event), 0);
  return epoll;
}

static int heard(int epoll) {
  struct pollfd outer = {.fd = epoll, .events = POLLIN};
  struct epoll_event event;
  int n = poll(&outer, 1, 0);
  assert_int_equal(epoll_wait(epoll, &event, 1, 0), n);
  return n;
}

static void each_ring_is_heard_once_by_all(void **state) {
  (void)state;
  int bell = bell_open();
  assert_true(bell > STDERR_FILENO);
  assert_true(fcntl(bell, F_GETFD) & FD_CLOEXEC);
  int a = new_set(bell), b = new_set(bell);
  assert_int_equal(heard(a), 0);
  for (int i = 0; i < 3; i++) {
    bell_ring(bell);
    if (i == 1) bell_ring(bell); /* two at once are one */
    assert_int_equal(heard(a), 1);
    assert_int_equal(heard(a), 0);
    assert_int_equal(heard(b), 1);
    assert_int_equal(heard(b), 0);
  }
  close(a);
  close(b);
  close(bell);
}

static int other;

static void ring_run(void) {
  bell_ring(other);
}

static void other_processes_ring(void **state) {
  (void)state;
  other = bell_open();
  int epoll = new_set(other);
  assert_int_equal(in_child(ring_run), 0);
  assert_int_equal(heard(epoll), 1);
  close(epoll);
  close(other);
}

static void nobody_is_no_error(void **state) {
  (void)state;
  errno = 7;
  bell_ring(-1);
  bell_ring(1000);
  assert_int_equal(errno, 7);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      os_case(each_ring_is_heard_once_by_all),
      os_case(other_processes_ring),
      os_case(nobody_is_no_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
