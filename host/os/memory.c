/* Memory that may be used: see memory.h. A missing or foreign file means no limit. */
#include "os/memory.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Adds the numbers in the file's lines that begin with one of the names; NULL: the file is one
   number. UINT64_MAX: there is none. */
static uint64_t numbers(const char *path, const char *const *names) {
  char line[256];
  unsigned long long number;
  uint64_t sum = UINT64_MAX;
  FILE *file = fopen(path, "re");
  if (!file) return sum;
  while (fgets(line, sizeof line, file)) {
    const char *at = names ? NULL : line;
    for (const char *const *name = names; name && *name; name++)
      if (strncmp(line, *name, strlen(*name)) == 0) at = line + strlen(*name);
    if (at && sscanf(at, " %llu", &number) == 1) sum = sum == UINT64_MAX ? number : sum + number;
  }
  fclose(file);
  return sum;
}

static uint64_t of_system(void) {
  static const char *const names[] = {"MemAvailable:", "SwapFree:", NULL};
  uint64_t kilobytes = numbers("/proc/meminfo", names);
  return kilobytes > UINT64_MAX / 1024 ? UINT64_MAX : kilobytes * 1024;
}

/* What the limit of one group leaves. Pages of files can be dropped, so they do not count. */
static uint64_t of_group(const char *base, const char *group, int v2) {
  static const char *const cached[] = {"inactive_file ", "active_file ", NULL};
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s%s/%s", base, group, v2 ? "memory.max" : "memory.limit_in_bytes");
  uint64_t limit = numbers(path, NULL);
  if (limit == UINT64_MAX) return limit;
  snprintf(path, sizeof path, "%s%s/%s", base, group,
           v2 ? "memory.current" : "memory.usage_in_bytes");
  uint64_t used = numbers(path, NULL);
  snprintf(path, sizeof path, "%s%s/memory.stat", base, group);
  uint64_t cache = numbers(path, cached);
  if (used == UINT64_MAX) return limit;
  if (cache != UINT64_MAX) used -= cache < used ? cache : used;
  return limit > used ? limit - used : 0;
}

/* A limit may stand on any level above. */
static uint64_t of_groups(const char *base, char *group, int v2) {
  uint64_t least = of_group(base, "", v2);
  for (char *end = group + strlen(group); end > group + 1; end = strrchr(group, '/')) {
    *end = 0;
    uint64_t left = of_group(base, group, v2);
    if (left < least) least = left;
  }
  return least;
}

uint64_t memory_available(void) {
  char line[PATH_MAX];
  uint64_t least = of_system();
  FILE *file = fopen("/proc/self/cgroup", "re");
  if (!file) return least;
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    uint64_t left = UINT64_MAX;
    char *v1 = strstr(line, ":memory:");
    if (strncmp(line, "0::", 3) == 0) left = of_groups("/sys/fs/cgroup", line + 3, 1);
    if (v1) left = of_groups("/sys/fs/cgroup/memory", v1 + strlen(":memory:"), 0);
    if (left < least) least = left;
  }
  fclose(file);
  return least;
}

enum { KEPT = 2 }; /* a string just received, and the one before that is garbage by now */

static void *_Atomic kept[KEPT];
static atomic_int none;

int memory_advise(void *block, size_t margin, int advice) {
  const uintptr_t page = 4096;
  uintptr_t from = ((uintptr_t)block + margin + page - 1) / page * page;
  uintptr_t to = ((uintptr_t)block + malloc_usable_size(block) - margin) / page * page;
  return to > from && madvise((void *)from, to - from, advice) == 0;
}

int memory_keep(void *block) {
  if (none || !memory_advise(block, 0, MADV_FREE)) return 0;
  for (int i = 0; i < KEPT && block; i++) block = atomic_exchange(&kept[i], block);
  free(block); /* the oldest */
  return 1;
}

/* What is found on the way and does not fit is given back: sizes have changed. */
void *memory_kept(size_t size) {
  for (int i = 0; i < KEPT; i++) {
    if (!kept[i]) continue;
    void *block = atomic_exchange(&kept[i], NULL);
    size_t room = block ? malloc_usable_size(block) : 0;
    if (room >= size && room / 2 <= size) return block;
    free(block);
  }
  return NULL;
}

void memory_drop(void) {
  for (int i = 0; i < KEPT; i++) free(atomic_exchange(&kept[i], NULL));
}

void memory_keep_none(void) {
  none = 1;
  memory_drop();
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Where there is no such advice, or no memory, pages come as they are touched. */
void memory_fill(void *block, size_t size) {
  const uintptr_t page = 4096;
  uintptr_t from = (uintptr_t)block / page * page;
  uintptr_t to = ((uintptr_t)block + size) / page * page;
  if (to > from) madvise((void *)from, to - from, MADV_POPULATE_WRITE);
}

/* glibc joins them when a block is asked for that is too large for its small bins. */
void memory_settle(void) {
  void *volatile large = malloc(2048);
  free(large);
}

uint64_t memory_private(pid_t pid) {
  char path[32] = "/proc/self/statm", text[128], *at = text;
  if (pid) snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  strtoull(at, &at, 10); /* its address space */
  uint64_t resident = strtoull(at, &at, 10), shared = strtoull(at, &at, 10);
  return resident > shared ? (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}
