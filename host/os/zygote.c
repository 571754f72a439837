/* A process that forks for another: see zygote.h. */
#include "os/zygote.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/descriptors.h"
#include "os/latch.h"
#include "os/proc.h"
#include "os/tether.h"

enum { FORK = 1, REAP };
enum { KEPT_MOST = 8 };

struct order {
  int what;
  pid_t pid;
  uint64_t words[ZYGOTE_WORDS];
};

struct answer {
  int rc;
  siginfo_t info;
};

static int to_zygote = -1; /* our end */
static proc zygote;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- in the zygote ---- */

/* What a terminal sends to all is for the program to answer; SIGCHLD must not reap. */
static const int quiet[] = {SIGINT, SIGQUIT, SIGHUP, SIGTERM, SIGPIPE, SIGCHLD};
enum { QUIET = sizeof quiet / sizeof *quiet };
static struct sigaction before[QUIET];

static void be_quiet(void) {
  for (int i = 0; i < QUIET; i++) {
    struct sigaction action = {.sa_handler = quiet[i] == SIGCHLD ? SIG_DFL : SIG_IGN};
    sigaction(quiet[i], &action, &before[i]);
  }
}

static void be_loud(void) {
  for (int i = 0; i < QUIET; i++) sigaction(quiet[i], &before[i], NULL);
}

static void fork_for(int socket, const struct order *order, struct answer *answer,
                     void (*run)(const uint64_t *)) {
  proc child;
  answer->rc = proc_fork(&child);
  if (answer->rc == 0) {
    close(socket);
    be_loud();
    run(order->words);
    proc_leave(0);
  }
  if (answer->rc < 0) return;
  answer->rc = child.pid;
  proc_close(&child);
}

static void reap(const struct order *order, struct answer *answer) {
  int rc;
  do rc = waitid(P_PID, (id_t)order->pid, &answer->info, WEXITED | WNOHANG);
  while (rc != 0 && errno == EINTR);
  answer->rc = rc != 0 ? -errno : answer->info.si_pid != 0;
}

static _Noreturn void serve(int socket, void (*run)(const uint64_t *)) {
  for (struct order order;;) {
    ssize_t n = recv(socket, &order, sizeof order, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n != sizeof order) _exit(0);
    struct answer answer;
    memset(&answer, 0, sizeof answer);
    if (order.what == FORK)
      fork_for(socket, &order, &answer, run);
    else
      reap(&order, &answer);
    send(socket, &answer, sizeof answer, MSG_NOSIGNAL);
  }
}

_Noreturn void zygote_serve(int socket, void (*run)(const uint64_t *)) {
  char ready = 1;
  be_quiet();
  if (send(socket, &ready, sizeof ready, MSG_NOSIGNAL) != sizeof ready) _exit(0);
  serve(socket, run);
}

/* ---- in the program ---- */

static void forget(void) {
  if (to_zygote >= 0) close(to_zygote);
  to_zygote = -1;
  lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

static int start(const int *keep, int n, void (*prepare)(void), void (*run)(const uint64_t *)) {
  int ends[2];
  if (n > KEPT_MOST) return -E2BIG;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return -errno;
  int rc = proc_fork_tethered(&zygote);
  if (rc == 0) {
    be_quiet();
    int kept[KEPT_MOST + 2] = {ends[1], tether_fd()};
    for (int i = 0; i < n; i++) kept[2 + i] = keep[i];
    descriptors_close_but(kept, n + 2);
    prepare();
    serve(ends[1], run);
  }
  close(ends[1]);
  if (rc < 0)
    close(ends[0]);
  else
    to_zygote = ends[0];
  return rc < 0 ? rc : 0;
}

/* Until it is ready to be told something: 0 or -EPIPE. */
static int await(int socket) {
  char ready;
  ssize_t n;
  do n = recv(socket, &ready, sizeof ready, 0);
  while (n < 0 && errno == EINTR);
  if (n == sizeof ready) return 0;
  proc_wait(&zygote, INT64_MAX);
  proc_close(&zygote);
  return -EPIPE;
}

static int start_by(int (*begin)(proc *, int)) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return -errno;
  int rc = begin(&zygote, ends[1]);
  close(ends[1]);
  if (rc == 1) rc = await(ends[0]);
  if (rc < 0)
    close(ends[0]);
  else
    to_zygote = ends[0];
  return rc;
}

int zygote_open(const int *keep, int n, void (*prepare)(void), void (*run)(const uint64_t *)) {
  latch_at_fork(forget);
  pthread_mutex_lock(&lock);
  int rc = to_zygote >= 0 ? 0 : start(keep, n, prepare, run);
  pthread_mutex_unlock(&lock);
  return rc;
}

int zygote_open_by(int (*begin)(proc *, int)) {
  latch_at_fork(forget);
  pthread_mutex_lock(&lock);
  int rc = to_zygote >= 0 ? 0 : start_by(begin);
  pthread_mutex_unlock(&lock);
  return rc;
}

int zygote_is_open(void) {
  return __atomic_load_n(&to_zygote, __ATOMIC_RELAXED) >= 0;
}

static int exchange(const struct order *order, struct answer *answer) {
  ssize_t n;
  if (to_zygote < 0) return -EPIPE;
  do n = send(to_zygote, order, sizeof *order, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n < 0) return -EPIPE;
  do n = recv(to_zygote, answer, sizeof *answer, 0);
  while (n < 0 && errno == EINTR);
  return n == sizeof *answer ? 0 : -EPIPE;
}

static int ask(const struct order *order, struct answer *answer) {
  pthread_mutex_lock(&lock);
  int rc = exchange(order, answer);
  if (rc < 0 && to_zygote >= 0) { /* it is gone, its children with it */
    close(to_zygote);
    to_zygote = -1;
    proc_wait(&zygote, INT64_MAX);
    proc_close(&zygote);
  }
  pthread_mutex_unlock(&lock);
  return rc < 0 ? rc : answer->rc;
}

pid_t zygote_fork(const uint64_t words[ZYGOTE_WORDS]) {
  struct order order = {.what = FORK};
  struct answer answer;
  memcpy(order.words, words, sizeof order.words);
  return ask(&order, &answer);
}

int zygote_reap(pid_t pid, siginfo_t *info) {
  struct order order = {.what = REAP, .pid = pid};
  struct answer answer;
  int rc = ask(&order, &answer);
  *info = answer.info;
  return rc;
}
