/* The messages in consumers' hands: see hand.h. */
#include "shm/hand.h"

#include <errno.h>

#include "os/clock.h"
#include "shm/family.h"
#include "shm/journal.h"
#include "shm/object.h"

#define LOOK_EVERY 10000000 /* ns */

static struct link *list_of(uint64_t keeper) {
  return &block_at(keeper)->owned;
}

int hand_init(uint64_t queue) {
  struct queue *q = heap_payload(queue);
  q->hand = heap_alloc(0, BLOCK_DATA, &block_at(queue)->owned);
  q->back = heap_alloc(0, BLOCK_DATA, &block_at(queue)->owned);
  return q->hand && q->back ? 0 : -ENOMEM;
}

void hand_note(struct queue *q, struct block *block) {
  list_append(list_of(q->hand), &block->link);
  journal_set(&block->refs, family_id());
}

/* add: list_insert, to the front, or list_append */
static void note_back(struct queue *q, struct block *block,
                      void (*add)(struct link *head, struct link *link)) {
  list_remove(&block->link);
  add(list_of(q->back), &block->link);
  journal_set((uint64_t *)&q->back_count, atomic_load(&q->back_count) + 1);
}

uint64_t hand_take(struct queue *q) {
  if (atomic_load(&q->back_count) == 0) return 0;
  journal_lock();
  struct block *block = list_first(list_of(q->back));
  if (block) {
    list_remove(&block->link);
    hand_note(q, block);
    journal_set((uint64_t *)&q->back_count, atomic_load(&q->back_count) - 1);
    journal_commit();
  }
  journal_unlock();
  return block ? region_offset(block) : 0;
}

/* Under the journal's lock, nothing noted yet: the oldest in hand that is of the owner's, or of
 * anybody who is dead (0). */
static struct block *find(struct queue *q, uint64_t owner) {
  struct link *list = list_of(q->hand);
  for (uint64_t at = list->next; at != region_offset(list);) {
    struct block *block = region_at(at - offsetof(struct block, link));
    if (owner ? block->refs == owner : !family_lives(block->refs)) return block;
    at = block->link.next;
  }
  return NULL;
}

void hand_return(struct queue *q, struct block *block) {
  journal_lock();
  note_back(q, block, list_insert);
  journal_commit();
  journal_unlock();
}

int hand_done(struct queue *q) {
  journal_lock();
  struct block *block = find(q, family_id());
  if (block) { /* by way of our ledger: should we die now, it goes with us */
    list_remove(&block->link);
    list_insert(family_ledger(), &block->link);
    journal_set(&q->acked, (q->acked + 1) & QUEUE_COUNT);
    journal_commit();
  }
  journal_unlock();
  if (!block) return -ERANGE;
  object_drop(region_offset(block));
  return 0;
}

void hand_look(struct queue *q, int now) {
  uint64_t time = (uint64_t)clock_now();
  uint64_t looked = atomic_load_explicit(&q->looked, memory_order_relaxed);
  if (!now && time - looked < LOOK_EVERY && looked > family_last_reap()) return;
  atomic_store_explicit(&q->looked, time, memory_order_relaxed);
  journal_lock();
  for (struct block *block; (block = find(q, 0));) {
    note_back(q, block, list_append);
    journal_commit();
  }
  journal_unlock();
}

int hand_may_return(struct queue *q) {
  journal_lock();
  struct link *list = list_of(q->hand);
  int may = list->next != region_offset(list) && !find(q, family_id());
  journal_unlock();
  return may;
}
