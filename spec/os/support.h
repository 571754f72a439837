/* What the specs of os share: cmocka, and a deadline for each case. */
#ifndef SPEC_OS_SUPPORT_H
#define SPEC_OS_SUPPORT_H

#include "../support/spec.h"

static inline int case_begin(void **state) {
  (void)state;
  alarm(SPEC_SECONDS * spec_slower());
  return 0;
}

static inline int case_end(void **state) {
  (void)state;
  alarm(0);
  return 0;
}

/* In a child: ends it with a line that says why. */
#define must(condition)                                                                            \
  do {                                                                                             \
    if (condition) break;                                                                          \
    fprintf(stderr, "%s:%d: child: %s\n", __FILE__, __LINE__, #condition);                         \
    _exit(70);                                                                                     \
  } while (0)

/* The exit status of a function run in a plain child. */
static inline int in_child(void (*run)(void)) {
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    run();
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

#define os_case(name) cmocka_unit_test_setup_teardown(name, case_begin, case_end)

#endif
