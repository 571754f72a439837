/* Shared objects: see object.h. */
#include "shm/object.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "shm/journal.h"
#include "shm/region.h"

static struct link *dying(void) {
  return region_at(REGION_SLOTS - sizeof(struct link));
}

void object_init(void) {
  list_init(dying());
}

/* A hold on the object, noted in the open transaction. */
static uint64_t note_hold(struct block *object, struct link *list) {
  int cold;
  uint64_t offset = heap_take(0, BLOCK_HOLD, list, &cold);
  if (!offset) return 0;
  struct block *hold = region_at(offset);
  journal_set(&hold->refs, region_offset(object));
  journal_set(&object->refs, journal_get(&object->refs) + 1);
  return offset;
}

uint64_t object_note_hold(uint64_t object, struct link *list) {
  return note_hold(region_at(object), list);
}

uint64_t object_hold(uint64_t object, struct link *list) {
  journal_lock();
  uint64_t hold = object_note_hold(object, list);
  if (hold) journal_commit();
  journal_unlock();
  return hold;
}

/* The lock is held from one transaction to the next. */
int object_copy_holds(const struct link *from, struct link *to) {
  int rc = 0;
  journal_lock();
  for (uint64_t at = from->next; at != region_offset(from);) {
    struct block *block = region_at(at - offsetof(struct block, link));
    at = block->link.next;
    if (block->kind != BLOCK_HOLD) continue;
    uint64_t copy = object_note_hold(block->refs, to);
    if (!copy && (rc = -ENOMEM) < 0) break;
    journal_set(&((struct block *)region_at(copy))->note, region_offset(block));
    journal_commit();
  }
  journal_unlock();
  return rc;
}

/* Under the journal's lock: see object_take_hold. What came first is last in the list. */
static struct block *find_hold(const struct link *owned, uint64_t object, size_t most) {
  for (uint64_t at = owned->prev; at != region_offset(owned) && most > 0; most--) {
    struct block *block = region_at(at - offsetof(struct block, link));
    if (block->kind == BLOCK_HOLD && block->refs == object) return block;
    at = block->link.prev;
  }
  return NULL;
}

uint64_t object_take_hold(uint64_t block, uint64_t object, size_t most, struct link *list) {
  journal_lock();
  struct block *hold = find_hold(&block_at(block)->owned, object, most);
  if (hold) {
    list_remove(&hold->link);
    list_insert(list, &hold->link);
    journal_commit();
  }
  journal_unlock();
  return hold ? region_offset(hold) : 0;
}

uint64_t object_share(uint64_t block, struct link *list) {
  struct block *object = region_at(block);
  journal_lock();
  /* From here on it is in no list, its holds keep it. */
  list_remove(&object->link);
  uint64_t hold = note_hold(object, list);
  if (hold) journal_commit();
  journal_unlock();
  return hold;
}

uint64_t object_new(size_t size, int kind, struct link *list, uint64_t *hold) {
  uint64_t offset = heap_alloc(size, kind, list);
  if (!offset) return 0;
  memset(heap_payload(offset), 0, size);
  *hold = object_share(offset, list);
  if (*hold) return offset;
  object_drop(offset);
  return 0;
}

void object_condemn_block(uint64_t offset) {
  struct block *block = region_at(offset);
  list_remove(&block->link);
  list_insert(dying(), &block->link);
}

typedef void end_of_block(uint64_t block);

/* Each thread that opens the library says the same. */
static _Atomic(end_of_block *) ends[BLOCK_KINDS];

void object_on_end(int kind, end_of_block *end) {
  atomic_store_explicit(&ends[kind], end, memory_order_relaxed);
}

/* Notes that a block goes: what it owns dies too, and its object if it was the last hold. */
static void take_apart(struct block *block) {
  uint64_t kind = journal_get(&block->kind);
  list_remove(&block->link);
  list_splice(dying(), &block->owned);
  end_of_block *end =
      kind < BLOCK_KINDS ? atomic_load_explicit(&ends[kind], memory_order_relaxed) : NULL;
  if (end) end(region_offset(block));
  if (kind == BLOCK_HOLD) {
    struct block *object = region_at(journal_get(&block->refs));
    uint64_t refs = journal_get(&object->refs) - 1;
    journal_set(&object->refs, refs);
    if (refs == 0) list_insert(dying(), &object->link);
  }
  heap_give(block);
}

void object_drop(uint64_t offset) {
  journal_lock();
  take_apart(region_at(offset));
  journal_commit();
  int more = !list_empty(dying());
  journal_unlock();
  if (more) object_sweep();
}

void object_move(uint64_t offset, struct link *list) {
  struct block *block = region_at(offset);
  journal_lock();
  list_remove(&block->link);
  list_insert(list, &block->link);
  journal_commit();
  journal_unlock();
}

void object_condemn(struct link *list) {
  list_splice(dying(), list);
}

void object_sweep(void) {
  struct block *block;
  do {
    journal_lock();
    block = list_first(dying());
    if (block) {
      take_apart(block);
      journal_commit();
    }
    journal_unlock();
  } while (block);
}
