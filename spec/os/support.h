/* What the specs of os share: cmocka, and a deadline for each case. */
#ifndef SPEC_OS_SUPPORT_H
#define SPEC_OS_SUPPORT_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"

#define MS ((int64_t)1000000)

static inline unsigned slower(void) {
  const char *text = getenv("MPHOST_SLOWER");
  unsigned n = text ? (unsigned)atoi(text) : 1;
  return n ? n : 1;
}

static inline int64_t in_ms(int64_t ms) {
  return clock_now() + ms * (int64_t)slower() * MS;
}

static inline int case_begin(void **state) {
  (void)state;
  alarm(20 * slower());
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

/* Memory that children share. */
static inline void *shared_page(void) {
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(page != MAP_FAILED);
  return page;
}

/* Waits until the process sleeps in the kernel. */
static inline void wait_asleep(pid_t pid) {
  char path[64], line[512], state = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  while (state != 'S') {
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_int_equal(sscanf(strrchr(line, ')'), ") %c", &state), 1);
    assert_true(state != 'Z');
    if (state != 'S') clock_sleep_until(clock_now() + MS / 10);
  }
}

static inline void on_signal(int number) {
  (void)number;
}

static inline void handle(int number) {
  sigaction(number, &(struct sigaction){.sa_handler = on_signal}, NULL);
}

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
