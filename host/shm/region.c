/* The family's shared memory: see region.h. */
#include "shm/region.h"

#include <errno.h>

#define MOST ((size_t)256 << 30) /* address space, not memory */
#define LEAST ((size_t)64 << 20)

PROCESS_LOCAL map region = {.fd = -1};
PROCESS_LOCAL unsigned region_epoch;

int region_open(void) {
  if (region.base) return 0;
  map made;
  int rc = map_reserve(&made, MOST, LEAST);
  if (rc < 0) return rc;
  rc = map_commit(&made, 0, REGION_SLOTS + MAP_PAGE);
  if (rc < 0)
    map_release(&made);
  else
    region = made;
  region_epoch++;
  return rc;
}

int region_attach(int fd, uint64_t base, uint64_t size) {
  map made;
  int rc = map_attach(&made, fd, (void *)(uintptr_t)base, size);
  if (rc < 0) return rc;
  region = made;
  region_epoch++;
  return 0;
}

void region_close(void) {
  map_release(&region);
}
