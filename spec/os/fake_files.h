/* Files of the system that are the spec's own: its fopen stands in front of the C library's. For
   specs of code that opens its files with fopen; to be included once in a program. */
#ifndef SPEC_OS_FAKE_FILES_H
#define SPEC_OS_FAKE_FILES_H

#include <fcntl.h>

#include "support.h"

struct fake {
  const char *path, *text;
};
static const struct fake *fakes; /* NULL: the machine's files; ends with a NULL path */

static FILE *open_fake(const char *path) {
  for (const struct fake *f = fakes; f->path; f++)
    if (strcmp(f->path, path) == 0)
      return fmemopen((void *)(uintptr_t)f->text, strlen(f->text), "r");
  errno = ENOENT;
  return NULL;
}

FILE *fopen(const char *path, const char *mode) {
  if (fakes && (strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0))
    return open_fake(path);
  int fd = open(path, mode[0] == 'r' ? O_RDONLY | O_CLOEXEC : O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  return fd < 0 ? NULL : fdopen(fd, mode[0] == 'r' ? "r" : "w");
}

#endif
