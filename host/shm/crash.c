/* The last words of the dead: see crash.h. */
#include "shm/crash.h"

#include <string.h>

#include "shm/family.h"
#include "shm/region.h"

struct crashes {
  _Atomic uint64_t next;
  uint64_t pad[7];
  struct crash crash[CRASHES];
};
_Static_assert(REGION_CRASHES + sizeof(struct crashes) <= REGION_BOOKS, "they have their place");

static struct crashes *crashes(void) {
  return region_at(REGION_CRASHES);
}

struct crash *crash_begin(void) {
  uint64_t turn = atomic_fetch_add_explicit(&crashes()->next, 1, memory_order_relaxed);
  struct crash *crash = &crashes()->crash[turn % CRASHES];
  atomic_store(&crash->id, 0); /* seq_cst: before anything in it changes */
  atomic_store_explicit(&crash->frames, 0, memory_order_relaxed);
  atomic_store_explicit(&crash->native, 0, memory_order_relaxed);
  atomic_store_explicit(&crash->lua, 0, memory_order_relaxed);
  return crash;
}

void crash_show(struct crash *crash) {
  /* release: who finds it sees what it says */
  atomic_store_explicit(&crash->id, family_id(), memory_order_release);
}

static uint32_t at_most(uint32_t n, uint32_t most) {
  return n < most ? n : most;
}

int crash_find(uint64_t id, struct crash *copy) {
  for (int i = 0; i < CRASHES; i++) {
    struct crash *crash = &crashes()->crash[i];
    if (atomic_load_explicit(&crash->id, memory_order_acquire) != id) continue;
    uint32_t frames = atomic_load_explicit(&crash->frames, memory_order_acquire);
    uint32_t native = atomic_load_explicit(&crash->native, memory_order_acquire);
    uint32_t lua = atomic_load_explicit(&crash->lua, memory_order_acquire);
    memcpy(copy, crash, sizeof *copy);
    copy->frames = at_most(frames, CRASH_FRAMES);
    copy->native = at_most(native, CRASH_TEXT - 1);
    copy->lua = at_most(lua, CRASH_TEXT - 1);
    atomic_thread_fence(memory_order_acquire); /* the copy, then the second look */
    return atomic_load(&crash->id) == id;
  }
  return 0;
}
