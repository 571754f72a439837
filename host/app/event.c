/* Event loops: one descriptor that says when to look, and a list of what to look at.

   What is waited for lies in shared memory, which no descriptor tells of. So each look says in a
   word beside it that somebody listens, and whoever has something to tell then clears the word and
   rings the family's bell (shm/region.h): no system call for anybody unless a host listens, none
   for a host that idles. The descriptor is an epoll set of

     the bell     while something is watched
     deaths       of the family's processes (deaths.h): who is killed between doing and ringing
     timer        rings at once for what this process itself has settled; ticks where deaths cannot
                  be seen, and while a pool has to look after a worker at a certain time

   The word is set before the look, by the host; cleared before the bell is rung. So either the look
   sees what there is, or the bell rings after it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "app/event.h"
#include "app/shared.h"
#include "app/value.h"
#include "os/clock.h"
#include "os/lift.h"
#include "shm/family.h"

enum { BELL, TIMER }; /* in epoll's data */

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static int add(int epoll, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int open_descriptors(mph_host *h) {
  struct loop *loop = &h->loop;
  loop->epoll = lift(epoll_create1(EPOLL_CLOEXEC));
  loop->timer = lift(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (loop->epoll >= 0 && loop->timer >= 0 && add(loop->epoll, loop->timer, EPOLLIN, TIMER) == 0)
    return MPH_OK;
  int error = errno;
  close_fd(&loop->epoll);
  close_fd(&loop->timer);
  return host_note(h, MPH_ESYSTEM, strerror(error));
}

static bool must_tick(const struct loop *loop) {
  return loop->listens && (loop->deaths.blind || loop->soon);
}

static void set_timer(struct loop *loop, bool at_once) {
  struct itimerspec tick = {{0, 0}, {0, 0}};
  loop->ticks = must_tick(loop);
  if (loop->ticks) tick.it_interval.tv_nsec = tick.it_value.tv_nsec = CLOCK_SLICE;
  if (at_once) tick.it_value.tv_nsec = 1;
  timerfd_settime(loop->timer, 0, &tick, NULL);
}

/* While something is watched. */
static void listen(struct loop *loop) {
  if (loop->listens || loop->epoll < 0) return;
  loop->listens = true;
  family_observe(1);
  add(loop->epoll, region_bell, EPOLLIN | EPOLLET, BELL);
  if (deaths_watch(&loop->deaths, loop->epoll) || loop->deaths.blind) set_timer(loop, true);
}

static void listen_no_more(struct loop *loop) {
  if (!loop->listens) return;
  loop->listens = false;
  family_observe(-1);
  epoll_ctl(loop->epoll, EPOLL_CTL_DEL, region_bell, NULL);
  deaths_end(&loop->deaths, loop->epoll);
  set_timer(loop, false);
}

/* What a forked child has inherited is its parent's. */
static void forget(struct loop *loop) {
  deaths_end(&loop->deaths, -1);
  close_fd(&loop->epoll);
  close_fd(&loop->timer);
  loop->watch_count = 0;
  loop->listens = loop->ticks = loop->soon = loop->settled = false;
  loop->pid = getpid();
}

void event_begin(struct loop *loop) {
  *loop = (struct loop){.epoll = -1, .timer = -1, .pid = getpid()};
}

void event_end(struct loop *loop) {
  if (loop->pid == getpid()) listen_no_more(loop);
  event_free(loop);
}

void event_free(struct loop *loop) {
  forget(loop);
  free(loop->watches);
  loop->watches = NULL;
  loop->watch_room = 0;
}

static int enter(mph_host *h, bool valid) {
  int rc = host_enter(h, valid);
  if (rc >= 0 && h->loop.pid != getpid()) forget(&h->loop);
  return rc;
}

int mph_fd(mph_host *h) {
  int rc = enter(h, true);
  if (rc < 0) return rc;
  struct loop *loop = &h->loop;
  if (loop->epoll < 0 && (rc = open_descriptors(h)) == MPH_OK && loop->watch_count) {
    listen(loop);
    set_timer(loop, true); /* nobody has listened yet */
  }
  return host_leave(h, rc < 0 ? rc : loop->epoll);
}

/* ---- what is watched ---- */

/* A future is settled, perhaps by this process itself: cancelled, its pool killed. */
static int note_settled(lua_State *L) {
  mph_host *h = lua_touserdata(L, lua_upvalueindex(1));
  h->loop.settled = true;
  if (!h->loop.dispatching && h->loop.epoll >= 0) set_timer(&h->loop, true);
  return 0;
}

static int do_ask_future(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  if ((order->rc = value_push_ref(L, order->object)) < 0) return 0;
  lua_getfield(L, -1, "on_done");
  lua_insert(L, -2);
  lua_pushlightuserdata(L, order->host);
  lua_pushcclosure(L, note_settled, 1);
  lua_call(L, 2, 0);
  return 0;
}

/* order->kind: bits. order->size: 1 ready, 0 not yet. */
enum { LISTEN = 1, DEAD = 2 };

static int do_look(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  if ((order->rc = value_push_ref(L, order->object)) < 0) return 0;
  int is_queue = value_kind(L, -1) == MPH_KIND_QUEUE;
  lua_getfield(L, -1, is_queue && order->kind & LISTEN ? "_listen" : "_ready");
  lua_insert(L, -2);
  lua_pushboolean(L, order->kind & LISTEN);
  lua_pushboolean(L, order->kind & DEAD);
  lua_call(L, 3, 2);
  order->size = (size_t)lua_toboolean(L, -2);
  if (lua_toboolean(L, -1)) order->host->loop.soon = true;
  return 0;
}

/* 1 ready, or an error that its owner shall see; 0 not yet; MPH_EREF: released. */
static int look(mph_host *h, mph_ref ref, bool dead) {
  struct order order = {.object = ref, .kind = (h->loop.listens ? LISTEN : 0) | (dead ? DEAD : 0)};
  int rc = host_do(h, do_look, &order);
  if (rc == MPH_EREF) return rc;
  return rc < 0 ? 1 : (int)order.size;
}

static int add_watch(struct loop *loop, struct watch watch) {
  if (loop->watch_count == loop->watch_room) {
    int room = loop->watch_room ? 2 * loop->watch_room : 16;
    struct watch *more = realloc(loop->watches, (size_t)room * sizeof *more);
    if (!more) return MPH_ENOMEM;
    loop->watches = more;
    loop->watch_room = room;
  }
  loop->watches[loop->watch_count++] = watch;
  return MPH_OK;
}

/* From now on the descriptor tells of it. */
static int watch(mph_host *h, struct watch watch, int kind) {
  struct order order = {.object = watch.ref};
  int rc = kind == MPH_KIND_FUTURE ? host_do(h, do_ask_future, &order) : MPH_OK;
  if (rc >= 0) rc = add_watch(&h->loop, watch);
  if (rc < 0 || h->loop.epoll < 0) return rc;
  listen(&h->loop);
  if (look(h, watch.ref, false) != 0) set_timer(&h->loop, true);
  return MPH_OK;
}

int mph_watch(mph_host *h, mph_ref ref, mph_ready ready, void *user) {
  int rc = enter(h, ready);
  if (rc < 0) return rc;
  int kind = mph_kind(h, ref);
  if (kind < 0)
    rc = kind;
  else if (kind != MPH_KIND_FUTURE && kind != MPH_KIND_QUEUE)
    rc = MPH_ETYPE;
  else if ((rc = shared_check_process()) == 0)
    rc = watch(h, (struct watch){ref, ready, user}, kind);
  return host_leave(h, rc);
}

/* ---- looking ---- */

/* Takes in what the descriptor tells: whether somebody has died. */
static bool drain(struct loop *loop) {
  struct epoll_event events[32];
  bool dead = false;
  uint64_t ticks;
  int n;
  if (loop->epoll < 0) return false;
  do {
    n = epoll_wait(loop->epoll, events, 32, 0);
    for (int i = 0; i < n; i++) {
      if (events[i].data.u64 >= DEATHS_SLOT) {
        deaths_note(&loop->deaths, loop->epoll, events[i].data.u64);
        dead = true;
      } else if (events[i].data.u64 == TIMER && read(loop->timer, &ticks, sizeof ticks) < 0) {
        continue; /* not due any more */
      }
    }
  } while (n == 32);
  if (!loop->listens) return dead;
  dead |= deaths_watch(&loop->deaths, loop->epoll);
  if (loop->ticks != must_tick(loop)) set_timer(loop, false);
  return dead || loop->deaths.blind;
}

/* Callbacks may add watches and dispatch themselves: only what was there at the start is looked at,
 * by its reference, and the list is asked anew after each callback. */
static int pass(mph_host *h, bool dead) {
  struct loop *loop = &h->loop;
  int called = 0;
  for (int i = loop->watch_count - 1; i >= 0; i--) {
    if (i >= loop->watch_count) continue;
    struct watch watch = loop->watches[i];
    int rc = look(h, watch.ref, dead);
    if (rc == 0) continue;
    loop->watches[i] = loop->watches[--loop->watch_count];
    if (rc < 0) continue;
    watch.ready(h, watch.user, watch.ref);
    called++;
  }
  return called;
}

/* Looking at one may settle others, and so may callbacks: they are called now as well. */
static int dispatch(mph_host *h) {
  struct loop *loop = &h->loop;
  bool dead = drain(loop), outer = loop->dispatching;
  int called = 0;
  loop->dispatching = true;
  loop->soon = false;
  do {
    loop->settled = false;
    called += pass(h, dead);
  } while (loop->settled);
  loop->dispatching = outer;
  if (loop->epoll >= 0 && loop->ticks != must_tick(loop)) set_timer(loop, false);
  return called;
}

int mph_dispatch(mph_host *h) {
  int rc = enter(h, true);
  if (rc < 0) return rc;
  if ((rc = shared_check_process()) == 0) {
    rc = dispatch(h);
    if (h->loop.watch_count == 0) listen_no_more(&h->loop);
  }
  return host_leave(h, rc);
}
