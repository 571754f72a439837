/* Closing what was inherited: see descriptors.h. */
#include "os/descriptors.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static int is_kept(int fd, const int *keep, int n) {
  for (int i = 0; i < n; i++)
    if (keep[i] == fd) return 1;
  return fd <= STDERR_FILENO;
}

void descriptors_close_but(const int *keep, int n) {
  DIR *dir = opendir("/proc/self/fd");
  if (!dir) return;
  for (struct dirent *entry; (entry = readdir(dir));) {
    int fd = atoi(entry->d_name);
    if (fd != dirfd(dir) && !is_kept(fd, keep, n)) close(fd);
  }
  closedir(dir);
}
