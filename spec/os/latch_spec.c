/* The process's own lock, and what happens to it at a fork. */
#include "support.h"

#include <pthread.h>
#include <sys/wait.h>

#include "os/latch.h"

static int children;
static _Atomic int stop;

static void count_child(void) {
  children++;
}

static void *hammer(void *unused) {
  while (!stop) {
    latch_lock();
    latch_unlock();
  }
  return unused;
}

static void is_free_in_a_child_whoever_had_it(void **state) {
  (void)state;
  pthread_t thread[2];
  latch_at_fork(count_child);
  latch_at_fork(count_child);
  for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&thread[i], NULL, hammer, NULL), 0);
  for (int i = 0; i < 200; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      alarm(10);
      latch_lock();
      latch_unlock();
      _exit(children);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
  }
  stop = 1;
  for (int i = 0; i < 2; i++) pthread_join(thread[i], NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(is_free_in_a_child_whoever_had_it)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
