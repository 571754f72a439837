/* Blocks of shared memory: see heap.h. */
#include "shm/heap.h"

#include <errno.h>
#include <string.h>

#include "shm/journal.h"
#include "shm/region.h"

#define CLASSES 128
#define STEP ((uint64_t)256 << 10) /* small blocks: so much is committed at a time */
#define BIG ((uint64_t)1 << 20)    /* from here on a block is committed by itself */
#define PAGES ((uint64_t)8 << 10)  /* from here on a free block may give its pages back, */
#define LOOSE ((uint64_t)16 << 10) /* and from here on serve smaller requests */

struct books {
  uint64_t top;       /* first byte never handed out */
  uint64_t committed; /* first byte not committed yet; >= top */
  uint64_t used;      /* bytes in blocks that are in use */
  uint64_t warm;      /* bytes of free blocks of PAGES and more that still have their pages */
  uint64_t free[CLASSES];
};
_Static_assert(REGION_BOOKS + sizeof(struct books) <= REGION_SLOTS, "the books have their place");

static struct books *books(void) {
  return region_at(REGION_BOOKS);
}

void heap_init(void) {
  books()->top = books()->committed = REGION_HEAP;
}

/* Sizes in units of 64: 1 2 3 4, then 5 6 7 8, 10 12 14 16, 20 ... */
static int class_of(uint64_t total) {
  uint64_t units = (total + 63) / 64;
  if (units <= 4) return (int)units - 1;
  int doubling = 61 - __builtin_clzll(units - 1);
  return 4 * doubling + (int)((units + (1ull << doubling) - 1) >> doubling) - 1;
}

static uint64_t class_size(int class) {
  if (class < 4) return 64 * ((uint64_t) class + 1);
  return 64 * (5 + ((uint64_t) class & 3)) << (class / 4 - 1);
}

void list_init(struct link *head) {
  head->next = head->prev = region_offset(head);
}

void list_insert(struct link *head, struct link *link) {
  uint64_t next = journal_get(&head->next);
  struct link *after = region_at(next);
  journal_set(&link->next, next);
  journal_set(&link->prev, region_offset(head));
  journal_set(&after->prev, region_offset(link));
  journal_set(&head->next, region_offset(link));
}

void list_append(struct link *head, struct link *link) {
  list_insert(region_at(journal_get(&head->prev)), link);
}

void list_remove(struct link *link) {
  uint64_t next = journal_get(&link->next), prev = journal_get(&link->prev);
  journal_set(&((struct link *)region_at(next))->prev, prev);
  journal_set(&((struct link *)region_at(prev))->next, next);
}

int list_empty(const struct link *head) {
  return journal_get(&head->next) == region_offset(head);
}

void list_splice(struct link *to, struct link *from) {
  if (list_empty(from)) return;
  uint64_t first = journal_get(&from->next), last = journal_get(&from->prev);
  uint64_t next = journal_get(&to->next);
  journal_set(&((struct link *)region_at(first))->prev, region_offset(to));
  journal_set(&((struct link *)region_at(last))->next, next);
  journal_set(&((struct link *)region_at(next))->prev, last);
  journal_set(&to->next, first);
  journal_set(&from->next, region_offset(from));
  journal_set(&from->prev, region_offset(from));
}

struct block *list_first(const struct link *head) {
  if (list_empty(head)) return NULL;
  return region_at(journal_get(&head->next) - offsetof(struct block, link));
}

/* Fresh memory from the top: 0 when there is none. */
static uint64_t extend(uint64_t size, int *cold) {
  struct books *b = books();
  uint64_t at = journal_get(&b->top), end = at + size;
  if (end > region.size || end < at) return 0;
  uint64_t committed = b->committed;
  if (end > committed) {
    *cold = size >= BIG;
    uint64_t until = *cold ? end : (end + STEP - 1) / STEP * STEP;
    if (until > region.size) until = region.size;
    if (!*cold && map_commit(&region, committed, until - committed) < 0) return 0;
    journal_set(&b->committed, until);
  }
  journal_set(&b->top, end);
  return at;
}

/* A free block of this class or one of the next: 0 when there is none. */
static uint64_t reuse(int class, int classes, int *cold) {
  struct books *b = books();
  for (int end = class + classes; class < end && class < CLASSES; class ++) {
    uint64_t offset = journal_get(&b->free[class]);
    if (!offset) continue;
    struct block *block = region_at(offset);
    journal_set(&b->free[class], block->link.next);
    *cold = block->note != 0;
    if (!*cold && block->size >= PAGES) journal_set(&b->warm, journal_get(&b->warm) - block->size);
    return offset;
  }
  return 0;
}

uint64_t heap_take(size_t size, int kind, struct link *list, int *cold) {
  struct books *b = books();
  *cold = 0;
  if (size > region.size) return 0;
  int class = class_of(size + HEAP_HEADER);
  uint64_t total = class_size(class), offset = reuse(class, total < LOOSE ? 1 : 4, cold);
  if (!offset && (offset = extend(total, cold)))
    block_at(offset)->size = total; /* nobody's yet: no note needed, if we die it is fresh again */
  if (!offset && !(offset = reuse(class, CLASSES, cold))) return 0; /* no memory: any will do */
  struct block *block = region_at(offset);
  total = block->size;
  /* Not in any list yet, so these may be plain: the notes below make the block known. */
  list_init(&block->owned);
  journal_set(&block->kind, (uint64_t)kind);
  journal_set(&block->refs, 0);
  journal_set(&block->note, 0);
  journal_set(&b->used, journal_get(&b->used) + total);
  list_insert(list, &block->link);
  return offset;
}

/* Notes a block that is in no list any more as free. */
static void give(struct block *block, uint64_t cold) {
  struct books *b = books();
  int class = class_of(block->size);
  if (block->size >= PAGES && !cold) journal_set(&b->warm, journal_get(&b->warm) + block->size);
  journal_set(&block->kind, BLOCK_FREE);
  journal_set(&block->note, cold);
  journal_set(&block->link.next, journal_get(&b->free[class]));
  journal_set(&b->free[class], region_offset(block));
  journal_set(&b->used, journal_get(&b->used) - block->size);
}

void heap_give(struct block *block) {
  int cold = block->size >= PAGES && journal_get(&books()->warm) + block->size > HEAP_WARM;
  /* Its contents are worth nothing any more, so this needs no transaction. The header's page stays.
   */
  if (cold) map_discard(&region, region_offset(block) + HEAP_HEADER, block->size - HEAP_HEADER);
  give(block, (uint64_t)cold);
}

/* A block whose pages could not be had goes back. */
static uint64_t warm_up(uint64_t offset) {
  struct block *block = region_at(offset);
  if (map_commit(&region, offset, block->size) == 0) return offset;
  journal_lock();
  list_remove(&block->link);
  give(block, 1);
  journal_commit();
  journal_unlock();
  return 0;
}

/* The free blocks of a class give their pages back; the lock is held. Noted first: a block that is
 * said to have pages and has none would be touched without anybody asking whether there is memory.
 */
static uint64_t reclaim_class(int class) {
  struct books *b = books();
  uint64_t bytes = 0;
  for (uint64_t at = b->free[class]; at;) {
    struct block *block = region_at(at);
    at = block->link.next;
    if (block->note) continue;
    journal_set(&block->note, 1);
    journal_set(&b->warm, journal_get(&b->warm) - block->size);
    journal_commit();
    map_discard(&region, region_offset(block) + HEAP_HEADER, block->size - HEAP_HEADER);
    bytes += block->size;
  }
  return bytes;
}

/* What blocks of other sizes hold for the next of their own, where memory has ended: bytes. */
static uint64_t reclaim(void) {
  uint64_t bytes = 0;
  for (int class = CLASSES - 1; class >= class_of(PAGES); class --) {
    if (!journal_glance(&books()->free[class])) continue;
    journal_lock();
    bytes += reclaim_class(class);
    journal_unlock();
  }
  return bytes;
}

static uint64_t alloc_once(size_t size, int kind, struct link *list, int *cold) {
  journal_lock();
  uint64_t offset = heap_take(size, kind, list, cold);
  if (offset) journal_commit();
  journal_unlock();
  return offset && *cold ? warm_up(offset) : offset;
}

uint64_t heap_alloc_fresh(size_t size, int kind, struct link *list, int *fresh) {
  uint64_t offset = alloc_once(size, kind, list, fresh);
  if (offset || size > region.size || !reclaim()) return offset;
  return alloc_once(size, kind, list, fresh);
}

uint64_t heap_alloc(size_t size, int kind, struct link *list) {
  int fresh;
  return heap_alloc_fresh(size, kind, list, &fresh);
}

size_t heap_room(uint64_t offset) {
  return ((struct block *)region_at(offset))->size - HEAP_HEADER;
}

uint64_t heap_used(void) {
  journal_lock();
  uint64_t used = books()->used;
  journal_unlock();
  return used;
}
