/* Memory that is left: the system's, and what limits of cgroups leave. The files that tell are the
   spec's own (fake_files.h). */
#include "support.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "fake_files.h"
#include "os/map.h"
#include "os/memory.h"

static uint64_t left_with(const struct fake *files) {
  fakes = files;
  uint64_t left = memory_available();
  fakes = NULL;
  return left;
}

#define MEMINFO                                                                                    \
  {                                                                                                \
    "/proc/meminfo", "MemTotal: 9000000 kB\nMemFree: 10 kB\nMemAvailable:    5000 kB\n"            \
                     "SwapTotal: 77 kB\nSwapFree:   1000 kB\n"                                     \
  }

static void this_machine(void **state) {
  (void)state;
  uint64_t left = memory_available();
  assert_in_range(left, 1 << 20, (uint64_t)1 << 50);
}

static void the_system_says(void **state) {
  (void)state;
  assert_int_equal(left_with((struct fake[]){MEMINFO, {NULL, NULL}}), 6000 * 1024);
  assert_int_equal(left_with((struct fake[]){{NULL, NULL}}), UINT64_MAX);
  assert_int_equal(left_with((struct fake[]){{"/proc/meminfo", "nothing\n"}, {NULL, NULL}}),
                   UINT64_MAX);
}

static void groups_of_v2(void **state) {
  (void)state;
  assert_int_equal(left_with((struct fake[]){MEMINFO,
                                             {"/proc/self/cgroup", "0::/a/b\n"},
                                             {"/sys/fs/cgroup/a/b"
                                              "/memory.max",
                                              "max\n"},
                                             {"/sys/fs/cgroup/a/b"
                                              "/memory.current",
                                              "500\n"},
                                             {"/sys/fs/cgroup/a"
                                              "/memory.max",
                                              "3000\n"},
                                             {"/sys/fs/cgroup/a"
                                              "/memory.current",
                                              "1000\n"},
                                             {NULL, NULL}}),
                   2000);
  assert_int_equal(
      left_with((struct fake[]){
          MEMINFO,
          {"/proc/self/cgroup", "0::/\n"},
          {"/sys/fs/cgroup"
           "/memory.max",
           "3000\n"},
          {"/sys/fs/cgroup"
           "/memory.current",
           "2900\n"},
          {"/sys/fs/cgroup/memory.stat", "anon 5\ninactive_file 400\nactive_file 30\nslab 9\n"},
          {NULL, NULL}}),
      530);
  assert_int_equal(left_with((struct fake[]){MEMINFO,
                                             {"/proc/self/cgroup", "0::/a\n"},
                                             {"/sys/fs/cgroup/a"
                                              "/memory.max",
                                              "3000\n"},
                                             {"/sys/fs/cgroup/a"
                                              "/memory.current",
                                              "3001\n"},
                                             {NULL, NULL}}),
                   0);
}

static void groups_of_v1(void **state) {
  (void)state;
  assert_int_equal(
      left_with((struct fake[]){MEMINFO,
                                {"/proc/self/cgroup", "9:cpu:/c\n4:memory:/a\n0::/\n"},
                                {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "8000\n"},
                                {"/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "1000\n"},
                                {NULL, NULL}}),
      7000);
  assert_int_equal(left_with((struct fake[]){
                       MEMINFO,
                       {"/proc/self/cgroup", "4:memory:/a\n"},
                       {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"},
                       {"/sys/fs/cgroup/memory/memory.usage_in_bytes", "1000\n"},
                       {NULL, NULL}}),
                   6000 * 1024);
}

/* What is not there is refused, not taken. */
static void a_map_refuses(void **state) {
  (void)state;
  map m;
  assert_int_equal(map_reserve(&m, (size_t)1 << 30, MAP_PAGE), 0);
  static const struct fake little[] = {{"/proc/meminfo", "MemAvailable: 100000 kB\n"},
                                       {NULL, NULL}};
  fakes = little;
  int much = map_commit(&m, 0, (size_t)200 << 20), rest = map_commit(&m, 0, (size_t)90 << 20);
  int some = map_commit(&m, 0, (size_t)20 << 20);
  fakes = NULL;
  assert_int_equal(much, -ENOMEM);
  assert_int_equal(rest, -ENOMEM);
  assert_int_equal(some, 0);
  map_release(&m);
}

/* A large block comes again with its pages, for about its size only. */
static void keeping(void **state) {
  (void)state;
  const size_t size = (size_t)64 << 20;
  char *block = malloc(size);
  assert_non_null(block);
  memset(block, 7, size);
  assert_null(memory_kept(size));
  assert_true(memory_keep(block));
  char *again = memory_kept(size - 4096);
  assert_ptr_equal(again, block);
  memset(again, 9, size);
  assert_null(memory_kept(size));
  assert_true(memory_keep(again));
  assert_null(memory_kept(size / 4)); /* it is given back */
  assert_null(memory_kept(size));
  block = malloc(size);
  assert_true(memory_keep(block));
  assert_null(memory_kept(size + size / 2));
  block = malloc(size);
  char *other = malloc(size);
  char *third = malloc(size);
  assert_true(memory_keep(block) && memory_keep(other) && memory_keep(third)); /* two are kept */
  char *last = memory_kept(size);
  assert_true(last == third && memory_kept(size) == other && !memory_kept(size));
  free(last);
  assert_true(memory_keep(malloc(size)));
  memory_keep_none();
  assert_false(memory_keep(other));
  free(other);
}

static long faults(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

/* The pages of a new block come at once. */
static void filling(void **state) {
  (void)state;
#ifdef __SANITIZE_ADDRESS__
  skip();
#endif
  size_t size = (size_t)64 << 20;
  for (size_t odd = 0; odd < 4; odd++) {
    char *block = malloc(size + odd);
    assert_non_null(block);
    memory_fill(block, size + odd);
    long before = faults();
    memset(block, 1, size + odd);
    long took = faults() - before;
    print_message("%ld faults of a block that was filled\n", took);
    if (madvise(NULL, 0, 23) == 0) assert_in_range(took, 0, 100); /* this kernel can */
    free(block);
  }
  char small[3] = {1, 2, 3};
  memory_fill(small, sizeof small);
  memory_fill(NULL, 0);
  assert_true(small[0] == 1 && small[1] == 2 && small[2] == 3);
}

/* Page faults of a child's first large allocation, 255 at most. */
static int faults_of_child(void) {
  pid_t pid = fork();
  if (pid == 0) {
    long before = faults();
    void *volatile large = malloc(4096);
    long n = faults() - before;
    free(large);
    _exit(n < 255 ? (int)n : 255);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

/* Small pieces freed by the parent: with them unjoined a child copies every page that has one. */
static void settling(void **state) {
  (void)state;
  enum { PIECES = 8000, SIZE = 100 }; /* some 200 pages */
  static void *volatile pieces[PIECES];
#ifdef __SANITIZE_ADDRESS__
  skip();
#endif
  for (int i = 0; i < PIECES; i++) pieces[i] = malloc(SIZE);
  for (int i = 0; i < PIECES; i += 2) free(pieces[i]);
  int unsettled = faults_of_child();
  memory_settle();
  int settled = faults_of_child();
  for (int i = 1; i < PIECES; i += 2) free(pieces[i]);
  print_message("faults of a child: %d unsettled, %d settled\n", unsettled, settled);
  assert_in_range(settled, 0, 20);
  if (unsettled <= settled) skip(); /* another malloc than glibc's */
}

int main(void) {
  const struct CMUnitTest cases[] = {
      cmocka_unit_test(settling), cmocka_unit_test(keeping), cmocka_unit_test(filling),
      os_case(this_machine),      os_case(the_system_says),  os_case(groups_of_v2),
      os_case(groups_of_v1),      os_case(a_map_refuses),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
