/* Blocks of shared memory, each in somebody's list from its first instant to its last.

   A block is a header of 64 bytes and what follows. It is always linked into exactly one list: a
   process's ledger, another block's `owned` list, a size class's free list, or the list of the
   dying. Moving between lists is one transaction (journal.h), so a process killed at any
   instruction leaks nothing: its ledger says what was its own.

   Sizes are rounded up to classes, four to a doubling, multiples of 64; a block keeps its class for
   ever, there is no coalescing. The price is address space, of which there is plenty: free blocks
   of 8 KB and more give their pages back when HEAP_WARM bytes are free, and all of them when memory
   has ended. Blocks of 16 KB and more serve requests of up to half their size, too, and when memory
   ends any that is large enough does. Fresh memory is committed before it is handed out: no memory
   is -ENOMEM here, not a SIGBUS later.

   Words: all of struct block and of the books change only in transactions, but for `kind` of a
   block its creator still keeps to itself. Who dies when: see journal.h. */
#ifndef SHM_HEAP_H
#define SHM_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "shm/region.h"

#define HEAP_HEADER 64
#define HEAP_WARM ((uint64_t)256 << 20)

enum {
  BLOCK_FREE = 0,
  BLOCK_HOLD, /* a reference to an object: no payload, `refs` is the object's offset */
  BLOCK_DATA, /* bytes */
  BLOCK_JOB,
  BLOCK_PIPE,
  BLOCK_POOL,
  BLOCK_QUEUE,
  BLOCK_VALUE,
  BLOCK_DICT,
  BLOCK_ARRAY,
  BLOCK_SLICE, /* a part of an array or file */
  BLOCK_FILE,
  BLOCK_LOCK,
  BLOCK_SEMAPHORE,
  BLOCK_PERMITS,
  BLOCK_EVENT,
  BLOCK_CONDITION,
  BLOCK_BARRIER,
  BLOCK_KINDS
};

/* A list is a ring of links through its head; offsets of links. */
struct link {
  uint64_t next, prev;
};

struct block {
  uint64_t size; /* of the class, header included */
  uint64_t kind;
  struct link link;  /* in its owner's list; the first word chains the free list */
  struct link owned; /* head of the list of what belongs to this block */
  uint64_t refs;     /* an object's holds; a hold's object */
  uint64_t note; /* a hold: the one it was copied from; a free block: whether its pages were given
                    back */
};
_Static_assert(sizeof(struct block) == HEAP_HEADER, "payloads stay aligned to cache lines");

/* Sets up an empty heap in a new region. */
void heap_init(void);

/* A new block of `size` bytes of payload (contents undefined) in a list, refs 0: its offset, or 0:
 * no memory. */
uint64_t heap_alloc(size_t size, int kind, struct link *list);

/* The same. *fresh: large, and its pages, committed just now, have not been touched by anybody
   (map_write). */
uint64_t heap_alloc_fresh(size_t size, int kind, struct link *list, int *fresh);

/* Bytes in use, headers and rounding included. */
uint64_t heap_used(void);

static inline struct block *block_at(uint64_t offset) {
  return region_at(offset);
}

static inline void *heap_payload(uint64_t block) {
  return (char *)region_at(block) + HEAP_HEADER;
}

/* How many bytes of payload the block really has. */
size_t heap_room(uint64_t block);

/* The rest only inside a transaction (journal_lock ... journal_commit). */

/* Notes a new block in the list: its offset, or 0. *cold: its pages must be committed before use.
 */
uint64_t heap_take(size_t size, int kind, struct link *list, int *cold);

/* Notes that a block, linked in no list any more, is free. */
void heap_give(struct block *block);

void list_init(
    struct link *head); /* outside of transactions: makes a list that nobody knows empty */
void list_insert(struct link *head, struct link *link); /* in front */
void list_append(struct link *head, struct link *link); /* behind the last */
void list_remove(struct link *link);
int list_empty(const struct link *head);
/* Moves all of `from` into `to`. */
void list_splice(struct link *to, struct link *from);
/* The first block of a list whose links are the `link` members: its address, or NULL. */
struct block *list_first(const struct link *head);

#endif
