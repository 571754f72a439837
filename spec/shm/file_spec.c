/* Shared files: one mapping a process, found again by others, or not. */
#include "support.h"

#include <fcntl.h>

#include "shm/file.h"

static char path[64];
static uint64_t object, hold;
static struct attachment *file;

static void write_file(const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  close(fd);
}

static int file_begin(void **state) {
  case_begin(state);
  snprintf(path, sizeof path, "/tmp/file_spec.%d", (int)getpid());
  write_file("0123456789");
  return 0;
}

static int file_done(void **state) {
  unlink(path);
  return case_end(state);
}

static void make(void) {
  assert_int_equal(
      file_new(path, FILEMAP_WRITE, FILEMAP_WHOLE, family_ledger(), &object, &hold, &file), 0);
}

static void give_up(void) {
  file_detach(file);
  object_drop(hold);
}

static int holders(void) {
  const struct file *f = heap_payload(object);
  int n = 0;
  for (int i = 0; i < FILE_HOLDERS; i++) n += f->holder[i] != 0;
  return n;
}

static void one_mapping(void **state) {
  (void)state;
  make();
  const struct file *f = heap_payload(object);
  assert_int_equal(f->size, 10);
  assert_string_equal(f->path, path);
  assert_int_equal(holders(), 1);
  struct attachment *again;
  assert_int_equal(file_attach(object, &again), 0);
  assert_ptr_equal(again, file);
  file_detach(again);
  assert_memory_equal(file->map.base, "0123456789", 10);
  assert_ptr_equal(file_share(file), file);
  file_detach(file);
  file_detach(file);
  assert_int_equal(holders(), 0);
  object_drop(hold);
}

static void errors_leave_nothing(void **state) {
  (void)state;
  assert_int_equal(
      file_new("/tmp", FILEMAP_READ, FILEMAP_WHOLE, family_ledger(), &object, &hold, &file),
      -EISDIR);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(file_new(path, FILEMAP_READ, 1, family_ledger(), &object, &hold, &file),
                   -ENOENT);
}

/* A member that was started before the file was opened: it is told the object through a page. */
static _Atomic uint64_t *told, *rc_page;

static void stranger_run(void *arg) {
  struct attachment *mine;
  (void)arg;
  while (!atomic_load(told)) clock_sleep_until(clock_now() + SPEC_MS);
  uint64_t held = object_hold(*told, family_ledger());
  must(held);
  int rc = file_attach(*told, &mine);
  if (rc == 0) {
    must(memcmp(mine->map.base, "0123456789", 10) == 0);
    mine->map.base[0] = 'X';
    file_detach(mine);
  }
  object_drop(held);
  atomic_store(rc_page, (uint64_t)(int64_t)rc);
}

static int stranger_finds(void (*disturb)(void)) {
  told = spec_page(64);
  rc_page = told + 1;
  struct member m = member_start(stranger_run, NULL);
  make();
  disturb();
  atomic_store(told, object);
  assert_int_equal(member_end(&m), 0);
  int rc = (int)(int64_t)atomic_load(rc_page);
  if (rc == 0) assert_int_equal(file->map.base[0], 'X');
  munmap((void *)told, 64);
  give_up();
  return rc;
}

static void nothing(void) {
}

static void unlinked(void) {
  assert_int_equal(unlink(path), 0);
}

static void replaced(void) {
  unlinked();
  write_file("something else");
}

static void replaced_and_nobody_known(void) {
  struct file *f = heap_payload(object);
  replaced();
  for (int i = 0; i < FILE_HOLDERS; i++) f->holder[i] = 0;
}

/* Words of the dead, or of a number that is another process's now, lead nowhere. */
static void replaced_and_wrong_words(void) {
  struct file *f = heap_payload(object);
  replaced();
  f->holder[1] = f->holder[0];
  f->holder[0] = (uint64_t)getpid() << 32 | STDERR_FILENO;
  f->holder[2] = (uint64_t)INT32_MAX << 32 | 5;
}

static void shortened(void) {
  assert_int_equal(truncate(path, 5), 0);
}

static void found_by_others(void **state) {
  (void)state;
  assert_int_equal(stranger_finds(nothing), 0);
}

static void found_without_a_name(void **state) {
  (void)state;
  assert_int_equal(stranger_finds(unlinked), 0);
}

static void found_behind_another(void **state) {
  (void)state;
  assert_int_equal(stranger_finds(replaced), 0);
}

static void found_among_wrong_words(void **state) {
  (void)state;
  assert_int_equal(stranger_finds(replaced_and_wrong_words), 0);
}

static void never_another_file(void **state) {
  (void)state;
  assert_int_equal(stranger_finds(replaced_and_nobody_known), -ESTALE);
}

static void not_when_it_is_shorter(void **state) {
  (void)state;
  assert_int_equal(stranger_finds(shortened), -ENODATA);
}

/* A child has the mapping; what it closes is its own. */
static void child_run(void *arg) {
  (void)arg;
  must(memcmp(file->map.base, "0123456789", 10) == 0);
  struct attachment *again;
  must(file_attach(object, &again) == 0 && again == file);
  file_detach(again);
  file_detach(file);
  must(holders() == 1);
}

static void children_inherit(void **state) {
  (void)state;
  make();
  in_member(child_run, NULL);
  assert_memory_equal(file->map.base, "0123456789", 10);
  give_up();
}

/* Places of the dead are taken again. */
static void holder_run(void *arg) {
  (void)arg;
  struct attachment *mine;
  file_detach(file); /* the parent's copy */
  must(file_attach(object, &mine) == 0);
}

static void places_of_the_dead(void **state) {
  (void)state;
  make();
  for (int i = 0; i < 3 * FILE_HOLDERS; i++) {
    in_member(holder_run, NULL); /* leaves without a word */
    assert_in_range(holders(), 1, 2);
  }
  give_up();
}

#define a_case(name) cmocka_unit_test_setup_teardown(name, file_begin, file_done)

int main(void) {
  const struct CMUnitTest cases[] = {
      a_case(one_mapping),          a_case(errors_leave_nothing),   a_case(found_by_others),
      a_case(found_without_a_name), a_case(found_behind_another),   a_case(found_among_wrong_words),
      a_case(never_another_file),   a_case(not_when_it_is_shorter), a_case(children_inherit),
      a_case(places_of_the_dead),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
