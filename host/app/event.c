/* Event loops: one descriptor that says when to look, and a list of what to look at.

   What is waited for lies in shared memory, which no descriptor tells of. So while something is
   watched a timer makes the descriptor readable every slice. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "app/shared.h"
#include "app/value.h"

#define SLICE_NS 2000000

/* The numbers 0 to 2 are stdio's, even while they are closed. */
static int lift(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  int high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), error = errno;
  close(fd);
  errno = error;
  return high;
}

static int open_descriptors(mph_host *h) {
  struct epoll_event event = {.events = EPOLLIN};
  int epoll = lift(epoll_create1(EPOLL_CLOEXEC));
  int timer = lift(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (epoll >= 0 && timer >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) == 0) {
    h->epoll = epoll;
    h->timer = timer;
    return MPH_OK;
  }
  int error = errno;
  if (epoll >= 0) close(epoll);
  if (timer >= 0) close(timer);
  return host_note(h, MPH_ESYSTEM, strerror(error));
}

/* Ticks while there is something to look at. */
static void set_timer(const mph_host *h) {
  if (h->timer < 0) return;
  struct itimerspec tick = {{0, 0}, {0, 0}};
  if (h->watch_count) tick.it_interval.tv_nsec = tick.it_value.tv_nsec = SLICE_NS;
  timerfd_settime(h->timer, 0, &tick, NULL);
}

int mph_fd(mph_host *h) {
  int rc = host_enter(h, true);
  if (rc < 0) return rc;
  if (h->epoll < 0) {
    rc = open_descriptors(h);
    set_timer(h);
  }
  return host_leave(h, rc < 0 ? rc : h->epoll);
}

static int add_watch(mph_host *h, struct watch watch) {
  if (h->watch_count == h->watch_room) {
    int room = h->watch_room ? 2 * h->watch_room : 16;
    struct watch *more = realloc(h->watches, (size_t)room * sizeof *more);
    if (!more) return MPH_ENOMEM;
    h->watches = more;
    h->watch_room = room;
  }
  h->watches[h->watch_count++] = watch;
  if (h->watch_count == 1) set_timer(h);
  return MPH_OK;
}

int mph_watch(mph_host *h, mph_ref ref, mph_ready ready, void *user) {
  int rc = host_enter(h, ready);
  if (rc < 0) return rc;
  int kind = mph_kind(h, ref);
  if (kind < 0)
    rc = kind;
  else if (kind != MPH_KIND_FUTURE && kind != MPH_KIND_QUEUE)
    rc = MPH_ETYPE;
  else
    rc = add_watch(h, (struct watch){ref, ready, user});
  return host_leave(h, rc);
}

/* order->size: 1 ready, 0 not yet. */
static int do_look(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  if ((order->rc = value_push_ref(L, order->object)) < 0) return 0;
  lua_getfield(L, -1, value_kind(L, -1) == MPH_KIND_QUEUE ? "_ready" : "done");
  lua_insert(L, -2);
  lua_call(L, 1, 1);
  order->size = (size_t)lua_toboolean(L, -1);
  return 0;
}

/* 1 ready, or an error that its owner shall see; 0 not yet; MPH_EREF: released. */
static int look(mph_host *h, mph_ref ref) {
  struct order order = {.object = ref};
  int rc = host_do(h, do_look, &order);
  if (rc == MPH_EREF) return rc;
  return rc < 0 ? 1 : (int)order.size;
}

/* Callbacks may add watches and dispatch themselves: only what was there at the start is looked at,
 * by its reference, and the list is asked anew after each callback. */
static int dispatch(mph_host *h) {
  int called = 0;
  for (int i = h->watch_count - 1; i >= 0; i--) {
    if (i >= h->watch_count) continue;
    struct watch watch = h->watches[i];
    int rc = look(h, watch.ref);
    if (rc == 0) continue;
    h->watches[i] = h->watches[--h->watch_count];
    if (rc < 0) continue;
    watch.ready(h, watch.user, watch.ref);
    called++;
  }
  return called;
}

int mph_dispatch(mph_host *h) {
  int rc = host_enter(h, true);
  if (rc < 0) return rc;
  if ((rc = shared_check_process()) < 0) return host_leave(h, rc);
  uint64_t ticks;
  if (h->timer >= 0 && read(h->timer, &ticks, sizeof ticks) < 0) ticks = 0; /* not due yet */
  rc = dispatch(h);
  if (h->watch_count == 0) set_timer(h);
  return host_leave(h, rc);
}
