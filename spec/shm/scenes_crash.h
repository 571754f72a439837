/* The scene of last words: a process dies while it writes down why it dies. */
#ifndef SPEC_SHM_SCENES_CRASH_H
#define SPEC_SHM_SCENES_CRASH_H

#include "scenes.h"
#include "shm/crash.h"

static uint64_t *dying_id; /* shared with the victim */

static void crash_prepare(void) {
  if (!dying_id) dying_id = spec_page(4096);
}

static void crash_arm(void) {
  *dying_id = family_id();
}

static void crash_act(void) {
  struct crash *crash = crash_begin();
  crash->signal = 11;
  crash->address = 77;
  crash->frame[0] = 5;
  atomic_store(&crash->frames, 1);
  crash_show(crash);
  crash->native_text[0] = 'x';
  atomic_store(&crash->native, 1);
}

static enum outcome crash_verify(void) {
  struct crash found;
  if (!crash_find(*dying_id, &found)) return NOT_DONE;
  assert_int_equal(found.signal, 11);
  assert_int_equal(found.address, 77);
  assert_int_equal(found.frames, 1);
  assert_int_equal(found.frame[0], 5);
  if (found.native) assert_int_equal(found.native_text[0], 'x');
  return DONE;
}

static const struct scene crash_scenes[] = {
    {"last words", .prepare = crash_prepare, .arm = crash_arm, .act = crash_act,
     .verify = crash_verify},
};

#endif
