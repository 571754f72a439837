/* A hash table of keys and values that all processes change, whole whatever dies when.

   A dict is an object (object.h) with a fixed number of segments, each with a lock and a table of
   its own (dict_table.h). A key's hash, made under a secret seed, says in which segment it is. An
   operation on one key holds its segment's lock for a search and a store; those that see the whole
   dict (length, snapshot, clear) hold all of them, taken in order: what they see is one moment.

   seed      written before anybody knows the dict.
   segment   by the holder of its lock. Dies holding it: the next owner passes the journal's lock
             once (committed notes are carried out) and counts the segment's entries; it finds each
             key with its value of before or after. clear is one transaction over all segments.

   The dict owns the tables' blocks, and they own what does not fit in their entries.
   Lock order: segments by number, journal. */
#ifndef SHM_DICT_H
#define SHM_DICT_H

#include <stddef.h>
#include <stdint.h>

#include "shm/dict_table.h"
#include "shm/heap.h"
#include "shm/queue.h" /* struct buffer */

#define DICT_SEGMENTS 32
#define DICT_COPY 1024 /* bytes: larger values are objects */

struct dict {
  uint64_t seed[2];
  uint64_t pad[6];
  struct segment segment[DICT_SEGMENTS];
};

enum dict_key_kind { DICT_STRING, DICT_INTEGER, DICT_BOOLEAN };

struct dict_key {
  uint32_t kind;
  uint64_t word;     /* the integer or the boolean */
  const char *bytes; /* the string's */
  size_t size;
};

enum dict_value_kind {
  DICT_NOTHING, /* no value: what deletes, what is not there */
  DICT_NUMBER,  /* an integer: its bits in `word` */
  DICT_FLOAT,   /* a double: its bits in `word` */
  DICT_BYTES,   /* up to DICT_COPY bytes */
  DICT_HELD     /* bytes of an object; `word` is a hold on it, of this process's ledger */
};

struct dict_value {
  uint32_t kind;
  uint64_t word;
  const char *bytes;
  size_t size;
};

/* A new dict with one hold in the list: its offset and *hold; 0: no memory. */
uint64_t dict_new(struct link *list, uint64_t *hold);

/* The value of the key: 1, or 0 and DICT_NOTHING, or -ENOMEM. Bytes stand in `room`. What is held
 * is the caller's to drop. *seen, unless NULL: what dict_put may expect. */
int dict_get(uint64_t dict, const struct dict_key *key, struct dict_value *value,
             char room[DICT_COPY], uint64_t *seen);

int dict_has(uint64_t dict, const struct dict_key *key);

/* Gives the key the value, or deletes it: 1 it was there, 0 it was not; -EAGAIN: it was changed
   since `expected` was seen (NULL: that does not matter); -ENOMEM. A hold that is put is the dict's
   then; on failure it is still the caller's. */
int dict_put(uint64_t dict, const struct dict_key *key, const struct dict_value *value,
             const uint64_t *expected);

/* Adds a number to the key's, as Lua adds (integers wrap around, else floats); what is not there is
   the integer 0. 0 and the value before; -EDOM: it is no number; -ENOMEM. */
int dict_add(uint64_t dict, const struct dict_key *key, const struct dict_value *number,
             struct dict_value *before);

/* Deletes all keys, in one step. */
void dict_clear(uint64_t dict);

/* How many keys there are at one moment. */
uint64_t dict_length(uint64_t dict);

/* All keys and values at one moment, one after the other in the buffer, for dict_next: 0 or
   -ENOMEM. With only_keys the values are DICT_NOTHING. What is held is the caller's to drop. */
int dict_snapshot(uint64_t dict, struct buffer *into, int only_keys);

/* The next one of a snapshot from *at on, which begins at 0: 1, or 0: no more. */
int dict_next(const struct buffer *snapshot, size_t *at, struct dict_key *key,
              struct dict_value *value);

#endif
