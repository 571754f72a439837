/* Process slots: see family.h. */
#include "shm/family.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/latch.h"
#include "shm/journal.h"
#include "shm/object.h"
#include "shm/stream.h"

static PROCESS_LOCAL int mine = -1;
static PROCESS_LOCAL int forked;   /* by somebody else than family_claim's caller */
static PROCESS_LOCAL int visiting; /* no member, but forked to fork members */
static PROCESS_LOCAL int members;  /* opened and not closed: Lua states; under the latch */
static _Thread_local uint64_t
    claimed_gen; /* of the slot last claimed by this thread: what its child must find there */

/* By the parent's hold, open addressing. This process's own, made when it is first asked for: holds
   that come later are no copies, and each copy is asked for once. */
static PROCESS_LOCAL struct heirloom { uint64_t hold, copy; } * heirlooms;
static PROCESS_LOCAL size_t heirloom_mask;

static struct slots *slots(void) {
  return region_at(REGION_SLOTS);
}

struct slot *family_slot(int index) {
  return &slots()->slot[index];
}

int family_index(void) {
  return mine;
}

int family_is_foreign(void) {
  return forked;
}

struct link *family_ledger(void) {
  return &family_slot(mine)->ledger;
}

static void leave_slot(void) {
  forked |= mine >= 0;
  mine = -1;
  free(heirlooms); /* the parent's */
  heirlooms = NULL;
}

/* Notes that the slot is taken by a child of ours, or by ourselves. */
static void note_claim(struct slot *slot, uint64_t state) {
  journal_set(&slot->state, state);
  journal_set(&slot->parent, (uint64_t)(mine < 0 ? 0 : mine));
  journal_set(&slot->parent_gen, mine < 0 ? 0 : family_slot(mine)->gen);
}

/* A free slot has nothing in it that anybody reads. */
static void clear_slot(struct slot *slot) {
  robust_init(&slot->life);
  list_init(&slot->ledger);
  list_init(&slot->outbox);
  memset(&slot->status, 0, sizeof slot->status);
  slot->burden = 0;
  slot->returned = 0;
  slot->status.item = STATUS_NONE;
  slot->pid = 0;
}

static void take_life(struct slot *slot) {
  robust_lock(&slot->life);
  robust_expect_waiters(&slot->life);
}

static int claim_slot(uint64_t state) {
  uint64_t i = 0, high = slots()->high;
  while (i < high && family_slot((int)i)->state != SLOT_FREE) i++;
  if (i == FAMILY_MOST) return -EAGAIN;
  struct slot *slot = family_slot((int)i);
  clear_slot(slot);
  if (i == high) journal_set(&slots()->high, high + 1);
  note_claim(slot, state);
  journal_commit();
  claimed_gen = slot->gen;
  return (int)i;
}

static int begin(void) {
  int rc = region_open();
  if (rc < 0) return rc;
  journal_init();
  stream_init();
  heap_init();
  object_init();
  journal_lock();
  mine = claim_slot(SLOT_LIVE);
  slots()->layout = FAMILY_LAYOUT;
  if (getrandom(slots()->key, sizeof slots()->key, 0) < 0) memset(slots()->key, 0, 16);
  journal_unlock();
  return 0;
}

int family_key(uint64_t key[2]) {
  if (mine < 0) return 0;
  memcpy(key, slots()->key, sizeof slots()->key);
  return (key[0] | key[1]) != 0;
}

int family_open(void) {
  latch_at_fork(leave_slot);
  latch_lock();
  int rc = forked ? -EPERM : mine < 0 && !visiting ? begin() : 0;
  if (rc == 0) members++;
  latch_unlock();
  return rc;
}

/* Whether there is no process but the first. */
static int is_alone(void) {
  if (mine != 0) return 0;
  for (int i = 1; i < (int)slots()->high; i++)
    if (family_slot(i)->state != SLOT_FREE) return 0;
  return 1;
}

void family_close(void) {
  if (mine == 0) family_scan();
  latch_lock();
  if (members > 0 && --members == 0 && is_alone() && !robust_held_in(region.base, region.size)) {
    region_close();
    mine = -1;
  }
  latch_unlock();
}

int family_claim_bare(void) {
  journal_lock();
  int index = claim_slot(SLOT_STARTING);
  journal_unlock();
  return index;
}

int family_claim(void) {
  int index = family_claim_bare();
  if (index < 0) return index;
  int rc =
      object_copy_holds(family_ledger(), &family_slot(index)->ledger); /* other threads change it */
  if (rc == 0) return index;
  family_reap(index);
  return rc;
}

uint64_t family_gen(int index) {
  return family_slot(index)->gen;
}

void family_visit(void) {
  forked = 0;
  visiting = 1;
}

int family_attach(const int fds[REGION_FDS], uint64_t base, uint64_t size) {
  int rc = region_attach(fds, base, size);
  if (rc == 0) family_visit();
  return rc;
}

int family_adopt(int index, uint64_t gen) {
  claimed_gen = gen;
  return family_enter(index);
}

int family_enter(int index) {
  struct slot *slot = family_slot(index);
  take_life(slot);
  journal_lock();
  int late = slot->state != SLOT_STARTING || slot->gen != claimed_gen;
  if (!late) {
    journal_set(&slot->state, SLOT_LIVE);
    journal_commit();
  }
  journal_unlock();
  if (late) return -ESTALE;
  forked = visiting = 0;
  mine = index;
  family_note_pid(index, getpid());
  return 0;
}

/* ---- for event loops ---- */

void family_note_pid(int index, pid_t pid) {
  atomic_store(&family_slot(index)->pid, (uint64_t)pid);
  atomic_fetch_add(&slots()->arrivals, 1); /* seq_cst: before the look at the observers */
  if (atomic_load(&slots()->observers)) bell_ring(region_bell);
}

void family_observe(int change) {
  atomic_fetch_add(&slots()->observers, (uint32_t)change);
}

uint32_t family_arrivals(void) {
  return atomic_load(&slots()->arrivals);
}

int family_high(void) {
  return (int)journal_glance(&slots()->high);
}

pid_t family_pid(int index, uint64_t *gen) {
  const struct slot *slot = family_slot(index);
  *gen = journal_glance(&slot->gen);
  if (journal_glance(&slot->state) == SLOT_FREE) return 0;
  return (pid_t)atomic_load(&slot->pid);
}

static void note_free(struct slot *slot) {
  object_condemn(&slot->ledger);
  object_condemn(&slot->outbox);
  journal_set(&slot->state, SLOT_FREE);
  journal_set(&slot->gen, slot->gen + 1);
}

void family_return(void) {
  atomic_store(&family_slot(mine)->returned, 1);
}

int family_returned(int index) {
  return atomic_load(&family_slot(index)->returned) != 0;
}

static _Atomic uint64_t reaped; /* clock_now() */

uint64_t family_last_reap(void) {
  return atomic_load_explicit(&reaped, memory_order_relaxed);
}

uint64_t family_reap(int index) {
  atomic_store_explicit(&reaped, (uint64_t)clock_now(), memory_order_relaxed);
  struct slot *slot = family_slot(index);
  journal_lock();
  struct block *left = list_first(&slot->outbox);
  if (left) {
    list_remove(&left->link);
    list_insert(family_ledger(), &left->link);
  }
  note_free(slot);
  journal_commit();
  journal_unlock();
  object_sweep();
  return left ? region_offset(left) : 0;
}

/* Under the journal's lock: whether nobody will ever wait for this process: it is dead, and so is
 * the parent that would have.
 */
static int is_orphan(const struct slot *slot, int index) {
  if (slot->state == SLOT_FREE || index == mine) return 0;
  const struct slot *parent = family_slot((int)slot->parent);
  if (slot->parent == 0) return 0; /* the first lives as long as anybody */
  if (parent->state == SLOT_LIVE && parent->gen == slot->parent_gen &&
      !robust_is_free(&parent->life))
    return 0;
  return robust_is_free(&slot->life);
}

int family_scan(void) {
  int found = 0;
  for (int i = 1; i < (int)journal_glance(&slots()->high); i++) {
    struct slot *slot = family_slot(i);
    if (journal_glance(&slot->state) == SLOT_FREE) continue;
    journal_lock(); /* a slot that is free may get a new life lock at any moment, others not */
    if (is_orphan(slot, i)) {
      note_free(slot);
      journal_commit();
      found++;
    }
    journal_unlock();
  }
  if (found) object_sweep();
  return found;
}

/* Under the journal's lock. */
static int is_corpse(const struct slot *slot) {
  return slot->state == SLOT_LIVE && robust_is_free(&slot->life) && !list_empty(&slot->ledger);
}

void family_bury(void) {
  int found = 0;
  for (int i = 1; i < (int)journal_glance(&slots()->high); i++) {
    struct slot *slot = family_slot(i);
    if (i == mine || journal_glance(&slot->state) != SLOT_LIVE) continue;
    journal_lock();
    if (is_corpse(slot)) {
      object_condemn(&slot->ledger);
      journal_commit();
      found = 1;
    }
    journal_unlock();
  }
  if (found) object_sweep();
}

uint64_t family_id_at(int index) {
  return family_slot(index)->gen << 16 | (uint64_t)(index + 1);
}

uint64_t family_id(void) {
  return mine < 0 ? 0 : family_id_at(mine);
}

int family_lives(uint64_t id) {
  const struct slot *slot = family_slot((int)(id & 0xffff) - 1);
  if ((id & 0xffff) == 1) return slot->gen == id >> 16;
  return slot->state == SLOT_LIVE && slot->gen == id >> 16 && !robust_is_free(&slot->life);
}

/* ---- holds that came with the fork ---- */

static struct heirloom *heirloom(uint64_t hold) {
  size_t i = (size_t)(hold / 64 * 0x9e3779b97f4a7c15u >> 20) & heirloom_mask;
  while (heirlooms[i].hold && heirlooms[i].hold != hold) i = (i + 1) & heirloom_mask;
  return &heirlooms[i];
}

/* Calls back with each hold of the ledger that is a copy: how many. Only we change our ledger. */
static size_t copies(void (*each)(const struct block *copy)) {
  struct link *ledger = family_ledger();
  size_t n = 0;
  for (uint64_t at = ledger->next; at != region_offset(ledger);) {
    struct block *block = region_at(at - offsetof(struct block, link));
    at = block->link.next;
    if (block->kind != BLOCK_HOLD || !block->note) continue;
    n++;
    if (each) each(block);
  }
  return n;
}

static void keep_heirloom(const struct block *copy) {
  *heirloom(copy->note) = (struct heirloom){copy->note, region_offset(copy)};
}

static int collect_heirlooms(void) {
  size_t room = 16, n = copies(NULL);
  while (room < 2 * n) room *= 2;
  heirlooms = calloc(room, sizeof *heirlooms);
  if (!heirlooms) return 0;
  heirloom_mask = room - 1;
  copies(keep_heirloom);
  return 1;
}

uint64_t family_inherited(uint64_t hold) {
  if (!heirlooms && !collect_heirlooms()) return 0;
  struct heirloom *found = heirloom(hold);
  uint64_t copy = found->copy;
  found->copy = 0; /* given up once; the entry stays for the others' sake */
  return copy;
}
