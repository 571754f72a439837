/* The operations of arrays, slices and files that members are killed in (stepkill.h). */
#ifndef SPEC_SHM_SCENES_ARRAY_H
#define SPEC_SHM_SCENES_ARRAY_H

#include <fcntl.h>

#include "stepkill.h"

#include "shm/array.h"
#include "shm/file.h"

static uint64_t thing, thing_hold; /* the scene's object */
static uint64_t mine;              /* a hold of the victim's */

static void new_array(void) {
  thing = array_new(number_of('d'), 100, family_ledger(), &thing_hold);
  assert_true(thing);
}

static void array_new_act(void) {
  must(array_new(number_of('d'), 100, family_ledger(), &mine));
}

/* ---- slices ---- */

static void slice_act(void) {
  must(slice_new(thing, 10, 50, family_ledger(), &mine));
}

/* The victim's slice has given its hold on the array up. */
static enum outcome array_alone_verify(void) {
  assert_int_equal(block_at(thing)->refs, 1);
  object_drop(thing_hold);
  return EITHER;
}

static void slice_arm(void) {
  must(slice_new(thing, 10, 50, family_ledger(), &mine));
}

static void slice_drop_act(void) {
  object_drop(mine);
}

/* The last of the array is a slice of it. */
static void slice_last_arm(void) {
  uint64_t array, hold;
  must(array = array_new(number_of('d'), 100, family_ledger(), &hold));
  must(slice_new(array, 0, 100, family_ledger(), &mine));
  object_drop(hold);
}

/* ---- elements ---- */

static struct span elements(void) {
  return array_span(thing);
}

static void new_floats(void) {
  new_array();
  struct span span = elements();
  span_fill(&span, number_bits(1.5));
}

static void element_act(void) {
  struct span span = elements();
  uint64_t before;
  must(span_apply(&span, 7, number_add, number_bits(2), &before) == 0);
}

/* One element is before or after it; its neighbours know nothing. */
static enum outcome element_verify(void) {
  struct span span = elements();
  for (uint64_t i = 0; i < span.count; i++)
    if (i != 7) assert_int_equal(span_load(&span, i), number_bits(1.5));
  uint64_t found = span_load(&span, 7);
  assert_true(found == number_bits(1.5) || found == number_bits(3.5));
  object_drop(thing_hold);
  return found == number_bits(3.5) ? DONE : NOT_DONE;
}

static void element_store_act(void) {
  struct span span = elements();
  span_store(&span, 7, number_bits(3.5));
}

static void element_cas_act(void) {
  struct span span = elements();
  must(span_cas(&span, 7, number_bits(1.5), number_bits(3.5)));
}

static void fill_act(void) {
  struct span span = elements();
  span_fill(&span, number_bits(-2.25));
}

static void copy_act(void) {
  struct span whole = elements();
  struct span to = span_part(whole, 50, 50), from = span_part(whole, 0, 50);
  span_copy(&to, &from);
}

/* Some are done, none is torn. */
static enum outcome whole_elements_verify(void) {
  struct span span = elements();
  for (uint64_t i = 0; i < span.count; i++) {
    uint64_t found = span_load(&span, i);
    assert_true(found == number_bits(1.5) || found == number_bits(-2.25));
  }
  object_drop(thing_hold);
  return EITHER;
}

static void two_halves(void) {
  new_floats();
  struct span span = elements(), half = span_part(span, 0, 50);
  span_fill(&half, number_bits(-2.25));
}

/* ---- files ---- */

static char file_path[64];
static struct attachment *attached;

static void new_path(void) {
  snprintf(file_path, sizeof file_path, "/tmp/scenes_array.%d", (int)getpid());
  int fd = open(file_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  assert_true(fd >= 0 && write(fd, "0123456789", 10) == 10);
  close(fd);
}

static void new_file(void) {
  new_path();
  assert_int_equal(file_new(file_path, FILEMAP_WRITE, FILEMAP_WHOLE, family_ledger(), &thing,
                            &thing_hold, &attached),
                   0);
}

static void file_new_act(void) {
  must(file_new(file_path, FILEMAP_WRITE, FILEMAP_WHOLE, family_ledger(), &thing, &mine,
                &attached) == 0);
}

static enum outcome path_verify(void) {
  unlink(file_path);
  return EITHER;
}

static void file_arm(void) {
  file_detach(attached); /* the copy that it inherited */
}

static void file_attach_act(void) {
  must(file_attach(thing, &attached) == 0);
}

static void file_again_arm(void) {
  file_arm();
  file_attach_act();
}

static void file_detach_act(void) {
  file_detach(attached);
}

static void stranger_run(void *arg) {
  (void)arg;
  file_arm();
  file_attach_act();
  must(memcmp(attached->map.base, "0123456789", 10) == 0);
}

/* Others attach it, though its name is gone and whoever died had it too. */
static enum outcome file_verify(void) {
  unlink(file_path);
  in_member(stranger_run, NULL);
  file_detach(attached);
  object_drop(thing_hold);
  return EITHER;
}

static const struct scene array_scenes[] = {
    {"array_new", .act = array_new_act, .every = 3},
    {"slice_new", .prepare = new_array, .act = slice_act, .verify = array_alone_verify, .every = 3},
    {"object_drop of a slice", .prepare = new_array, .arm = slice_arm, .act = slice_drop_act,
     .verify = array_alone_verify},
    {"object_drop of the last slice", .arm = slice_last_arm, .act = slice_drop_act, .every = 3},
    {"span_apply", .prepare = new_floats, .act = element_act, .verify = element_verify},
    {"span_store", .prepare = new_floats, .act = element_store_act, .verify = element_verify},
    {"span_cas", .prepare = new_floats, .act = element_cas_act, .verify = element_verify},
    {"span_fill", .prepare = new_floats, .act = fill_act, .verify = whole_elements_verify},
    {"span_copy", .prepare = two_halves, .act = copy_act, .verify = whole_elements_verify},
    {"file_new", .prepare = new_path, .act = file_new_act, .verify = path_verify, .every = 7},
    {"file_attach", .prepare = new_file, .arm = file_arm, .act = file_attach_act,
     .verify = file_verify, .every = 3},
    {"file_detach", .prepare = new_file, .arm = file_again_arm, .act = file_detach_act,
     .verify = file_verify, .every = 3},
};

#endif
