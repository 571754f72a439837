/* Another program as a child; here it is this one again. */
#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>

#include "os/spawn.h"

#define SELF "/proc/self/exe"
#define MARK "--spec-child"

enum { CODE, WAIT, LOOK };

static volatile int forgotten; /* memory that a new program does not have */

/* What it must find: the pipe, /dev/null, nothing else. */
static void look(int fd, int leaked) {
  char byte = 'x';
  if (forgotten || fcntl(leaked, F_GETFD) >= 0) _exit(71);
  if (!(fcntl(fd, F_GETFD) & FD_CLOEXEC)) _exit(72);
  if (read(STDIN_FILENO, &byte, 1) != 0) _exit(73);
  if (write(fd, &byte, 1) != 1) _exit(74);
}

static int child_main(int argc, char **argv) {
  int fd;
  uint64_t words[3];
  int rc = spawn_begin(argc, argv, MARK, &fd, 1, words, 3);
  if (rc <= 0) return rc;
  if (words[0] == WAIT)
    for (;;) pause();
  if (words[0] == LOOK) look(fd, (int)words[2]);
  printf("%s", words[1] == 7 ? "" : "unexpected");
  exit((int)words[1]);
}

static int ends[2];

static proc start(uint64_t what, uint64_t code, uint64_t word) {
  proc child;
  uint64_t words[] = {what, code, word};
  assert_int_equal(spawn_start(&child, SELF, MARK, &ends[1], 1, words, 3), 1);
  return child;
}

static int begin(void **state) {
  case_begin(state);
  return pipe2(ends, O_CLOEXEC);
}

static int end(void **state) {
  close(ends[0]);
  close(ends[1]);
  return case_end(state);
}

static void gets_words_and_descriptors(void **state) {
  (void)state;
  char byte = 0;
  forgotten = 1;
  int leaked = open("/dev/null", O_RDONLY); /* not close-on-exec */
  proc child = start(LOOK, 7, (uint64_t)leaked);
  assert_int_equal(proc_wait(&child, spec_in(20000)), 1);
  assert_int_equal(child.status, 7);
  assert_int_equal(read(ends[0], &byte, 1), 1);
  assert_int_equal(byte, 'x');
  close(leaked);
  proc_close(&child);
}

static void is_told_of_as_others_are(void **state) {
  (void)state;
  proc child = start(WAIT, 0, 0);
  assert_int_equal(proc_wait(&child, spec_in(30)), 0);
  assert_int_equal(proc_signal(&child, SIGKILL), 0);
  assert_int_equal(proc_wait(&child, spec_in(20000)), 1);
  assert_int_equal(child.status, -SIGKILL);
  proc_close(&child);
}

static void errors_are_told(void **state) {
  (void)state;
  proc child;
  uint64_t words[SPAWN_MOST + 1] = {0};
  assert_int_equal(spawn_start(&child, "/nowhere", MARK, NULL, 0, words, 1), -ENOENT);
  assert_int_equal(spawn_start(&child, "/etc/passwd", MARK, NULL, 0, words, 1), -EACCES);
  assert_int_equal(spawn_start(&child, SELF, MARK, NULL, 0, words, SPAWN_MOST + 1), -E2BIG);
}

static void bad_arguments_are_refused(void **state) {
  (void)state;
  int fd;
  uint64_t words[3];
  char *none[] = {"x", NULL}, *other[] = {"x", "--help", NULL}, *few[] = {"x", MARK, "1", NULL};
  char *bad[] = {"x", MARK, "1", "3", "zz", "1", "2", "3", NULL};
  char *low[] = {"x", MARK, "1", "1", "2", "1", "2", "3", NULL};
  char *closed[] = {"x", MARK, "1", "3e7", "3e7", "1", "2", "3", NULL};
  assert_int_equal(spawn_begin(1, none, MARK, &fd, 1, words, 3), 0);
  assert_int_equal(spawn_begin(2, other, MARK, &fd, 1, words, 3), 0);
  assert_int_equal(spawn_begin(3, few, MARK, &fd, 1, words, 3), -EINVAL);
  assert_int_equal(spawn_begin(8, bad, MARK, &fd, 1, words, 3), -EINVAL);
  assert_int_equal(spawn_begin(8, low, MARK, &fd, 1, words, 3), -EINVAL);
  assert_int_equal(spawn_begin(8, closed, MARK, &fd, 1, words, 3), -EINVAL);
}

/* The parent is killed: so is the child, and nobody has its end of the pipe any more. */
static void dies_with_its_parent(void **state) {
  (void)state;
  fflush(NULL);
  pid_t parent = fork();
  if (parent == 0) {
    proc child;
    uint64_t words[] = {WAIT, 0, 0};
    must(spawn_start(&child, SELF, MARK, &ends[1], 1, words, 3) == 1);
    for (;;) pause();
  }
  close(ends[1]);
  struct pollfd gone = {.fd = ends[0]};
  assert_int_equal(poll(&gone, 1, 300), 0);
  kill(parent, SIGKILL);
  assert_int_equal(waitpid(parent, NULL, 0), parent);
  assert_int_equal(poll(&gone, 1, 10000), 1);
  ends[1] = -1;
}

int main(int argc, char **argv) {
  if (child_main(argc, argv) < 0) return 75;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(gets_words_and_descriptors, begin, end),
      cmocka_unit_test_setup_teardown(is_told_of_as_others_are, begin, end),
      cmocka_unit_test_setup_teardown(errors_are_told, begin, end),
      cmocka_unit_test_setup_teardown(bad_arguments_are_refused, begin, end),
      cmocka_unit_test_setup_teardown(dies_with_its_parent, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
