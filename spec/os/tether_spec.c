/* Children of a program with threads die with the program, not with the thread. */
#include "support.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "os/proc.h"
#include "os/tether.h"

static pid_t *shared;

static void *fork_one(void *unused) {
  proc child;
  if (proc_fork(&child) == 0)
    for (;;) pause();
  shared[0] = child.pid;
  proc_close(&child);
  return unused;
}

static void fork_in_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, fork_one, NULL) != 0) _exit(1);
  pthread_join(thread, NULL);
}

static void outlives_the_thread_and_dies_with_the_process(void **state) {
  (void)state;
  shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t parent = fork();
  if (parent == 0) {
    alarm(30);
    fork_in_thread();
    if (fork() == 0) { /* a stranger's child: it must not hold the tether's other end */
      shared[1] = getpid();
      for (;;) pause();
    }
    while (!shared[1]) usleep(1000);
    usleep(50000);
    shared[2] = kill(shared[0], 0) == 0 && waitpid(shared[0], NULL, WNOHANG) == 0;
    kill(getpid(), SIGKILL);
  }
  int status;
  waitpid(parent, &status, 0);
  assert_int_equal(WTERMSIG(status), SIGKILL);
  assert_int_equal(shared[2], 1);
  assert_int_equal(waitpid(shared[0], &status, 0), shared[0]); /* ours by inheritance */
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  kill(shared[1], SIGKILL);
  waitpid(shared[1], &status, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(outlives_the_thread_and_dies_with_the_process)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
