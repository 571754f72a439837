/* Waking who is in poll: see bell.h. */
#include "os/bell.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/lift.h"

int bell_open(void) {
  return lift(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

/* It cannot fail but by a number that no counting reaches. A caller's errno is its own. */
void bell_ring(int bell) {
  uint64_t one = 1;
  int error = errno;
  if (bell >= 0 && write(bell, &one, sizeof one) < 0) errno = error;
}
