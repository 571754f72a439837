/* Mapped files: opening, sizes, identity, what is no file. */
#include "support.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "os/filemap.h"

static char folder[] = "/tmp/filemap.XXXXXX";
static char path[64], other[64];
static filemap file;

static int file_begin(void **state) {
  case_begin(state);
  strcpy(folder + sizeof folder - 7, "XXXXXX");
  if (!mkdtemp(folder)) return -1;
  snprintf(path, sizeof path, "%s/file", folder);
  snprintf(other, sizeof other, "%s/other", folder);
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, "0123456789", 10) != 10) return -1;
  return close(fd);
}

static int file_done(void **state) {
  unlink(path);
  unlink(other);
  rmdir(folder);
  return case_end(state);
}

static void reads(void **state) {
  (void)state;
  assert_int_equal(filemap_open(&file, path, FILEMAP_READ, FILEMAP_WHOLE), 0);
  assert_int_equal(file.size, 10);
  assert_int_equal(file.writable, 0);
  assert_memory_equal(file.base, "0123456789", 10);
  assert_true(file.fd > STDERR_FILENO && (fcntl(file.fd, F_GETFD) & FD_CLOEXEC));
  assert_int_equal(filemap_length(&file), 10);
  assert_int_equal(truncate(path, 4), 0);
  assert_int_equal(filemap_length(&file), 4);
  filemap_close(&file);
  filemap_close(&file);
  assert_int_equal(filemap_open(&file, path, FILEMAP_READ, 3), 0);
  assert_int_equal(file.size, 3);
  filemap_close(&file);
  assert_int_equal(filemap_open(&file, path, FILEMAP_READ, 5), -ENODATA);
  assert_int_equal(filemap_open(&file, path, FILEMAP_WRITE, 5), -ENODATA);
}

static void writes(void **state) {
  (void)state;
  assert_int_equal(filemap_open(&file, path, FILEMAP_WRITE, FILEMAP_WHOLE), 0);
  assert_int_equal(file.writable, 1);
  memcpy(file.base + 3, "abc", 3);
  assert_int_equal(filemap_flush(&file), 0);
  filemap_close(&file);
  assert_int_equal(filemap_open(&file, path, FILEMAP_READ, FILEMAP_WHOLE), 0);
  assert_memory_equal(file.base, "012abc6789", 10);
  filemap_close(&file);
}

static void creates_and_resizes(void **state) {
  (void)state;
  assert_int_equal(filemap_open(&file, other, FILEMAP_CREATE, 10000), 0);
  assert_int_equal(file.size, 10000);
  for (int i = 0; i < 10000; i++) assert_int_equal(file.base[i], 0);
  memset(file.base, 'x', 10000);
  filemap_close(&file);
  assert_int_equal(filemap_open(&file, other, FILEMAP_CREATE, FILEMAP_WHOLE), 0);
  assert_int_equal(file.size, 10000);
  filemap_close(&file);
  assert_int_equal(filemap_open(&file, other, FILEMAP_CREATE, 5), 0);
  assert_int_equal(filemap_length(&file), 5);
  assert_memory_equal(file.base, "xxxxx", 5);
  filemap_close(&file);
  assert_int_equal(filemap_open(&file, path, FILEMAP_CREATE, 20), 0);
  assert_memory_equal(file.base, "0123456789\0\0\0\0\0\0\0\0\0", 20);
  filemap_close(&file);
}

static void empty(void **state) {
  (void)state;
  assert_int_equal(filemap_open(&file, other, FILEMAP_CREATE, FILEMAP_WHOLE), 0);
  assert_int_equal(file.size, 0);
  assert_non_null(file.base);
  assert_int_equal(filemap_flush(&file), 0);
  filemap_close(&file);
}

static void what_is_no_file(void **state) {
  (void)state;
  assert_int_equal(filemap_open(&file, other, FILEMAP_READ, FILEMAP_WHOLE), -ENOENT);
  assert_int_equal(filemap_open(&file, folder, FILEMAP_READ, FILEMAP_WHOLE), -EISDIR);
  assert_int_equal(filemap_open(&file, folder, FILEMAP_WRITE, FILEMAP_WHOLE), -EISDIR);
  assert_int_equal(filemap_open(&file, "/dev/null", FILEMAP_READ, FILEMAP_WHOLE), -ENODEV);
  assert_int_equal(mkfifo(other, 0600), 0);
  assert_int_equal(filemap_open(&file, other, FILEMAP_READ, FILEMAP_WHOLE), -ENODEV); /* at once */
  assert_int_equal(file.fd, -1);
}

static void too_large(void **state) {
  (void)state;
  assert_int_equal(filemap_open(&file, other, FILEMAP_CREATE, UINT64_MAX - 1), -EFBIG);
  int rc = filemap_open(&file, path, FILEMAP_CREATE, (uint64_t)1 << 60);
  assert_true(rc == -EFBIG || rc == -ENOSPC || rc == -ENOMEM);
  struct rlimit old, low;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  low = old;
  low.rlim_cur = 100;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
  rc = filemap_open(&file, path, FILEMAP_CREATE, 101); /* no SIGXFSZ */
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_int_equal(rc, -EFBIG);
  assert_int_equal(filemap_open(&file, path, FILEMAP_READ, FILEMAP_WHOLE), 0);
  assert_int_equal(file.size, 10); /* as it was */
  filemap_close(&file);
}

/* The name leads to another file, the descriptor to the one that was. */
static void knows_a_file_again(void **state) {
  (void)state;
  filemap again;
  char proc[64];
  assert_int_equal(filemap_open(&file, path, FILEMAP_WRITE, FILEMAP_WHOLE), 0);
  assert_int_equal(filemap_reopen(&again, path, 1, 10, &file.id), 0);
  again.base[0] = 'A';
  assert_int_equal(file.base[0], 'A');
  filemap_close(&again);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(filemap_reopen(&again, path, 1, 10, &file.id), -ENOENT);
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  assert_int_equal(write(fd, "something else", 14), 14);
  close(fd);
  assert_int_equal(filemap_reopen(&again, path, 1, 10, &file.id), -ESTALE);
  snprintf(proc, sizeof proc, "/proc/%d/fd/%d", (int)getpid(), file.fd);
  assert_int_equal(filemap_reopen(&again, proc, 1, 10, &file.id), 0);
  assert_memory_equal(again.base, "A123456789", 10);
  filemap_close(&again);
  assert_int_equal(filemap_reopen(&again, proc, 0, 11, &file.id), -ENODATA);
  filemap_close(&file);
}

#define a_case(name) cmocka_unit_test_setup_teardown(name, file_begin, file_done)

int main(void) {
  const struct CMUnitTest cases[] = {
      a_case(reads),           a_case(writes),    a_case(creates_and_resizes), a_case(empty),
      a_case(what_is_no_file), a_case(too_large), a_case(knows_a_file_again),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
