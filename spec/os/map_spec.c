/* Maps: address space first, memory when it is committed, zero again when it is discarded. */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "os/map.h"

#define SIZE ((size_t)1 << 30)

static map m;

static int map_begin(void **state) {
  case_begin(state);
  assert_int_equal(map_reserve(&m, SIZE, MAP_PAGE), 0);
  return 0;
}

static int map_done(void **state) {
  map_release(&m);
  return case_end(state);
}

static size_t resident(void) {
  struct stat info;
  assert_int_equal(fstat(m.fd, &info), 0);
  return (size_t)info.st_blocks * 512;
}

static int all_are(size_t offset, size_t size, char value) {
  for (size_t i = 0; i < size; i++)
    if (m.base[offset + i] != value) return 0;
  return 1;
}

static void a_reservation_costs_nothing(void **state) {
  (void)state;
  assert_int_equal(m.size, SIZE);
  assert_int_equal((uintptr_t)m.base % MAP_PAGE, 0);
  assert_int_equal(resident(), 0);
  assert_true(fcntl(m.fd, F_GETFD) & FD_CLOEXEC);
  assert_true(m.fd > STDERR_FILENO);
}

static void committed_is_memory(void **state) {
  (void)state;
  assert_int_equal(map_commit(&m, 10 * MAP_PAGE, 3 * MAP_PAGE), 0);
  assert_int_equal(resident(), 3 * MAP_PAGE);
  assert_true(all_are(10 * MAP_PAGE, 3 * MAP_PAGE, 0));
  memset(m.base + 10 * MAP_PAGE, 7, 3 * MAP_PAGE);
  assert_int_equal(map_commit(&m, 9 * MAP_PAGE, 5 * MAP_PAGE), 0); /* again, and more */
  assert_true(all_are(10 * MAP_PAGE, 3 * MAP_PAGE, 7));
  assert_true(all_are(9 * MAP_PAGE, MAP_PAGE, 0));
  assert_int_equal(resident(), 5 * MAP_PAGE);
  assert_int_equal(map_commit(&m, 100 * MAP_PAGE + 5, 1), 0); /* the page it is in */
  assert_int_equal(resident(), 6 * MAP_PAGE);
}

static void discarded_is_zero(void **state) {
  (void)state;
  assert_int_equal(map_commit(&m, 0, 8 * MAP_PAGE), 0);
  memset(m.base, 7, 8 * MAP_PAGE);
  assert_int_equal(map_discard(&m, 2 * MAP_PAGE, 3 * MAP_PAGE), 0);
  assert_int_equal(resident(), 5 * MAP_PAGE);
  assert_true(all_are(2 * MAP_PAGE, 3 * MAP_PAGE, 0));
  assert_true(all_are(0, 2 * MAP_PAGE, 7));
  assert_true(all_are(5 * MAP_PAGE, 3 * MAP_PAGE, 7));
}

static void whole_pages_only(void **state) {
  (void)state;
  assert_int_equal(map_commit(&m, 0, 8 * MAP_PAGE), 0);
  memset(m.base, 7, 8 * MAP_PAGE);
  assert_int_equal(map_discard(&m, MAP_PAGE + 1, 2 * MAP_PAGE), 0); /* one page inside */
  assert_true(all_are(0, 2 * MAP_PAGE, 7));
  assert_true(all_are(2 * MAP_PAGE, MAP_PAGE, 0));
  assert_int_equal(map_discard(&m, 5 * MAP_PAGE + 1, MAP_PAGE - 1), 0); /* none inside */
  assert_int_equal(map_discard(&m, 5 * MAP_PAGE + 1, 10), 0);
  assert_int_equal(map_discard(&m, 5 * MAP_PAGE, 0), 0);
  assert_true(all_are(3 * MAP_PAGE, 5 * MAP_PAGE, 7));
}

static void write_run(void) {
  must(m.base[0] == 1);
  m.base[0] = 2;
  must(map_commit(&m, 50 * MAP_PAGE, MAP_PAGE) == 0);
  memcpy(m.base + 50 * MAP_PAGE, &m.base, sizeof m.base);
}

static void shared_at_one_address(void **state) {
  (void)state;
  m.base[0] = 1;
  assert_int_equal(in_child(write_run), 0);
  assert_int_equal(m.base[0], 2);
  assert_memory_equal(m.base + 50 * MAP_PAGE, &m.base, sizeof m.base);
}

static void attach_run(void) {
  map other;
  void *base = m.base;
  int fd = dup(m.fd);
  must(map_attach(&other, fd, base, SIZE) == -EEXIST);
  m.base[7] = 7;
  map_release(&m);
  must(map_attach(&other, fd, base, SIZE) == 0);
  must(other.base == base && other.size == SIZE && other.fd == fd && other.base[7] == 7);
  must(map_attach(&m, fd, base, SIZE) == -EEXIST);
  must(map_attach(&m, -1, (char *)base + SIZE, SIZE) == -EBADF);
}

/* A program that is started afresh has nothing where it lies. */
static void can_be_had_by_descriptor(void **state) {
  (void)state;
  assert_int_equal(in_child(attach_run), 0);
#if defined(__x86_64__)
  const char *sanitizer = getenv("MPHOST_SANITIZE");
  if (!sanitizer || !*sanitizer) assert_int_equal((uintptr_t)m.base >> 45, 1);
#endif
  map next;
  assert_int_equal(map_reserve(&next, SIZE, SIZE), 0);
  assert_ptr_not_equal(next.base, m.base);
  map_release(&next);
}

static void release_gives_all_back(void **state) {
  (void)state;
  map other;
  assert_int_equal(map_reserve(&other, SIZE, SIZE), 0);
  int fd = other.fd;
  map_release(&other);
  assert_int_equal(other.fd, -1);
  assert_null(other.base);
  assert_int_equal(fcntl(fd, F_GETFD), -1);
}

#define MANY ((size_t)8 << 20)

static char *pattern(size_t size) {
  char *bytes = malloc(size);
  assert_non_null(bytes);
  for (size_t i = 0; i < size; i++) bytes[i] = (char)(i * 7 + i / MAP_PAGE);
  return bytes;
}

static void written_at(size_t offset, const char *bytes, size_t size, int fresh) {
  size_t end = offset + size;
  m.base[offset - 1] = m.base[end] = 9;
  map_write(&m, offset, bytes, size, fresh);
  assert_memory_equal(m.base + offset, bytes, size);
  assert_true(m.base[offset - 1] == 9 && m.base[end] == 9);
}

static void writes_what_is_said_and_no_more(void **state) {
  (void)state;
  char *bytes = pattern(MANY);
  assert_int_equal(map_commit(&m, 0, 8 * MANY), 0);
  for (int fresh = 0; fresh < 2; fresh++) {
    for (size_t odd = 0; odd < 3; odd++) {
      size_t at = (2 + odd) * MANY + 64 * odd + fresh;
      written_at(at, bytes, MANY - MAP_PAGE, fresh);
      written_at(at, bytes + 1, MANY - MAP_PAGE - 1, !fresh); /* over what is there */
      written_at(at, bytes, odd, fresh);
    }
  }
  assert_int_equal(resident(), 8 * MANY);
  map closed = m;
  closed.fd = -1; /* what the system does not write is written all the same */
  map_write(&closed, 3, bytes, MANY, 1);
  assert_memory_equal(m.base + 3, bytes, MANY);
  free(bytes);
}

static long faults(void) {
  struct rusage usage;
  must(getrusage(RUSAGE_SELF, &usage) == 0);
  return usage.ru_minflt;
}

/* A forked child has none of the pages mapped. */
static void fault_run(void) {
  char *bytes = pattern(MANY);
  for (int fresh = 1; fresh >= 0; fresh--) {
    long before = faults();
    map_write(&m, MANY + 64, bytes, MANY, fresh);
    long took = faults() - before;
    fprintf(stderr, "%s: %ld faults, %zu pages\n", fresh ? "fresh" : "used", took, MANY / MAP_PAGE);
    must(took < (long)(MANY / MAP_PAGE / 4));
    must(memcmp(m.base + MANY + 64, bytes, MANY) == 0);
    free(bytes);
    bytes = pattern(MANY);
    if (fresh) madvise(m.base, 3 * MANY, MADV_DONTNEED); /* mapped here no more */
  }
}

static void few_pages_are_faulted_in(void **state) {
  (void)state;
  assert_int_equal(map_commit(&m, 0, 3 * MANY), 0);
  assert_int_equal(in_child(fault_run), 0);
}

/* ---- limits, each in a child ---- */

static void set_limit(int what, size_t most) {
  must(setrlimit(what, &(struct rlimit){most, most}) == 0);
}

static void halved_run(void) {
  map small;
  set_limit(RLIMIT_FSIZE, 100 << 20);
  must(map_reserve(&small, SIZE, MAP_PAGE) == 0);
  must(small.size == 64 << 20);
  must(map_commit(&small, small.size - MAP_PAGE, MAP_PAGE) == 0);
  small.base[small.size - 1] = 1;
  map_release(&small);
  must(map_reserve(&small, SIZE, 64 << 20) == 0);
}

static int open_files(void) {
  int n = 0;
  for (int fd = 0; fd < 256; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

static void refused_run(void) {
  map none = {.fd = -5};
  int open = open_files();
  set_limit(RLIMIT_FSIZE, 100 << 20);
  must(map_reserve(&none, SIZE, 65 << 20) == -EFBIG);
  must(map_reserve(&none, (size_t)1 << 62, (size_t)1 << 61) < 0);
  must(none.fd == -5 && open_files() == open); /* untouched, nothing left open */
  set_limit(RLIMIT_NOFILE, 0);
  must(map_reserve(&none, SIZE, MAP_PAGE) == -EMFILE);
}

/* The limit was lowered since it was committed: the system refuses, by a signal that would end us.
 */
static void lowered_run(void) {
  char *bytes = pattern(MANY);
  sigset_t pending;
  must(map_commit(&m, 0, 3 * MANY) == 0);
  set_limit(RLIMIT_FSIZE, MANY + MANY / 2);
  map_write(&m, MANY, bytes, MANY, 1); /* a half of it */
  must(memcmp(m.base + MANY, bytes, MANY) == 0);
  map_write(&m, 2 * MANY, bytes, MANY, 1); /* nothing */
  must(memcmp(m.base + 2 * MANY, bytes, MANY) == 0);
  must(sigpending(&pending) == 0 && !sigismember(&pending, SIGXFSZ));
}

static void written_where_limits_forbid(void **state) {
  (void)state;
  assert_int_equal(in_child(lowered_run), 0);
}

static void less_where_limits_forbid(void **state) {
  (void)state;
  assert_int_equal(in_child(halved_run), 0);
  assert_int_equal(in_child(refused_run), 0);
}

#define a_case(name) cmocka_unit_test_setup_teardown(name, map_begin, map_done)

int main(void) {
  const struct CMUnitTest cases[] = {
      a_case(a_reservation_costs_nothing),
      a_case(committed_is_memory),
      a_case(discarded_is_zero),
      a_case(whole_pages_only),
      a_case(shared_at_one_address),
      a_case(release_gives_all_back),
      a_case(less_where_limits_forbid),
      a_case(can_be_had_by_descriptor),
      a_case(writes_what_is_said_and_no_more),
      a_case(few_pages_are_faulted_in),
      a_case(written_where_limits_forbid),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
