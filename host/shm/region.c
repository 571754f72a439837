/* The family's shared memory: see region.h. */
#include "shm/region.h"

#include <errno.h>
#include <unistd.h>

#define MOST ((size_t)256 << 30) /* address space, not memory */
#define LEAST ((size_t)64 << 20)

PROCESS_LOCAL map region = {.fd = -1};
PROCESS_LOCAL int region_bell = -1;
PROCESS_LOCAL unsigned region_epoch;

int region_open(void) {
  if (region.base) return 0;
  map made;
  int rc = map_reserve(&made, MOST, LEAST);
  if (rc < 0) return rc;
  rc = map_commit(&made, 0, REGION_SLOTS + MAP_PAGE);
  int bell = rc < 0 ? rc : bell_open();
  if (bell < 0) {
    map_release(&made);
  } else {
    region = made;
    region_bell = bell;
  }
  region_epoch++;
  return bell < 0 ? bell : 0;
}

void region_descriptors(int fds[REGION_FDS]) {
  fds[0] = region.fd;
  fds[1] = region_bell;
}

int region_attach(const int fds[REGION_FDS], uint64_t base, uint64_t size) {
  map made;
  int rc = map_attach(&made, fds[0], (void *)(uintptr_t)base, size);
  if (rc < 0) return rc;
  region = made;
  region_bell = fds[1];
  region_epoch++;
  return 0;
}

void region_close(void) {
  map_release(&region);
  if (region_bell >= 0) close(region_bell);
  region_bell = -1;
}
