/* Closing what was inherited. */
#include "support.h"

#include <fcntl.h>

#include "os/descriptors.h"

static void all_but_some(void) {
  int fd[40];
  for (int i = 0; i < 40; i++) must((fd[i] = open("/dev/null", O_RDONLY)) > 2);
  int keep[] = {fd[3], -1, fd[39]};
  descriptors_close_but(keep, 3);
  for (int i = 0; i < 40; i++) must((fcntl(fd[i], F_GETFD) >= 0) == (i == 3 || i == 39));
  for (int i = 0; i < 3; i++) must(fcntl(i, F_GETFD) >= 0);
}

static void closes_all_but_some(void **state) {
  (void)state;
  assert_int_equal(in_child(all_but_some), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {os_case(closes_all_but_some)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
