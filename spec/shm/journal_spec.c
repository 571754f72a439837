/* The journal: whole or not at all, in order, whoever dies. Its kills at each instruction are in
   stepkill_spec.c. */
#include "support.h"

#include <sched.h>

#define WORDS 20

static uint64_t block;
static uint64_t *word; /* in the region, changed in transactions only */

static int words_begin(void **state) {
  case_begin(state);
  block = heap_alloc(WORDS * sizeof *word, BLOCK_DATA, family_ledger());
  assert_true(block);
  word = heap_payload(block);
  memset(word, 0, WORDS * sizeof *word);
  return 0;
}

static int words_end(void **state) {
  object_drop(block);
  return case_end(state);
}

static void commit_makes_real(void **state) {
  (void)state;
  journal_lock();
  journal_set(&word[0], 5);
  journal_set(&word[1], 6);
  assert_int_equal(word[0], 0);
  assert_int_equal(journal_get(&word[0]), 5);
  journal_set(&word[0], 7); /* the last note of a word counts */
  assert_int_equal(journal_get(&word[0]), 7);
  journal_commit();
  assert_int_equal(word[0], 7);
  assert_int_equal(word[1], 6);
  journal_set(&word[0], journal_get(&word[0]) + 1); /* another one under the same lock */
  journal_commit();
  journal_unlock();
  assert_int_equal(word[0], 8);
}

static void unlock_forgets(void **state) {
  (void)state;
  journal_lock();
  journal_set(&word[0], 5);
  journal_unlock();
  journal_lock();
  assert_int_equal(journal_get(&word[0]), 0);
  journal_commit(); /* of nothing */
  journal_unlock();
  assert_int_equal(word[0], 0);
}

static void all_notes(void **state) {
  (void)state;
  journal_lock();
  for (uint64_t i = 0; i < JOURNAL_NOTES; i++) journal_set(&word[i % WORDS], i);
  journal_commit();
  journal_unlock();
  for (uint64_t i = JOURNAL_NOTES - WORDS; i < JOURNAL_NOTES; i++)
    assert_int_equal(word[i % WORDS], i);
}

static void too_many_run(void *arg) {
  (void)arg;
  journal_lock();
  for (int i = 0; i <= JOURNAL_NOTES; i++) journal_set(&word[0], 9);
  journal_commit();
}

static void a_note_too_many_aborts(void **state) {
  (void)state;
  struct member m = member_start(too_many_run, NULL);
  assert_int_equal(member_end(&m), -SIGABRT);
  assert_int_equal(word[0], 0);
}

static void uncommitted_run(void *arg) {
  (void)arg;
  journal_lock();
  for (int i = 0; i < WORDS; i++) journal_set(&word[i], 1);
  raise(SIGKILL);
}

static void dead_before_the_commit(void **state) {
  (void)state;
  struct member m = member_start(uncommitted_run, NULL);
  assert_int_equal(member_end(&m), -SIGKILL);
  journal_lock();
  for (int i = 0; i < WORDS; i++) assert_int_equal(journal_get(&word[i]), 0);
  journal_unlock();
}

static void count_up(void) {
  journal_lock();
  uint64_t now = journal_get(&word[0]);
  for (int i = 0; i < WORDS; i++) {
    must(journal_get(&word[i]) == now);
    journal_set(&word[i], now + 1);
  }
  journal_commit();
  journal_unlock();
}

static void count_run(void *arg) {
  for (int i = 0; i < *(int *)arg; i++) count_up();
}

static void transactions_do_not_mix(void **state) {
  (void)state;
  int times = 5000;
  struct member m[4];
  for (int i = 0; i < 4; i++) m[i] = member_start(count_run, &times);
  for (int i = 0; i < 4; i++) assert_int_equal(member_end(&m[i]), 0);
  for (int i = 0; i < WORDS; i++) assert_int_equal(word[i], 4 * times);
}

/* Members die in their transactions, at any moment: the words stay equal. */
static void killed_under_load(void **state) {
  (void)state;
  int times = INT32_MAX;
  struct member m[2];
  for (int i = 0; i < 2; i++) m[i] = member_start(count_run, &times);
  for (int i = 0; i < 200; i++) {
    uint64_t before = __atomic_load_n(&word[WORDS - 1], __ATOMIC_ACQUIRE);
    while (__atomic_load_n(&word[WORDS - 1], __ATOMIC_ACQUIRE) < before + 3) sched_yield();
    member_kill(&m[i % 2]);
    m[i % 2] = member_start(count_run, &times);
  }
  for (int i = 0; i < 2; i++) member_kill(&m[i]);
  journal_lock();
  for (int i = 0; i < WORDS; i++) assert_int_equal(journal_get(&word[i]), word[0]);
  journal_unlock();
}

/* Notes are carried out in their order: a reader without the lock that sees the last sees all. */
static void last_note_is_seen_last(void **state) {
  (void)state;
  int times = 20000;
  struct member m = member_start(count_run, &times);
  while (proc_wait(&m.proc, 0) == 0) {
    uint64_t last = __atomic_load_n(&word[WORDS - 1], __ATOMIC_ACQUIRE);
    for (int i = WORDS - 2; i >= 0; i--)
      assert_true(__atomic_load_n(&word[i], __ATOMIC_RELAXED) >= last);
  }
  assert_int_equal(member_end(&m), 0);
}

#define words_case(name) cmocka_unit_test_setup_teardown(name, words_begin, words_end)

int main(void) {
  const struct CMUnitTest cases[] = {
      words_case(commit_makes_real),
      words_case(unlock_forgets),
      words_case(all_notes),
      words_case(a_note_too_many_aborts),
      words_case(dead_before_the_commit),
      words_case(transactions_do_not_mix),
      words_case(killed_under_load),
      words_case(last_note_is_seen_last),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
