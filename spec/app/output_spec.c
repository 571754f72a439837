/* What Lua code writes, in the caller's hands. */
#include "support.h"

static char written[4096], logged[4096];

static void append(void *user, const char *text, size_t size) {
  strncat(user, text, size);
}

static int open_writing(void **state) {
  mph_config config = MPH_CONFIG_INIT;
  config.output = config.log = append;
  config.output_user = written;
  config.log_user = logged;
  written[0] = logged[0] = 0;
  return mph_open((mph_host **)state, &config);
}

static void takes_print_and_write(void **state) {
  mph_host *h = *state;
  OK(h, mph_run_string(h, "print(1, nil, 'x') assert(io.write('a', 2) == io.stdout)", "=o"));
  assert_string_equal(written, "1\tnil\tx\na2");
  assert_int_equal(mph_run_string(h, "io.write({})", "=o"), MPH_ERUN);
  OK(h,
     mph_run_string(h, "io.output('/dev/null') io.write('elsewhere') io.output(io.stdout)", "=o"));
  assert_string_equal(written, "1\tnil\tx\na2");
}

static void takes_log_and_warnings(void **state) {
  mph_host *h = *state;
  OK(h, mph_run_string(h, "require 'mphost'.log.warn('%d left', 3)", "=o"));
  assert_non_null(strstr(logged, "mphost: warn: "));
  assert_non_null(strstr(logged, " 3 left\n"));
  logged[0] = 0;
  OK(h, mph_run_string(h,
                       "warn 'quiet' warn '@on' warn('a', 'b') warn(('x'):rep(5000)) warn '@off' "
                       "warn 'quiet'",
                       "=o"));
  assert_memory_equal(logged, "Lua warning: ab\nLua warning: xxx", 32);
  assert_null(strstr(logged, "quiet"));
  assert_int_equal(strlen(logged), 16 + 1024);
}

#define WRITING(name) cmocka_unit_test_setup_teardown(name, open_writing, close_host)

int main(void) {
  const struct CMUnitTest tests[] = {WRITING(takes_print_and_write),
                                     WRITING(takes_log_and_warnings)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
