/* A family looked at from outside: see peek.h. */
#include "shm/peek.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REGION_LINK "/memfd:mphost (deleted)"

static int is_region(const char *path) {
  char link[sizeof REGION_LINK + 1];
  ssize_t n = readlink(path, link, sizeof link);
  return n == sizeof REGION_LINK - 1 && memcmp(link, REGION_LINK, (size_t)n) == 0;
}

int peek_open(int pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd", pid);
  DIR *dir = opendir(path);
  if (!dir) return errno == ENOENT ? -ESRCH : -errno;
  int found = -ENOENT;
  for (struct dirent *entry; found == -ENOENT && (entry = readdir(dir));) {
    snprintf(path, sizeof path, "/proc/%d/fd/%.20s", pid, entry->d_name);
    if (!is_region(path)) continue;
    found = open(path, O_RDONLY | O_CLOEXEC);
    if (found < 0) found = -errno;
  }
  closedir(dir);
  return found;
}

static int read_at(int fd, void *to, size_t size, uint64_t offset) {
  ssize_t n = pread(fd, to, size, (off_t)offset);
  return n < 0 ? -errno : (size_t)n == size ? 0 : -EPROTO;
}

int peek_read(int fd, struct peek *list, int most) {
  struct slots head;
  struct slot slot;
  int n = 0, rc = read_at(fd, &head, sizeof head, REGION_SLOTS);
  if (rc == 0 && (head.layout != FAMILY_LAYOUT || head.high > FAMILY_MOST)) rc = -EPROTO;
  for (uint64_t i = 0; rc == 0 && i < head.high && n < most; i++) {
    rc = read_at(fd, &slot, sizeof slot, REGION_SLOTS + sizeof head + i * sizeof slot);
    uint32_t pid = atomic_load(&slot.life.word) & FUTEX_TID_MASK;
    if (rc < 0 || slot.state != SLOT_LIVE || (i > 0 && pid == 0)) continue;
    list[n++] = (struct peek){.slot = (int)i, .parent = (int)slot.parent, .pid = pid};
    memcpy(&list[n - 1].status, &slot.status, sizeof slot.status);
  }
  return rc < 0 ? rc : n;
}
