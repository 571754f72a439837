/* Processes: see proc.h. */
#include "os/proc.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/futex.h"
#include "os/lift.h"
#include "os/memory.h"
#include "os/streams.h"
#include "os/tether.h"
#include "os/zygote.h"

#ifdef MPHOST_COVERAGE
extern void __gcov_dump(void);
#endif

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

_Noreturn void proc_leave(int status) {
  streams_leave();
#ifdef MPHOST_COVERAGE
  __gcov_dump();
#endif
  _exit(status);
}

/* exit() in the child: the last of its own handlers. The C library would go on to put the position
   of each file that is being read back to where its reader is, and the parent reads it too. */
static void leave(int status, void *unused) {
  (void)unused;
  proc_leave(status);
}

static int has_stdin = 1;

/* Where the program was started without a stdin, descriptor 0 is whatever was opened first. */
__attribute__((constructor)) static void look_at_stdin(void) {
  has_stdin = fcntl(STDIN_FILENO, F_GETFD) >= 0;
}

static void drop_stdin(void) {
  int null = open("/dev/null", O_RDONLY); /* 0 itself, if nothing is there */
  if (null > STDIN_FILENO) {
    if (has_stdin) dup2(null, STDIN_FILENO);
    close(null);
  }
  __fpurge(stdin); /* what the parent had read ahead is the parent's */
}

typedef void (*handler)(int);
static handler shed; /* children have the default action in its place; NULL: there is none */

static handler handler_of(int number) {
  struct sigaction now;
  int known = sigaction(number, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO);
  return known && now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN ? now.sa_handler : NULL;
}

void proc_shed_handler(void) {
  Dl_info its, program;
  handler now = handler_of(SIGINT);
  if (now && dladdr((void *)(uintptr_t)now, &its) && dladdr((void *)getauxval(AT_PHDR), &program) &&
      its.dli_fbase == program.dli_fbase)
    shed = now;
}

/* Around a fork: the handler never runs in the child. */
static int hold(sigset_t *before) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  return shed && pthread_sigmask(SIG_BLOCK, &set, before) == 0;
}

static void release(int held, const sigset_t *before) {
  if (held) pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* Runs in the child first. */
int proc_begin(pid_t parent) {
  if (shed && handler_of(SIGINT) == shed) signal(SIGINT, SIG_DFL);
  if (tether_hold(parent) < 0) return -1;
  streams_forget();
  drop_stdin();
  static _Alignas(4096) char lines[1 << 16];
  setvbuf(stdout, lines, _IOLBF, sizeof lines);
  on_exit(leave, NULL);
  return 0;
}

int proc_open_pid(pid_t pid) {
  return lift((int)syscall(SYS_pidfd_open, pid, 0));
}

static void watch(proc *child) {
  int fd = proc_open_pid(child->pid);
  child->pidfd = fd < 0 ? -1 : fd;
}

void proc_adopt(proc *child, pid_t pid) {
  *child = (proc){.pid = pid, .pidfd = -1};
  watch(child);
}

static int fork_child(proc *child, int always) {
  pid_t parent = getpid();
  int rc = tether_prepare(always);
  if (rc < 0) return rc;
  streams_flush();
  memory_settle();
  futex_spins(); /* found out once here, not by reading a dozen files in each child */
  sigset_t before;
  int held = hold(&before);
  pid_t pid = fork();
  if (pid == 0) {
    if (proc_begin(parent) < 0) _exit(127);
    release(held, &before);
    return 0;
  }
  rc = pid < 0 ? -errno : 1;
  release(held, &before);
  tether_over();
  if (rc < 0) return rc;
  *child = (proc){.pid = pid, .pidfd = -1};
  return 1;
}

int proc_fork_bare(proc *child) {
  return fork_child(child, 0);
}

int proc_fork(proc *child) {
  int rc = fork_child(child, 0);
  if (rc == 1) watch(child);
  return rc;
}

int proc_fork_tethered(proc *child) {
  int rc = fork_child(child, 1);
  if (rc == 1) watch(child);
  return rc;
}

/* Nobody reaps it but by our order, so its number is its own until then. */
int proc_fork_remote(proc *child, const uint64_t *words) {
  pid_t pid = zygote_fork(words);
  if (pid < 0) return pid;
  *child = (proc){.pid = pid, .pidfd = -1, .remote = 1};
  watch(child);
  return 1;
}

static void record_end(proc *child, const siginfo_t *info) {
  child->ended = 1;
  child->core = info->si_code == CLD_DUMPED;
  child->status = info->si_code == CLD_EXITED ? info->si_status : -info->si_status;
}

/* Asking the zygote costs more than a look at the descriptor. */
static int ask_zygote(const proc *child, siginfo_t *info) {
  struct pollfd end = {.fd = child->pidfd, .events = POLLIN};
  if (child->pidfd >= 0 && poll(&end, 1, 0) == 0) return 0;
  int rc = zygote_reap(child->pid, info);
  return rc < 0 ? rc : 0;
}

static int ask_kernel(const proc *child, siginfo_t *info) {
  int rc;
  do rc = waitid(P_PID, (id_t)child->pid, info, WEXITED | WNOHANG);
  while (rc != 0 && errno == EINTR);
  return rc;
}

/* One look without waiting: 1 ended, 0 running. */
static int look(proc *child) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  int rc = child->remote ? ask_zygote(child, &info) : ask_kernel(child, &info);
  if (rc != 0) { /* ECHILD: reaped by somebody else, or SIGCHLD is ignored; the zygote is gone */
    child->ended = 1;
    child->status = PROC_UNKNOWN;
    return 1;
  }
  if (info.si_pid == 0) return 0;
  record_end(child, &info);
  return 1;
}

/* Milliseconds to the deadline for poll, rounded up; without pidfd at most `most`. */
static int poll_timeout(int64_t deadline, int64_t most) {
  if (deadline == CLOCK_NEVER) return most < 0 ? -1 : (int)most;
  int64_t left = (deadline - clock_now() + 999999) / 1000000;
  if (left < 0) left = 0;
  if (left > 1 << 30) left = 1 << 30;
  return (int)(most >= 0 && left > most ? most : left);
}

int proc_wait(proc *child, int64_t deadline) {
  for (;;) {
    if (child->ended || look(child)) return 1;
    if (deadline != CLOCK_NEVER && clock_now() >= deadline) return 0;
    struct pollfd watch = {.fd = child->pidfd, .events = POLLIN};
    int most = child->pidfd >= 0 ? -1 : 1;
    int rc = poll(&watch, child->pidfd >= 0 ? 1 : 0, poll_timeout(deadline, most));
    if (rc < 0 && errno == EINTR) return look(child) ? 1 : -EINTR;
  }
}

int proc_signal(const proc *child, int signal) {
  if (child->ended) return -ESRCH;
  long rc = -1;
  if (child->pidfd >= 0) {
    rc = syscall(SYS_pidfd_send_signal, child->pidfd, signal, NULL, 0);
    if (rc == 0 || errno != ENOSYS) return rc == 0 ? 0 : -errno;
  }
  return kill(child->pid, signal) == 0 ? 0 : -errno;
}

int proc_watch(proc *child) {
  if (child->pidfd >= 0 || child->ended) return 0;
  watch(child);
  return child->pidfd >= 0;
}

int proc_descriptor(proc *child) {
  if (child->pidfd >= 0) return child->pidfd;
  int fd = proc_wait(child, 0) == 1
               ? lift(eventfd(1, EFD_CLOEXEC))
               : proc_open_pid(child->pid); /* not reaped: the number is still the child's */
  if (fd >= 0) child->pidfd = fd;
  return fd;
}

void proc_close(proc *child) {
  if (child->pidfd >= 0) close(child->pidfd);
  child->pidfd = -1;
}
