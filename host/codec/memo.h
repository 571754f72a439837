/* Which ordinal an object of this message has: addresses to numbers, for the encoder.
 *
 * A handful of entries live in the struct and are searched in order, so that a message of one or
 * two tables sets nothing up; beyond that an open hash table takes over, in a userdata that stands
 * in the encoder's stack slot `home` and thus needs no freeing.
 *
 * An address names its object only as long as that lives: the encoder keeps all it has met. */
#ifndef MPHOST_CODEC_MEMO_H
#define MPHOST_CODEC_MEMO_H

#include <lua.h>
#include <stdint.h>

enum { MEMO_FEW = 8, MEMO_NONE = 0 };

typedef struct memo_entry {
  const void *key; /* NULL: a free entry of the hash table */
  uint32_t value;
} memo_entry;

typedef struct memo {
  memo_entry few[MEMO_FEW];
  memo_entry *table; /* NULL while `few` suffices */
  uint32_t count, mask;
  int home;
} memo;

static inline void memo_init(memo *m, int home) {
  m->table = NULL;
  m->count = 0;
  m->home = home;
}

/* The value kept for key; a key met for the first time is entered with the value MEMO_NONE, and
 * the caller must set it to something else before the next call. */
uint32_t *memo_entry_of(memo *m, lua_State *L, const void *key);

#endif
