/* An event loop of the program's own that goes on ticking while processes work for it.
   cc loop.c $(pkg-config --cflags --libs mphost) */
#include <mphost.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { TASKS = 4 };
static int answers;

static const char start[] = "local mp, q = require 'mphost', ...\n"
                            "for i = 1, 4 do\n"
                            "  mp.spawn(function()\n"
                            "    local till = mp.clock() + 0.3\n"
                            "    while mp.clock() < till do end -- busy\n"
                            "    q:put(i * i)\n"
                            "  end)\n"
                            "end";

static void on_answer(mph_host *host, void *user, mph_ref queue) {
  mph_value v;
  while (mph_queue_get(host, queue, &v, 0) == MPH_OK) *(long long *)user += v.integer, answers++;
  if (answers < TASKS) mph_watch(host, queue, on_answer, user);
}

static void add(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(void) {
  struct itimerspec tick = {{0, 10000000}, {0, 10000000}};
  int epoll = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  int rc, ticks = 0;
  long long sum = 0;
  mph_host *host;
  mph_ref queue;
  if (mph_open(&host, NULL) < 0 || mph_queue_open(host, 0, &queue) < 0) return 1;
  mph_value arg = mph_object(queue);
  if ((rc = mph_eval(host, start, "=start", &arg, 1, NULL, 0)) < 0)
    return fprintf(stderr, "%s\n", mph_errmsg(host)), 1;
  mph_watch(host, queue, on_answer, &sum);
  add(epoll, mph_fd(host));
  add(epoll, timer);
  timerfd_settime(timer, 0, &tick, NULL);
  for (struct epoll_event event; answers < TASKS && epoll_wait(epoll, &event, 1, -1) >= 0;) {
    uint64_t times;
    if (event.data.fd != timer) mph_dispatch(host);
    else if (read(timer, &times, sizeof times) > 0) ticks++;
  }
  printf("sum %lld, the loop %s\n", sum, ticks >= 10 ? "went on" : "stood still");
  return mph_close(host) < 0;
}
