/* One segment of a dict: a table of entries with open addressing, and how an entry changes.

   An entry is a cache line: one word of state, a key, and two halves for the value of which the
   state names the valid one. The state says all there is to know: whether the entry is live, kind
   and length of key and value, the valid half, 16 bits of the key's hash, and a version. So a store
   of the state commits: a new value is written in the other half first, a new key in an entry that
   is not live. Whoever dies before that store has done nothing, after it everything.

   What does not fit stands in a block of its own that the table's block owns, and goes with it:
   then the state and the owners of the blocks change in one transaction (journal.h). A value that
   is large or carries handles is an object (object.h) on which the table has a hold: who reads it
   takes a hold too and needs the segment no longer.

   All words are of the holder of `lock` only.
   table    the block's offset, in the low bits the logarithm of its size in lines of 64 bytes, one
            of which is its header; 0: none yet. Changes in a transaction, with who owns the blocks.
   count    live entries.
   used     live ones, and those a delete left marked because searches lead over them. count and
            used are not part of a commit: who inherits the lock from a dead owner counts anew.
   changes  grows before each commit: where versions come from, so no two states of a key are the
            same (until 2^32 changes of the segment later). */
#ifndef SHM_DICT_TABLE_H
#define SHM_DICT_TABLE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/heap.h"
#include "shm/robust.h"

#define ENTRY_KEY 24   /* bytes of a key that stand in the entry */
#define ENTRY_VALUE 16 /* bytes of a value that do */

/* The state's parts; 0 as a whole: never used. */
#define STATE_LIVE ((uint64_t)1)
#define STATE_GONE ((uint64_t)2)
#define STATE_HALF 2     /* where the bits begin: 1 bit, */
#define STATE_VALUE 3    /* 5, */
#define STATE_KEY 8      /* 6, */
#define STATE_TAG 16     /* 16, */
#define STATE_VERSION 32 /* and the rest */

/* What belongs to the key. */
#define STATE_TELLS (STATE_LIVE | (uint64_t)63 << STATE_KEY | (uint64_t)0xffff << STATE_TAG)

enum { /* kinds of values; less: so many bytes in the entry */
       VALUE_INTEGER = ENTRY_VALUE + 1,
       VALUE_FLOAT,
       VALUE_BLOCK, /* offset, size */
       VALUE_HOLD   /* the hold's offset, size */
};

enum {                            /* kinds of keys; less: a string of so many bytes in the entry */
       KEY_BLOCK = ENTRY_KEY + 1, /* offset, size, hash */
       KEY_INTEGER,
       KEY_BOOLEAN
};

struct entry {
  _Atomic uint64_t state;
  uint64_t key[3]; /* a short string is filled up with zeros */
  uint64_t half[2][2];
};
_Static_assert(sizeof(struct entry) == 64, "one cache line");

struct segment {
  robust lock;
  uint64_t table;
  uint32_t count, used;
  uint64_t changes;
};
_Static_assert(sizeof(struct segment) == 64, "one cache line");

/* A key that is looked for. */
struct probe {
  uint64_t hash;
  uint64_t want; /* the state's bits that tell: live, key, tag */
  uint64_t key[3];
  const char *bytes; /* of a string too long for an entry */
};

/* A change of one entry: its new state, the blocks that come to belong to the table (0: none) and
 * those that no longer do. */
struct change {
  struct entry *entry;
  uint64_t state;
  uint64_t in[2], out[2];
};

static inline unsigned state_key(uint64_t state) {
  return state >> STATE_KEY & 63;
}

static inline unsigned state_value(uint64_t state) {
  return state >> STATE_VALUE & 31;
}

static inline uint64_t *state_half(struct entry *entry, uint64_t state) {
  return entry->half[state >> STATE_HALF & 1];
}

static inline uint64_t entry_state(const struct entry *entry) {
  return atomic_load_explicit(&entry->state, memory_order_relaxed); /* under the lock */
}

static inline struct entry *table_entries(uint64_t table) {
  return heap_payload(table & ~(uint64_t)63);
}

/* How many entries the table has. */
static inline uint64_t table_room(uint64_t table) {
  return ((uint64_t)1 << (table & 63)) - 1;
}

/* The live entry with the key, or NULL. */
struct entry *table_find(const struct segment *segment, const struct probe *probe);

/* Makes sure that one more key has a place; the table is of the dict whose block is given: 0 or
 * -ENOMEM. *old: a block of this process's ledger to be dropped after the lock is given back, or 0.
 */
int table_reserve(struct segment *segment, uint64_t dict, const uint64_t seed[2], uint64_t *old);

/* The place for a key that is not there. */
struct entry *table_vacant(const struct segment *segment, const struct probe *probe);

/* Carries out a change; blocks that go are in this process's ledger then. */
void table_commit(struct segment *segment, const struct change *change);

/* After the entry's delete was committed: entries that end no search need not stay marked, and a
 * table that is nearly empty becomes smaller if there is memory. *old: as above. */
void table_tidy(struct segment *segment, struct entry *entry, uint64_t dict, const uint64_t seed[2],
                uint64_t *old);

/* Counts the entries: what count and used should be. */
void table_recount(struct segment *segment);

#endif
