/* An event loop that goes on while worker processes are busy: tasks are submitted to a pool, their
   ends come in by mph_fd, and a timer keeps ticking meanwhile.
   cc loop.c $(pkg-config --cflags --libs mphost) */
#include <mphost.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { TASKS = 4 };

static const char task[] = "local clock = require 'mphost'.clock\n"
                           "return function(i)\n"
                           "  local till = clock() + 0.3\n"
                           "  while clock() < till do end -- busy\n"
                           "  return i * i end";
static int left = TASKS;

/* One is over. */
static void on_end(mph_host *host, void *sum, mph_ref future) {
  mph_value v;
  if (mph_future_get(host, future, 0, &v) == MPH_OK) *(long long *)sum += v.integer;
  else fprintf(stderr, "%s\n", mph_errmsg(host));
  mph_release(host, future);
  left--;
}

static void add(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(void) {
  struct itimerspec tick = {{0, 10000000}, {0, 10000000}};
  int epoll = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  long long sum = 0;
  int rc, ticks = 0;
  mph_host *host;
  mph_ref pool, future;
  mph_value f;
  if ((rc = mph_open(&host, NULL)) < 0) return 1;
  rc = mph_eval(host, task, "=task", NULL, 0, &f, 1);
  if (rc >= 0) rc = mph_pool_open(host, 2, &pool);
  for (mph_value i = mph_int(1); i.integer <= TASKS && rc >= 0; i.integer++) {
    rc = mph_submit(host, pool, f.ref, &i, 1, &future);
    if (rc >= 0) rc = mph_watch(host, future, on_end, &sum);
  }
  if (rc < 0) return fprintf(stderr, "%s\n", mph_errmsg(host)), 1;
  add(epoll, mph_fd(host));
  add(epoll, timer);
  timerfd_settime(timer, 0, &tick, NULL);
  for (struct epoll_event event; left > 0 && epoll_wait(epoll, &event, 1, -1) >= 0;) {
    uint64_t times;
    if (event.data.fd != timer) mph_dispatch(host);
    else if (read(timer, &times, sizeof times) > 0) ticks++;
  }
  printf("sum %lld, the loop %s\n", sum, ticks >= 10 ? "went on" : "stood still");
  return mph_close(host) < 0;
}
