/* Last words: found by the id of the dead, the last CRASHES of them. Kills at each instruction are
   in stepkill_spec.c. */
#include "support.h"

#include "shm/crash.h"

static void say(void *text) {
  struct crash *crash = crash_begin();
  crash->signal = 6;
  crash_show(crash);
  strcpy(crash->native_text, text);
  atomic_store(&crash->native, (uint32_t)strlen(text));
}

static void finds_the_words_of_the_dead(void **state) {
  (void)state;
  struct crash found;
  struct member first = member_start(say, "one");
  uint64_t id = family_id_at(first.slot);
  assert_int_equal(member_end(&first), 0);
  assert_int_equal(crash_find(id, &found), 1);
  assert_int_equal(found.native, 3);
  assert_memory_equal(found.native_text, "one", 3);
  struct member next = member_start(say, "another");
  uint64_t other = family_id_at(next.slot);
  assert_int_equal(member_end(&next), 0);
  assert_int_not_equal(id, other);
  assert_int_equal(crash_find(other, &found), 1);
  assert_memory_equal(found.native_text, "another", 7);
  assert_int_equal(crash_find(family_id(), &found), 0);
}

static void keeps_the_last_ones(void **state) {
  (void)state;
  struct crash found;
  uint64_t ids[CRASHES + 1];
  for (int i = 0; i <= CRASHES; i++) {
    struct member m = member_start(say, "x");
    ids[i] = family_id_at(m.slot);
    assert_int_equal(member_end(&m), 0);
  }
  assert_int_equal(crash_find(ids[0], &found), 0);
  for (int i = 1; i <= CRASHES; i++) assert_int_equal(crash_find(ids[i], &found), 1);
}

static void believes_no_sizes(void **state) {
  (void)state;
  struct crash found, *crash = crash_begin();
  crash_show(crash);
  atomic_store(&crash->frames, 1 << 20);
  atomic_store(&crash->native, 1 << 20);
  atomic_store(&crash->lua, 1 << 20);
  assert_int_equal(crash_find(family_id(), &found), 1);
  assert_true(found.frames <= CRASH_FRAMES);
  assert_true(found.native < CRASH_TEXT && found.lua < CRASH_TEXT);
  crash_begin();
  for (int i = 1; i < CRASHES; i++) crash_begin();
  assert_int_equal(crash_find(family_id(), &found), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      spec_case(finds_the_words_of_the_dead),
      spec_case(keeps_the_last_ones),
      spec_case(believes_no_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
