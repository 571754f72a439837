/* map_commit as a spec wishes it: this fallocate stands in front of the C library's. Include once.
 */
#ifndef SPEC_SHM_MEMORY_H
#define SPEC_SHM_MEMORY_H

#include <errno.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int no_memory; /* set: nothing can be committed */

int fallocate(int fd, int mode, off_t offset, off_t size) {
  if (!no_memory || mode != 0) return (int)syscall(SYS_fallocate, fd, mode, offset, size);
  errno = ENOSPC;
  return -1;
}

#endif
