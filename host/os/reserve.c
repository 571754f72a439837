/* A block that children do not get: see reserve.h. */
#include "os/reserve.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "os/latch.h"
#include "os/memory.h"

#define MARGIN 64 /* malloc's own words at both ends */

static struct {
  void *block;
  _Atomic size_t size; /* as it was asked for; 0: not to be had */
  int withdrawn;
} reserve;
static atomic_int served;

static void forget(void) {
  reserve.block = NULL;
  reserve.size = 0;
  reserve.withdrawn = 0;
}

static void *release(void) {
  void *block = reserve.block;
  if (reserve.withdrawn) memory_advise(reserve.block, MARGIN, MADV_DOFORK);
  forget();
  return block;
}

void reserve_serves(void) {
#ifndef __SANITIZE_ADDRESS__ /* which looks into blocks by itself, in children too */
  served = 1;
#endif
}

void reserve_begin(size_t size) {
  if (!served || size < RESERVE_LEAST) return;
  latch_at_fork(forget);
  latch_lock();
  free(release());
  reserve.block = malloc(size);
  if (reserve.block) {
    reserve.withdrawn = 1;
    reserve.size = size;
    memory_advise(reserve.block, MARGIN, MADV_DONTFORK);
  }
  latch_unlock();
}

void reserve_end(void) {
  if (!reserve.size) return;
  latch_lock();
  if (reserve.withdrawn) memory_advise(reserve.block, MARGIN, MADV_DOFORK);
  reserve.withdrawn = 0;
  latch_unlock();
}

void *reserve_take(size_t size) {
  if (size != reserve.size) return NULL;
  latch_lock();
  void *block = size == reserve.size && !reserve.withdrawn ? release() : NULL;
  latch_unlock();
  if (block) memory_fill(block, size);
  return block;
}

void reserve_drop(void) {
  latch_lock();
  free(release());
  latch_unlock();
}
