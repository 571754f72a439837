/* shm with threads for processes under ThreadSanitizer, and whether that sees anything. */
#include "threads_cases.h"
#include "threads_sync.h"

#define SELF "/proc/self/exe"

static void race(int who) {
  volatile uint64_t *word = heap_payload(cell);
  for (int i = 0; i < 1000; i++) *word += (uint64_t)who;
}

/* The library is not in this one. */
static void a_race(void **state) {
  (void)state;
  cell = heap_alloc(8, BLOCK_DATA, family_ledger());
  crew_do(race);
  object_drop(cell);
}

/* `threads_spec NAME`: one case with every acquire and release taken out of the library, but not
   the seq_cst steps; for the cases below. */
static int run_broken(const char *name) {
  const struct CMUnitTest cases[] = {THREAD_CASES, SYNC_CASES, ON_BOTH(a_race)};
  broken = 1;
  cmocka_set_test_filter(name);
  return cmocka_run_group_tests(cases, crew_begin, crew_end);
}

static void is_seen(const char *name) {
  int status;
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    if (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout)) _exit(1);
    execl(SELF, SELF, name, (char *)NULL);
    _exit(1);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != TSAN_EXIT)
    fail_msg("%s: status %x, no race was seen", name, (unsigned)status);
}

static void races_are_seen(void **state) {
  (void)state;
  if (TSAN_EXIT < 0) skip();
  is_seen("a_race, one mapping");
  is_seen("a_race, two mappings");
}

static void missing_orders_are_seen(void **state) {
  (void)state;
  if (TSAN_EXIT < 0) skip();
  is_seen("a_narrow_queue, one mapping");
  is_seen("a_narrow_queue, two mappings");
  is_seen("blocks_in_a_queue, two mappings");
  is_seen("a_lock, two mappings");
  is_seen("the_heap, two mappings");
  is_seen("a_script_lock, two mappings");
  is_seen("a_condition, two mappings");
}

int main(int argc, char **argv) {
  if (argc > 1) return run_broken(argv[1]);
  const struct CMUnitTest seeing[] = {cmocka_unit_test(races_are_seen),
                                      cmocka_unit_test(missing_orders_are_seen)};
  const struct CMUnitTest cases[] = {THREAD_CASES, SYNC_CASES};
  int failed = cmocka_run_group_tests(seeing, NULL, NULL);
  return failed + cmocka_run_group_tests(cases, crew_begin, crew_end);
}
