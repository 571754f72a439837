/* A block that children do not get: see reserve.h. */
#include "os/reserve.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
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

/* The whole pages in it. */
static void advise(int advice) {
  const uintptr_t page = 4096;
  uintptr_t at = (uintptr_t)reserve.block;
  uintptr_t from = (at + MARGIN + page - 1) / page * page;
  uintptr_t to = (at + malloc_usable_size(reserve.block) - MARGIN) / page * page;
  if (to > from) madvise((void *)from, to - from, advice);
}

static void forget(void) {
  reserve.block = NULL;
  reserve.size = 0;
  reserve.withdrawn = 0;
}

static void *release(void) {
  void *block = reserve.block;
  if (reserve.withdrawn) advise(MADV_DOFORK);
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
    advise(MADV_DONTFORK);
  }
  latch_unlock();
}

void reserve_end(void) {
  if (!reserve.size) return;
  latch_lock();
  if (reserve.withdrawn) advise(MADV_DOFORK);
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
