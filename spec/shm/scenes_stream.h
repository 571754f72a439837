/* Scenes of output: a process dies while it writes a long line, or one that is to go away. */
#ifndef SPEC_SHM_SCENES_STREAM_H
#define SPEC_SHM_SCENES_STREAM_H

#include <fcntl.h>

#include "scenes.h"
#include "shm/stream.h"

#define LINE 5000 /* more than PIPE_BUF */
static int line_pipe[2], line_stream;

static void stream_prepare(void) {
  if (!line_pipe[1]) assert_int_equal(pipe2(line_pipe, O_NONBLOCK), 0);
  line_stream = stream_find(line_pipe[1]);
  assert_true(line_stream >= 0);
}

static void stream_act(void) {
  static char line[LINE];
  memset(line, 'v', LINE - 1);
  line[LINE - 1] = '\n';
  must(stream_write(line_stream, line_pipe[1], line, LINE) == 0);
}

/* The next line is whole, and on a line of its own; before it there is the whole of the victim's or
   nothing (the system call is one step), and perhaps the newline that a torn one would need. */
static enum outcome stream_verify(void) {
  static char got_line[2 * LINE];
  assert_int_equal(stream_write(line_stream, line_pipe[1], "mine\n", 5), 0);
  ssize_t n = read(line_pipe[0], got_line, sizeof got_line);
  assert_true(n >= 5);
  assert_memory_equal(got_line + n - 5, "mine\n", 5);
  size_t before = (size_t)n - 5;
  assert_true(before <= 1 || before == LINE || before == LINE + 1);
  if (before) assert_int_equal(got_line[before - 1], '\n');
  return before >= LINE ? DONE : NOT_DONE;
}

/* ---- a line that goes away ---- */

static void bar_act(void) {
  must(stream_bar(line_stream, line_pipe[1], "50 %", 4) == 0);
}

/* Where it is written it is taken away before the next line. */
static enum outcome bar_verify(void) {
  static char there[100];
  assert_int_equal(stream_write(line_stream, line_pipe[1], "mine\n", 5), 0);
  ssize_t n = read(line_pipe[0], there, sizeof there - 1);
  assert_true(n >= 5);
  there[n] = 0;
  int drawn = strncmp(there, "50 %", 4) == 0;
  if (drawn) assert_string_equal(there, "50 %\r\033[Kmine\n");
  if (!drawn && n > 5) assert_string_equal(there, "\r\033[Kmine\n");
  return drawn ? DONE : NOT_DONE;
}

static const struct scene stream_scenes[] = {
    {"a long line", .prepare = stream_prepare, .act = stream_act, .verify = stream_verify},
    {"a line that goes away", .prepare = stream_prepare, .act = bar_act, .verify = bar_verify},
};

#endif
