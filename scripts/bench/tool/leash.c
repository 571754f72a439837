/* leash SECONDS COMMAND [ARGUMENT...]: runs a program of which nothing is left, however this ends.

   The program has a process group of its own: Ctrl-C is for us, who ask it to end and a second
   later kill what is there. The same comes of SIGTERM, of the time being over, and of nobody
   reading our stdout, a pipe, any more: then whoever started us is gone or has had enough. Orphans
   of the program are given to us (PR_SET_CHILD_SUBREAPER): when it has ended by itself, they are
   killed. Exit code: the program's; 128 + N when signal N ended it; 124 when its time was over. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GRACE = 1000, OUT_OF_TIME = 124 }; /* ms; exit code */

static sigset_t watched;
static pid_t program;
static int code = -1; /* the program's, once it has ended */

static long now(void) { /* ms */
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reaps who has ended: whether any child is left. */
static bool reap(void) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
    if (pid == program) code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return pid == 0;
}

/* Children of those who are killed become ours, and are found the next time. */
static void kill_children(void) {
  char path[64];
  long pid;
  snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
  FILE *list = fopen(path, "r");
  while (list && fscanf(list, "%ld", &pid) == 1) kill((pid_t)pid, SIGKILL);
  if (list) fclose(list);
  kill(-program, SIGKILL);
}

static void kill_all(void) {
  while (reap()) {
    kill_children();
    usleep(1000);
  }
}

/* Whether to end the program now, which has not ended by itself. */
static bool is_over(int signals, long deadline) {
  struct pollfd fds[2] = {{.fd = signals, .events = POLLIN}, {.fd = STDOUT_FILENO}};
  struct signalfd_siginfo info;
  long left = deadline - now();
  if (left <= 0) return true;
  if (poll(fds, 2, (int)left) < 0) return errno != EINTR;
  if (fds[0].revents && read(signals, &info, sizeof info) == sizeof info &&
      info.ssi_signo != SIGCHLD)
    return true;
  return fds[1].revents & POLLERR;
}

static void start(char **command) {
  program = fork();
  if (program < 0) _exit(126);
  setpgid(program, 0); /* both do it: nobody has to wait */
  if (program) return;
  signal(SIGINT, SIG_DFL); /* a shell's background jobs ignore it */
  sigprocmask(SIG_UNBLOCK, &watched, NULL);
  execvp(command[0], command);
  perror(command[0]);
  _exit(127);
}

int main(int argc, char **argv) {
  long seconds = argc > 2 ? strtol(argv[1], NULL, 10) : 0;
  if (seconds <= 0) return 125;
  sigemptyset(&watched);
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
  for (int i = 0; i < 4; i++) sigaddset(&watched, numbers[i]);
  sigprocmask(SIG_BLOCK, &watched, NULL);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  int signals = signalfd(-1, &watched, SFD_CLOEXEC);
  if (signals < 0) return 126;
  long deadline = now() + seconds * 1000;
  start(argv + 2);
  while (code < 0 && !is_over(signals, deadline)) reap();
  int result = code;
  if (result < 0) { /* as Ctrl-C would: Python's removes what it has put into /tmp */
    result = now() < deadline ? 128 + SIGINT : OUT_OF_TIME;
    kill(-program, SIGINT);
    for (long end = now() + GRACE; code < 0 && now() < end; usleep(5000)) reap();
  }
  kill_all();
  return result;
}
