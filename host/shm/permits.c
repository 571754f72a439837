/* Bounded semaphores: see permits.h. */
#include "shm/permits.h"

#include "shm/family.h"
#include "shm/object.h"

uint64_t permits_new(uint32_t n, struct link *list, uint64_t *hold) {
  size_t size = sizeof(struct permits) + n * sizeof(uint64_t);
  uint64_t offset = object_new(size, BLOCK_PERMITS, list, hold);
  if (offset) ((struct permits *)heap_payload(offset))->n = n;
  return offset;
}

static uint64_t owner_of(struct permits *p, uint32_t i) {
  return atomic_load(&p->owner[i]); /* seq_cst: the look between gate_enter and gate_sleep */
}

/* Makes one that is `from`'s `to`'s: 1 or 0. */
static int move(struct permits *p, uint64_t from, uint64_t to) {
  uint32_t i = atomic_load_explicit(&p->hint, memory_order_relaxed);
  for (uint32_t k = 0; k < p->n; k++, i = i + 1 == p->n ? 0 : i + 1) {
    uint64_t old = from;
    if (owner_of(p, i) != from || !atomic_compare_exchange_strong(&p->owner[i], &old, to)) continue;
    if (k) atomic_store_explicit(&p->hint, i, memory_order_relaxed);
    return 1;
  }
  return 0;
}

static int inherit(struct permits *p, uint64_t id) {
  for (uint32_t i = 0; i < p->n; i++) {
    uint64_t owner = owner_of(p, i);
    if (owner && owner != id && !family_lives(owner) &&
        atomic_compare_exchange_strong(&p->owner[i], &owner, id))
      return 1;
  }
  return 0;
}

/* PERMITS_OK, PERMITS_DIED, or -EAGAIN. */
static int try_take(struct permits *p, uint64_t id) {
  if (move(p, 0, id)) return PERMITS_OK;
  return inherit(p, id) ? PERMITS_DIED : -EAGAIN;
}

/* The next sleeper's wake may have been ours; see semaphore.h. */
static int taken(struct permits *p, int rc) {
  for (uint32_t i = 0; i < p->n; i++) {
    if (owner_of(p, i)) continue;
    gate_wake(&p->gate, 1);
    break;
  }
  return rc;
}

static int acquire_asleep(struct permits *p, uint64_t id, int64_t deadline) {
  for (;;) {
    uint32_t turn = gate_enter(&p->gate);
    int rc = try_take(p, id);
    if (rc >= 0) return taken(p, rc);
    rc = gate_sleep(&p->gate, turn, deadline);
    if (rc < 0) return rc;
  }
}

int permits_acquire(struct permits *p, int64_t deadline) {
  uint64_t id = family_id();
  int rc = try_take(p, id);
  if (rc >= 0) return rc;
  if (deadline != CLOCK_NEVER && clock_now() >= deadline) return -ETIMEDOUT;
  for (int spins = futex_spins(); spins > 0; spins--) {
    futex_pause();
    uint32_t hint = atomic_load_explicit(&p->hint, memory_order_relaxed);
    if (owner_of(p, hint) == 0 && move(p, 0, id)) return PERMITS_OK;
  }
  return acquire_asleep(p, id, deadline);
}

int permits_release(struct permits *p) {
  if (!move(p, family_id(), 0)) return -EPERM;
  gate_wake(&p->gate, 1);
  return 0;
}

uint32_t permits_value(struct permits *p) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < p->n; i++) {
    uint64_t owner = owner_of(p, i);
    n += !owner || !family_lives(owner);
  }
  return n;
}

uint32_t permits_mine(struct permits *p) {
  uint64_t id = family_id();
  uint32_t n = 0;
  for (uint32_t i = 0; i < p->n; i++) n += owner_of(p, i) == id;
  return n;
}
