/* threads_spec.c for minutes. */
#include "threads_cases.h"
#include "threads_sync.h"

int main(void) {
  const struct CMUnitTest cases[] = {THREAD_CASES, SYNC_CASES};
  rounds = 100;
  return cmocka_run_group_tests(cases, crew_begin, crew_end);
}
