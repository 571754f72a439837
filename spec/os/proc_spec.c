/* Processes: how a child begins, how its end is told, and who must not harm whom. */
#include "support.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "os/proc.h"

static proc child;

/* Forks a child that runs the function. */
static void start(void (*run)(void)) {
  int forked = proc_fork(&child);
  assert_true(forked >= 0);
  if (forked) return;
  run();
  _exit(0);
}

static int status_of(void (*run)(void)) {
  start(run);
  assert_int_equal(proc_wait(&child, CLOCK_NEVER), 1);
  proc_close(&child);
  return child.status;
}

static void wait_run(void) {
  for (;;) pause();
}
static void seven_run(void) {
  _exit(7);
}
static void most_run(void) {
  _exit(255);
}
static void kill_run(void) {
  raise(SIGKILL);
}
static void abort_run(void) {
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  abort();
}

static void exit_codes_and_signals(void **state) {
  (void)state;
  assert_int_equal(status_of(seven_run), 7);
  assert_int_equal(child.ended, 1);
  assert_int_equal(child.core, 0);
  assert_int_equal(status_of(most_run), 255);
  assert_int_equal(status_of(kill_run), -SIGKILL);
  assert_int_equal(status_of(abort_run), -SIGABRT);
}

static void the_end_is_told_again(void **state) {
  (void)state;
  assert_int_equal(status_of(seven_run), 7);
  assert_int_equal(proc_wait(&child, 0), 1);
  assert_int_equal(child.status, 7);
  assert_int_equal(waitpid(child.pid, NULL, 0), -1); /* it is reaped */
}

static void waits_until(void **state) {
  (void)state;
  start(wait_run);
  assert_int_equal(proc_wait(&child, 0), 0);
  int64_t until = clock_now() + 30 * SPEC_MS;
  assert_int_equal(proc_wait(&child, until), 0);
  assert_in_range(clock_now(), until, until + 1000 * SPEC_MS);
  assert_int_equal(child.ended, 0);
  assert_int_equal(proc_signal(&child, SIGTERM), 0);
  assert_int_equal(proc_wait(&child, CLOCK_NEVER), 1);
  assert_int_equal(child.status, -SIGTERM);
  assert_int_equal(proc_signal(&child, SIGTERM), -ESRCH);
  proc_close(&child);
  assert_int_equal(child.pidfd, -1);
  proc_close(&child);
}

static void without_a_pidfd(void **state) {
  (void)state;
  start(wait_run);
  proc_close(&child);
  assert_int_equal(proc_wait(&child, clock_now() + 5 * SPEC_MS), 0);
  assert_int_equal(proc_signal(&child, SIGKILL), 0);
  assert_int_equal(proc_wait(&child, CLOCK_NEVER), 1);
  assert_int_equal(child.status, -SIGKILL);
  assert_int_equal(proc_signal(&child, SIGKILL), -ESRCH);
}

static void reaped_by_somebody_else(void **state) {
  (void)state;
  start(seven_run);
  assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
  assert_int_equal(proc_signal(&child, SIGKILL), -ESRCH); /* the number may be a stranger's */
  assert_int_equal(proc_wait(&child, CLOCK_NEVER), 1);
  assert_int_equal(child.status, PROC_UNKNOWN);
  proc_close(&child);
}

static void ends_are_ignored(void **state) {
  (void)state;
  signal(SIGCHLD, SIG_IGN);
  assert_int_equal(status_of(seven_run), PROC_UNKNOWN);
  signal(SIGCHLD, SIG_DFL);
}

static void stdin_run(void) {
  char target[64], byte;
  ssize_t n = readlink("/proc/self/fd/0", target, sizeof target - 1);
  must(n > 0);
  target[n] = 0;
  must(strcmp(target, "/dev/null") == 0);
  must(read(0, &byte, 1) == 0);
  must(fgetc(stdin) == EOF); /* nor what the parent had read ahead */
}

static void stdin_is_null(void **state) {
  (void)state;
  int ends[2], old = dup(0);
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(write(ends[1], "abc", 3), 3);
  close(ends[1]);
  dup2(ends[0], 0);
  assert_int_equal(fgetc(stdin), 'a'); /* the rest is in the buffer now */
  assert_int_equal(status_of(stdin_run), 0);
  assert_int_equal(fgetc(stdin), 'b'); /* the parent's stays the parent's */
  dup2(old, 0);
  close(old);
  close(ends[0]);
}

/* ---- output ---- */

static FILE *log_file;

static void silent_run(void) {
  exit(0); /* flushes what it has */
}

static void lines_run(void) {
  fputs("of the child", stdout);
  putchar('\n');
  fputs("unfinished", stdout);
  raise(SIGKILL);
}

/* Runs with stdout and another stream in files; gives what stood in stdout's. */
static void printed(void (*run)(void), char *text, size_t size) {
  char name[] = "/tmp/proc_spec.XXXXXX";
  int fd = mkstemp(name), old = dup(1);
  unlink(name);
  log_file = tmpfile();
  fflush(stdout);
  dup2(fd, 1);
  fputs("once ", stdout);
  fputs("once", log_file);
  start(run);
  proc_wait(&child, CLOCK_NEVER);
  proc_close(&child);
  fflush(NULL);
  dup2(old, 1);
  close(old);
  ssize_t n = pread(fd, text, size - 1, 0);
  text[n < 0 ? 0 : n] = 0;
  close(fd);
}

static void nothing_is_printed_twice(void **state) {
  (void)state;
  char text[100];
  printed(silent_run, text, sizeof text);
  assert_string_equal(text, "once ");
  assert_int_equal(ftell(log_file), 4);
  fseek(log_file, 0, SEEK_END);
  assert_int_equal(ftell(log_file), 4);
  fclose(log_file);
}

/* Line buffered: a whole line is out although the child was killed, half a line is not. */
static void lines_are_whole(void **state) {
  (void)state;
  char text[100];
  printed(lines_run, text, sizeof text);
  assert_string_equal(text, "once of the child\n");
  fclose(log_file);
}

/* ---- the parent's death ---- */

static int pipe_ends[2]; /* the grandchild holds the writing end as long as it lives */

static void parent_run(void) {
  proc grandchild;
  int forked = proc_fork(&grandchild);
  must(forked >= 0);
  must(forked || write(pipe_ends[1], "x", 1) == 1);
  wait_run();
}

static void dies_with_its_parent(void **state) {
  (void)state;
  char byte;
  assert_int_equal(pipe(pipe_ends), 0);
  start(parent_run);
  close(pipe_ends[1]);
  assert_int_equal(read(pipe_ends[0], &byte, 1), 1); /* the grandchild is there */
  assert_int_equal(proc_signal(&child, SIGKILL), 0);
  assert_int_equal(read(pipe_ends[0], &byte, 1), 0); /* and is no more */
  assert_int_equal(proc_wait(&child, CLOCK_NEVER), 1);
  proc_close(&child);
  close(pipe_ends[0]);
}

/* ---- signals ---- */

static void a_handler_ends_the_wait(void **state) {
  (void)state;
  handle(SIGUSR1);
  start(wait_run);
  pid_t self = getpid(), pid = fork();
  if (pid == 0) {
    wait_pid_asleep(self);
    kill(self, SIGUSR1);
    _exit(0);
  }
  assert_int_equal(proc_wait(&child, CLOCK_NEVER), -EINTR);
  assert_int_equal(child.ended, 0);
  proc_signal(&child, SIGKILL);
  assert_int_equal(proc_wait(&child, CLOCK_NEVER), 1);
  proc_close(&child);
  assert_int_equal(waitpid(pid, NULL, 0), pid);
  signal(SIGUSR1, SIG_DFL);
}

/* No descriptor is left, and numbers of stdio that are free stay so. */
static void descriptors(void **state) {
  (void)state;
  int lowest = dup(1);
  close(lowest);
  for (int i = 0; i < 50; i++) assert_int_equal(status_of(seven_run), 7);
  int now = dup(1);
  close(now);
  assert_int_equal(now, lowest);
}

static void many_at_once(void **state) {
  (void)state;
  proc many[50];
  for (int i = 0; i < 50; i++) {
    int forked = proc_fork(&many[i]);
    if (forked == 0) _exit(i);
  }
  for (int i = 49; i >= 0; i--) {
    assert_int_equal(proc_wait(&many[i], CLOCK_NEVER), 1);
    assert_int_equal(many[i].status, i);
    proc_close(&many[i]);
  }
}

int main(void) {
  const struct CMUnitTest cases[] = {
      os_case(exit_codes_and_signals), os_case(the_end_is_told_again),    os_case(waits_until),
      os_case(without_a_pidfd),        os_case(reaped_by_somebody_else),  os_case(ends_are_ignored),
      os_case(stdin_is_null),          os_case(nothing_is_printed_twice), os_case(lines_are_whole),
      os_case(dies_with_its_parent),   os_case(a_handler_ends_the_wait),  os_case(descriptors),
      os_case(many_at_once),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
