/* The region: one for the family, at one address, and what limits do to it. Each case runs in a
   child, because a process opens its region once. */
#include "support.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "memory.h"
#include "shm/region.h"

static int alone_begin(void **state) {
  (void)state;
  alarm(SPEC_SECONDS * spec_slower());
  assert_null(region.base);
  return 0;
}

static int alone_end(void **state) {
  (void)state;
  alarm(0);
  return 0;
}

static int alone(void (*run)(void)) {
  proc child;
  int forked = proc_fork(&child);
  assert_true(forked >= 0);
  if (!forked) {
    run();
    _exit(0);
  }
  assert_int_equal(proc_wait(&child, CLOCK_NEVER), 1);
  proc_close(&child);
  return child.status;
}

static void opens_once_run(void) {
  must(region_open() == 0);
  char *base = region.base;
  must(base && (uintptr_t)base % MAP_PAGE == 0);
  must(region_open() == 0 && region.base == base);
  must(region.size >= (size_t)64 << 20);
  must(region_at(0) == base && region_offset(base + 12345) == 12345);
  must(fcntl(region.fd, F_GETFD) & FD_CLOEXEC);
  must(family_open() == 0 && region.base == base && family_open() == 0);
}

static void opens_once(void **state) {
  (void)state;
  assert_int_equal(alone(opens_once_run), 0);
}

static uint64_t met;

static void write_run(void *arg) {
  must(arg == region.base);
  uint64_t block = heap_alloc(1000, BLOCK_DATA, &block_at(met)->owned);
  must(block);
  strcpy(heap_payload(block), "made by the child");
  *(uint64_t *)heap_payload(met) = block;
}

/* What a child makes after the fork lies where the parent looks. */
static void same_for_all_run(void) {
  must(family_open() == 0);
  met = heap_alloc(100, BLOCK_DATA, family_ledger());
  struct member m = member_start(write_run, region.base);
  must(member_end(&m) == 0);
  must(strcmp(heap_payload(*(uint64_t *)heap_payload(met)), "made by the child") == 0);
}

static void same_for_all(void **state) {
  (void)state;
  assert_int_equal(alone(same_for_all_run), 0);
}

static void set_limit(int what, size_t most) {
  must(setrlimit(what, &(struct rlimit){most, most}) == 0);
}

/* Uses the heap up: how many blocks of 700 KB there are. */
static int use_up(void) {
  static uint64_t block[1000];
  int n = 0;
  while (n < 1000 && (block[n] = heap_alloc(700000, BLOCK_DATA, family_ledger()))) {
    memset(heap_payload(block[n]), 1, 700000);
    n++;
  }
  for (int i = 0; i < n; i++) object_drop(block[i]);
  return n;
}

static void a_small_one_run(void) {
  set_limit(RLIMIT_FSIZE, (size_t)100 << 20);
  must(family_open() == 0);
  must(region.size >= (size_t)64 << 20 && region.size <= (size_t)100 << 20);
  uint64_t used = heap_used();
  int n = use_up();
  must(n >= 50 && n <= 140);
  must(use_up() == n); /* and all of it comes again */
  must(heap_used() == used);
  must(heap_alloc(1000, BLOCK_DATA, family_ledger()));
}

static void used_up_and_again(void **state) {
  (void)state;
  assert_int_equal(alone(a_small_one_run), 0);
}

static void little_address_space_run(void) {
  set_limit(RLIMIT_AS, (size_t)1 << 30);
  must(family_open() == 0);
  must(region.size >= (size_t)64 << 20 && region.size <= (size_t)1 << 30);
  must(heap_alloc((size_t)10 << 20, BLOCK_DATA, family_ledger()));
}

static void little_address_space(void **state) {
  (void)state;
  if (SPEC_SANITIZED) skip(); /* sanitizers take terabytes of it */
  assert_int_equal(alone(little_address_space_run), 0);
}

static void too_small_run(void) {
  set_limit(RLIMIT_FSIZE, (size_t)1 << 20);
  must(family_open() < 0);
  must(region.base == NULL && family_index() == -1);
}

static void no_file_run(void) {
  struct rlimit was;
  getrlimit(RLIMIT_NOFILE, &was);
  must(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, was.rlim_max}) == 0);
  must(family_open() == -EMFILE && region.base == NULL);
  must(setrlimit(RLIMIT_NOFILE, &was) == 0);
  must(family_open() == 0);
}

static void no_memory_run(void) {
  no_memory = 1;
  must(family_open() == -ENOSPC && region.base == NULL);
  no_memory = 0;
  must(family_open() == 0); /* a failure is not for ever */
  must(heap_alloc(1000, BLOCK_DATA, family_ledger()));
}

static void failures_are_told(void **state) {
  (void)state;
  assert_int_equal(alone(too_small_run), 0);
  assert_int_equal(alone(no_file_run), 0);
  assert_int_equal(alone(no_memory_run), 0);
}

/* The numbers of stdio are not taken, even while they are free. */
static void closed_stdio_run(void) {
  close(0);
  close(1);
  must(family_open() == 0 && region.fd > 2);
}

static void stdio_is_left_alone(void **state) {
  (void)state;
  assert_int_equal(alone(closed_stdio_run), 0);
}

#define alone_case(name) cmocka_unit_test_setup_teardown(name, alone_begin, alone_end)

int main(void) {
  const struct CMUnitTest cases[] = {
      alone_case(opens_once),        alone_case(same_for_all),
      alone_case(used_up_and_again), alone_case(little_address_space),
      alone_case(failures_are_told), alone_case(stdio_is_left_alone),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
