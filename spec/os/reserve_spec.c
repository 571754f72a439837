/* A block that children do not get. */
#include "support.h"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "os/reserve.h"

#define SIZE ((size_t)1 << 20)

static int reserves(void **state) {
  (void)state;
  mallopt(M_MMAP_THRESHOLD, 32 << 20); /* so that pages stay when a block is freed */
  mallopt(M_TRIM_THRESHOLD, 32 << 20);
  reserve_serves();
  return 0;
}

/* Its pages are in memory before, and shared with no child. */
static void have_pages(void) {
  void *volatile block = malloc(SIZE);
  assert_non_null(block);
  memset(block, 1, SIZE);
  free(block);
}

static void nobody_asks(void **state) {
  (void)state;
  assert_null(reserve_take(SIZE));
  reserve_end();
  reserve_drop();
  reserve_begin(SIZE);
  reserve_end();
  assert_null(reserve_take(SIZE)); /* nobody has said that he would */
  reserve_drop();
}

static void taking(void **state) {
  (void)state;
#ifdef __SANITIZE_ADDRESS__
  skip();
#endif
  reserve_begin(SIZE);
  assert_null(reserve_take(SIZE)); /* children do not have it yet */
  reserve_end();
  assert_null(reserve_take(SIZE - 1));
  char *block = reserve_take(SIZE);
  assert_non_null(block);
  assert_null(reserve_take(SIZE));
  memset(block, 1, SIZE);
  free(block);
  reserve_begin(SIZE);
  reserve_begin(2 * SIZE); /* instead */
  reserve_end();
  assert_null(reserve_take(SIZE));
  block = reserve_take(2 * SIZE);
  assert_non_null(block);
  memset(block, 1, 2 * SIZE);
  free(block);
  reserve_begin(RESERVE_LEAST - 1);
  reserve_end();
  assert_null(reserve_take(RESERVE_LEAST - 1));
  reserve_begin(SIZE_MAX); /* no memory */
  reserve_end();
  assert_null(reserve_take(SIZE_MAX));
}

static long faults(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

/* A child that goes on with the heap that it has, while we fill the block. */
static pid_t fork_child(int *go) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    char byte;
    close(ends[1]);
    if (read(ends[0], &byte, 1) != 0) _exit(1);
    if (reserve_take(SIZE)) _exit(2);
    reserve_end();
    reserve_drop();
    for (size_t size = 1; size <= 4 * SIZE; size *= 2) {
      char *block = malloc(size);
      if (!block) _exit(3);
      memset(block, 5, size);
      free(block);
    }
    _exit(0);
  }
  close(ends[0]);
  *go = ends[1];
  return pid;
}

static int ended(pid_t pid, int go) {
  int status;
  close(go);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return status;
}

/* No page of it is copied, and the child lives without it. */
static void children_lack_it(void **state) {
  (void)state;
#ifdef __SANITIZE_ADDRESS__
  skip();
#endif
  int go;
  have_pages();
  reserve_begin(SIZE);
  pid_t pid = fork_child(&go);
  reserve_end();
  char *block = reserve_take(SIZE);
  assert_non_null(block);
  long before = faults();
  memset(block, 2, SIZE);
  long took = faults() - before;
  assert_int_equal(ended(pid, go), 0);
  free(block);
  have_pages();
  pid = fork_child(&go);
  block = malloc(SIZE);
  before = faults();
  memset(block, 3, SIZE);
  long otherwise = faults() - before;
  assert_int_equal(ended(pid, go), 0);
  free(block);
  print_message("%ld faults of 256 pages, %ld without it\n", took, otherwise);
  assert_in_range(took, 0, 20);
}

/* Who is forked afterwards has what it holds. */
static void later_children_have_it(void **state) {
  (void)state;
#ifdef __SANITIZE_ADDRESS__
  skip();
#endif
  reserve_begin(SIZE);
  reserve_end();
  char *block = reserve_take(SIZE);
  assert_non_null(block);
  memset(block, 4, SIZE);
  pid_t pid = fork();
  if (pid == 0) {
    for (size_t i = 0; i < SIZE; i++)
      if (block[i] != 4) _exit(1);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
  free(block);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      cmocka_unit_test(nobody_asks),
      cmocka_unit_test_setup(taking, reserves),
      cmocka_unit_test(children_lack_it),
      cmocka_unit_test(later_children_have_it),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
