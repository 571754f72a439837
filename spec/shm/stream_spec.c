/* Long lines of many writers through one pipe. Kills at each instruction are in stepkill_spec.c. */
#include "support.h"

#include <fcntl.h>

#include "shm/stream.h"

#define WRITERS 8
#define LINES 20
#define SIZE 100000

static int ends[2];

static void write_lines(void *letter) {
  static char line[SIZE];
  int stream = stream_find(ends[1]);
  memset(line, *(char *)letter, SIZE - 1);
  line[SIZE - 1] = '\n';
  for (int i = 0; i < LINES; i++) must(stream_write(stream, ends[1], line, SIZE) == 0);
}

/* How many lines came, each of one letter. The writing end is closed. */
static int read_lines(void) {
  static char bytes[1 << 16];
  char letter = 0;
  size_t length = 0;
  int lines = 0;
  for (ssize_t n; (n = read(ends[0], bytes, sizeof bytes)) > 0;)
    for (ssize_t i = 0; i < n; i++) {
      if (bytes[i] == '\n') {
        assert_int_equal(length, SIZE - 1);
        length = 0;
        lines++;
      } else {
        if (length++ == 0) letter = bytes[i];
        assert_int_equal(bytes[i], letter);
      }
    }
  return lines;
}

static void lines_are_whole(void **state) {
  (void)state;
  struct member m[WRITERS];
  static char letter[WRITERS];
  for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, flags), 0);
    for (int i = 0; i < WRITERS; i++) {
      letter[i] = (char)('a' + i);
      m[i] = member_start(write_lines, &letter[i]);
    }
    close(ends[1]);
    assert_int_equal(read_lines(), WRITERS * LINES);
    for (int i = 0; i < WRITERS; i++) assert_int_equal(member_end(&m[i]), 0);
    close(ends[0]);
  }
}

static void knows_what_it_writes_to(void **state) {
  (void)state;
  int other[2];
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(pipe(other), 0);
  int copy = dup(ends[1]);
  assert_true(stream_find(ends[1]) >= 0);
  assert_int_equal(stream_find(ends[1]), stream_find(copy));
  assert_int_not_equal(stream_find(ends[1]), stream_find(other[1]));
  assert_int_equal(stream_find(-1), STREAM_NONE);
  FILE *file = tmpfile();
  assert_int_equal(stream_find(fileno(file)), STREAM_NONE);
  assert_int_equal(stream_write(STREAM_NONE, fileno(file), "text", 4), 0);
  fclose(file);
  signal(SIGPIPE, SIG_IGN);
  close(ends[0]);
  assert_int_equal(stream_write(stream_find(copy), copy, "text", 4), -EPIPE);
  signal(SIGPIPE, SIG_DFL);
  close(ends[1]);
  close(copy);
  close(other[0]);
  close(other[1]);
}

static void does_without_when_the_table_is_full(void **state) {
  (void)state;
  int found = 0, last = 0;
  for (int i = 0; i < 100; i++) {
    int more[2];
    assert_int_equal(pipe(more), 0);
    last = stream_find(more[1]);
    found += last >= 0;
    assert_int_equal(stream_write(last, more[1], "text", 4), 0);
    close(more[0]);
    close(more[1]);
  }
  assert_true(found > 10);
  assert_int_equal(last, STREAM_NONE);
}

static void a_bar_goes_away(void **state) {
  (void)state;
  char bytes[100] = "";
  assert_int_equal(pipe(ends), 0);
  int stream = stream_find(ends[1]);
  assert_int_equal(stream_bar(stream, ends[1], "1 %", 3), 0);
  assert_int_equal(stream_bar(stream, ends[1], "2 %", 3), 0);
  assert_int_equal(stream_write(stream, ends[1], "line\n", 5), 0);
  assert_int_equal(stream_bar(stream, ends[1], "3 %", 3), 0);
  assert_int_equal(stream_bar(stream, ends[1], "", 0), 0);
  assert_int_equal(stream_bar(stream, ends[1], "", 0), 0);
  assert_int_equal(stream_write(stream, ends[1], "end\n", 4), 0);
  assert_true(read(ends[0], bytes, sizeof bytes - 1) > 0);
  assert_string_equal(bytes, "1 %\r\033[K2 %\r\033[Kline\n3 %\r\033[Kend\n");
  assert_int_equal(stream_bar(STREAM_NONE, ends[1], "x", 1), -ENOTTY);
  close(ends[0]);
  close(ends[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      spec_case(lines_are_whole),
      spec_case(knows_what_it_writes_to),
      spec_case(a_bar_goes_away),
      spec_case(does_without_when_the_table_is_full),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
