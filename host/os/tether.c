/* Children that die with their parent: see tether.h. */
#include "os/tether.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/single_threaded.h>
#include <unistd.h>

#include "os/latch.h"
#include "os/lift.h"

static int ends[2] = {-1, -1}; /* this process's pipe, for its children; under the latch */
static int held = -1;          /* what ties this process to its parent */
static _Thread_local int ours; /* the fork under way is one of ours: it needs the reading end */

int tether_has_threads(void) {
  return !__libc_single_threaded;
}

static void close_end(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

/* In every forked child. */
static void let_go(void) {
  close_end(&ends[1]);
  if (!ours) close_end(&ends[0]);
}

static int make_pipe(void) {
  int made[2];
  if (pipe2(made, O_CLOEXEC) != 0) return -errno;
  for (int i = 0; i < 2; i++) made[i] = lift(made[i]);
  int rc = made[0] < 0 ? made[0] : made[1] < 0 ? made[1] : 0;
  for (int i = 0; i < 2; i++)
    if (rc == 0)
      ends[i] = made[i];
    else
      close_end(&made[i]);
  return rc;
}

int tether_fd(void) {
  return held;
}

int tether_lend(void) {
  return ends[0];
}

void tether_borrow(int fd) {
  ends[0] = fd;
  ours = 1;
}

int tether_prepare(int always) {
  ours = 0;
  if (!always && !tether_has_threads()) return 0;
  latch_at_fork(let_go);
  latch_lock();
  int rc = ends[0] >= 0 ? 0 : make_pipe();
  latch_unlock();
  ours = rc == 0;
  return rc;
}

void tether_over(void) {
  ours = 0;
}

/* A description of its own: the owner of a signal is the description's, which a fork shares. */
static int reopen(int fd) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return lift(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

static int tie(void) {
  int own = reopen(ends[0]);
  if (own < 0) return -1;
  held = own;
  if (fcntl(held, F_SETSIG, SIGKILL) == 0 && fcntl(held, F_SETOWN, getpid()) == 0 &&
      fcntl(held, F_SETFL, O_ASYNC | O_NONBLOCK) == 0)
    return 0;
  close_end(&held);
  return -1;
}

int tether_hold(pid_t parent) {
  close_end(&held); /* the parent's own */
  int tied = ours && tie() == 0;
  close_end(&ends[0]);
  ours = 0;
  if (!tied) prctl(PR_SET_PDEATHSIG, SIGKILL); /* no /proc: better with the thread than never */
  struct pollfd end = {.fd = held};
  if (tied && poll(&end, 1, 0) == 1) return -1;
  return getppid() == parent ? 0 : -1;
}
