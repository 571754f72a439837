/* A process that forks for this one. */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>

#include "os/proc.h"
#include "os/spawn.h"
#include "os/zygote.h"

static int leaked; /* a descriptor that the zygote must not have */

static void prepare(void) {
  if (fcntl(leaked, F_GETFD) >= 0) _exit(9);
}

static void run(const uint64_t *words) {
  if (words[0] == 1) kill(getpid(), SIGKILL);
  if (words[0] == 2)
    for (;;) pause();
  if (words[0] == 3) proc_leave(zygote_is_open() ? 1 : 33);
  proc_leave((int)words[1]);
}

static void open_once(void) {
  leaked = open("/dev/null", O_RDONLY);
  assert_int_equal(zygote_open(NULL, 0, prepare, run), 0);
  assert_int_equal(zygote_open(NULL, 0, prepare, run), 0);
  assert_int_equal(zygote_is_open(), 1);
}

static proc start(uint64_t what, uint64_t word) {
  proc child;
  uint64_t words[ZYGOTE_WORDS] = {what, word, 0};
  assert_int_equal(proc_fork_remote(&child, words), 1);
  return child;
}

static void tells_how_they_end(void **state) {
  (void)state;
  open_once();
  proc a = start(0, 7), b = start(1, 0), c = start(3, 0);
  assert_int_equal(proc_wait(&a, spec_in(20000)), 1);
  assert_int_equal(a.status, 7);
  assert_int_equal(proc_wait(&b, spec_in(20000)), 1);
  assert_int_equal(b.status, -SIGKILL);
  assert_int_equal(proc_wait(&c, spec_in(20000)), 1);
  assert_int_equal(c.status, 33);
  proc d = start(2, 0);
  assert_int_equal(proc_wait(&d, spec_in(30)), 0);
  assert_int_equal(proc_signal(&d, SIGTERM), 0);
  assert_int_equal(proc_wait(&d, spec_in(20000)), 1);
  assert_int_equal(d.status, -SIGTERM);
  assert_int_equal(proc_signal(&d, SIGTERM), -ESRCH);
  proc_close(&a);
  proc_close(&b);
  proc_close(&c);
  proc_close(&d);
}

static void *start_many(void *failures) {
  for (int i = 0; i < 50; i++) {
    proc child = start(0, (uint64_t)i);
    if (proc_wait(&child, spec_in(30000)) != 1 || child.status != i) ++*(int *)failures;
    proc_close(&child);
  }
  return NULL;
}

static void serves_several_threads(void **state) {
  (void)state;
  open_once();
  pthread_t thread[4];
  int failures[4] = {0};
  for (int i = 0; i < 4; i++) pthread_create(&thread[i], NULL, start_many, &failures[i]);
  for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);
  for (int i = 0; i < 4; i++) assert_int_equal(failures[i], 0);
}

static pid_t parent_of(pid_t pid) {
  char path[64], line[512] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *stat = fopen(path, "r");
  assert_non_null(stat);
  assert_non_null(fgets(line, sizeof line, stat));
  fclose(stat);
  int parent = 0;
  assert_int_equal(sscanf(strrchr(line, ')'), ") %*c %d", &parent), 1);
  return parent;
}

static void comes_again_when_killed(void **state) {
  (void)state;
  open_once();
  proc child = start(2, 0);
  kill(parent_of(child.pid), SIGKILL);
  assert_int_equal(proc_wait(&child, spec_in(20000)), 1); /* it died with its parent */
  assert_int_equal(child.status, PROC_UNKNOWN);
  proc_close(&child);
  uint64_t words[ZYGOTE_WORDS] = {0};
  assert_int_equal(proc_fork_remote(&child, words), -EPIPE);
  assert_int_equal(zygote_is_open(), 0);
  open_once();
  child = start(0, 5);
  assert_int_equal(proc_wait(&child, spec_in(20000)), 1);
  assert_int_equal(child.status, 5);
  proc_close(&child);
}

/* ---- another program, which is this one again ---- */

#define MARK "--spec-zygote"

static int begin_other(proc *other, int socket) {
  uint64_t word = 0;
  return spawn_start(other, "/proc/self/exe", MARK, &socket, 1, &word, 1);
}

static int begin_stranger(proc *other, int socket) {
  return spawn_start(other, "/bin/true", MARK, &socket, 1, NULL, 0);
}

static int begin_nothing(proc *other, int socket) {
  return spawn_start(other, "/nowhere", MARK, &socket, 1, NULL, 0);
}

static void other_run(void) {
  must(zygote_open_by(begin_nothing) == -ENOENT && !zygote_is_open());
  must(zygote_open_by(begin_stranger) == -EPIPE && !zygote_is_open());
  must(zygote_open_by(begin_other) == 0 && zygote_is_open());
  must(zygote_open_by(begin_nothing) == 0);
  proc a, b;
  uint64_t seven[ZYGOTE_WORDS] = {0, 7}, kill_it[ZYGOTE_WORDS] = {1, 0};
  must(proc_fork_remote(&a, seven) == 1 && proc_fork_remote(&b, kill_it) == 1);
  must(proc_wait(&a, spec_in(20000)) == 1 && a.status == 7);
  must(proc_wait(&b, spec_in(20000)) == 1 && b.status == -SIGKILL);
}

static void may_be_another_program(void **state) {
  (void)state;
  assert_int_equal(in_child(other_run), 0);
}

int main(int argc, char **argv) {
  int socket;
  uint64_t word;
  if (spawn_begin(argc, argv, MARK, &socket, 1, &word, 1) == 1) zygote_serve(socket, run);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tells_how_they_end),
      cmocka_unit_test(serves_several_threads),
      cmocka_unit_test(comes_again_when_killed),
      cmocka_unit_test(may_be_another_program),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
