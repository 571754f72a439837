/* The numbers 0 to 2 are stdio's, even while they are closed: no descriptor of ours takes one, or a
   child's stdin would land on it. */
#ifndef OS_LIFT_H
#define OS_LIFT_H

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* What a system call has just given, as a descriptor beyond stdio's that a program does not
   inherit, or -errno, which errno says, too. */
static inline int lift(int fd) {
  if (fd < 0) return -errno;
  if (fd > STDERR_FILENO) return fd;
  int high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), error = errno;
  close(fd);
  errno = error;
  return high < 0 ? -error : high;
}

#endif
