/* Output of child processes: see relay.h. */
#include "app/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int ends[2] = {-1, -1}; /* read, write */
static int terminal = -1;
static int used;
static volatile sig_atomic_t status; /* there is such a line; changed while SIGURG is blocked */

size_t relay_read(char *bytes, size_t size) {
  ssize_t n = ends[0] >= 0 ? read(ends[0], bytes, size) : 0;
  return n > 0 ? (size_t)n : 0;
}

static int show(const char *bytes, size_t size) {
  while (size > 0) {
    ssize_t written = write(terminal, bytes, size);
    if (written < 0 && errno != EINTR) return 0;
    if (written > 0) {
      bytes += written;
      size -= (size_t)written;
    }
  }
  return 1;
}

static void erase_status(void) {
  if (status) show("\r\033[K", 4);
  status = 0;
}

static void forward(void) {
  char bytes[4096];
  for (size_t n; (n = relay_read(bytes, sizeof bytes)) > 0;) {
    erase_status();
    if (!show(bytes, n)) return;
  }
}

static void on_output(int number) {
  (void)number;
  int error = errno;
  forward();
  errno = error;
}

/* A child gets a process group of its own: Ctrl-C on the terminal is the prompt's. Until it has
 * one, SIGINT is held back, and what came meanwhile is forgotten. */
static sigset_t mask_before;

static void hold_interrupt(void) {
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  pthread_sigmask(SIG_BLOCK, &interrupt, &mask_before);
}

static void release_interrupt(void) {
  pthread_sigmask(SIG_SETMASK, &mask_before, NULL);
}

static void leave_group(void) {
  struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
  setpgid(0, 0);
  sigaction(SIGINT, &ignore, &before);
  sigaction(SIGINT, &before, NULL);
}

/* In a forked child; what is started by exec (os.execute, io.popen) keeps the terminal. */
static void redirect_child(void) {
  if (used) leave_group();
  release_interrupt();
  if (ends[1] < 0) return;
  signal(SIGURG, SIG_DFL);
  if (used) {
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
      if (isatty(fd)) dup2(ends[1], fd);
  }
  close(ends[0]);
  close(ends[1]);
  ends[0] = ends[1] = -1;
}

static int arm(void) {
  struct sigaction action = {.sa_handler = on_output, .sa_flags = SA_RESTART};
  if (sigaction(SIGURG, &action, NULL) < 0 || fcntl(ends[0], F_SETOWN, getpid()) < 0 ||
      fcntl(ends[0], F_SETSIG, SIGURG) < 0)
    return -errno;
  return fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK) < 0 ? -errno : 0;
}

int relay_open(int out) {
  if (ends[0] >= 0) return 0;
  terminal = out;
  if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
  int rc = arm();
  if (rc == 0) rc = -pthread_atfork(hold_interrupt, release_interrupt, redirect_child);
  if (rc < 0) {
    close(ends[0]);
    close(ends[1]);
    ends[0] = ends[1] = -1;
    return rc;
  }
  atexit(forward); /* the last words of children that ended with the program */
  return 0;
}

void relay_use(int on) {
  used = on;
}

int relay_status(const char *text, size_t size) {
  if (!used || ends[0] < 0) return 0;
  sigset_t output, before;
  sigemptyset(&output);
  sigaddset(&output, SIGURG);
  pthread_sigmask(SIG_BLOCK, &output, &before);
  erase_status();
  status = size > 0;
  show(text, size);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return 1;
}

int relay_fd(void) {
  return ends[0];
}
