/* Maps: address space first, memory when it is committed, zero again when it is discarded. */
#include "support.h"

#include <fcntl.h>
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

static void less_where_limits_forbid(void **state) {
  (void)state;
  assert_int_equal(in_child(halved_run), 0);
  assert_int_equal(in_child(refused_run), 0);
}

#define a_case(name) cmocka_unit_test_setup_teardown(name, map_begin, map_done)

int main(void) {
  const struct CMUnitTest cases[] = {
      a_case(a_reservation_costs_nothing), a_case(committed_is_memory),
      a_case(discarded_is_zero),           a_case(whole_pages_only),
      a_case(shared_at_one_address),       a_case(release_gives_all_back),
      a_case(less_where_limits_forbid),    a_case(can_be_had_by_descriptor),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
