/* Waking who is in poll: see bell.h. */
#include "os/bell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The numbers 0 to 2 are stdio's, even while they are closed. */
int bell_open(void) {
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return -errno;
  if (fd > STDERR_FILENO) return fd;
  int high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), error = errno;
  close(fd);
  return high < 0 ? -error : high;
}

/* It cannot fail but by a number that no counting reaches. A caller's errno is its own. */
void bell_ring(int bell) {
  uint64_t one = 1;
  int error = errno;
  if (bell >= 0 && write(bell, &one, sizeof one) < 0) errno = error;
}
