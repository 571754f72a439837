/* One segment of a dict: see dict_table.h. */
#include "shm/dict_table.h"

#include <errno.h>
#include <string.h>

#include "shm/family.h"
#include "shm/hash.h"
#include "shm/journal.h"
#include "shm/object.h"
#include "shm/region.h"

#define FIRST 3 /* a table begins with 2^3 lines */
#define LAST 31 /* positions are made of 32 bits of the hash */

/* The hash's bits 27..58 say where a search begins, the ones below are the tag, those above choose
 * the segment. */
static uint64_t home_of(uint64_t hash, uint64_t room) {
  return ((hash >> 27 & UINT32_MAX) * room) >> 32;
}

static uint64_t after(uint64_t i, uint64_t room) {
  return i + 1 == room ? 0 : i + 1;
}

static uint64_t before(uint64_t i, uint64_t room) {
  return i == 0 ? room - 1 : i - 1;
}

static int same_key(const struct entry *e, const struct probe *p) {
  if (state_key(p->want) != KEY_BLOCK)
    return e->key[0] == p->key[0] && e->key[1] == p->key[1] && e->key[2] == p->key[2];
  return e->key[1] == p->key[1] && e->key[2] == p->key[2] &&
         memcmp(heap_payload(e->key[0]), p->bytes, p->key[1]) == 0;
}

struct entry *table_find(const struct segment *s, const struct probe *p) {
  uint64_t room = table_room(s->table);
  struct entry *entries = table_entries(s->table);
  uint64_t at = home_of(p->hash, room);
  for (uint64_t n = 0; n < room; n++, at = after(at, room)) {
    struct entry *e = &entries[at];
    uint64_t state = entry_state(e);
    if (state == 0) return NULL;
    if ((state & STATE_TELLS) == p->want && same_key(e, p)) return e;
  }
  return NULL;
}

static struct entry *vacant(uint64_t table, uint64_t hash) {
  uint64_t room = table_room(table), at = home_of(hash, room);
  struct entry *entries = table_entries(table);
  while (entry_state(&entries[at]) & STATE_LIVE) at = after(at, room);
  return &entries[at];
}

struct entry *table_vacant(const struct segment *s, const struct probe *p) {
  return vacant(s->table, p->hash);
}

static uint64_t hash_of(const struct entry *e, const uint64_t seed[2]) {
  unsigned kind = state_key(entry_state(e));
  if (kind == KEY_BLOCK) return e->key[2];
  return hash_bytes(seed, e->key, kind > ENTRY_KEY ? sizeof(uint64_t) : kind);
}

static void copy_entries(const struct segment *s, uint64_t table, const uint64_t seed[2]) {
  const struct entry *from = table_entries(s->table);
  for (uint64_t i = 0, room = table_room(s->table); i < room; i++)
    if (entry_state(&from[i]) & STATE_LIVE)
      memcpy(vacant(table, hash_of(&from[i], seed)), &from[i], sizeof *from);
}

/* One transaction: what the old table owned is the new one's, the old one is this process's. */
static void switch_table(struct segment *s, uint64_t dict, uint64_t block, unsigned lines) {
  struct block *old = s->table ? block_at(s->table & ~(uint64_t)63) : NULL;
  journal_lock();
  list_remove(&block_at(block)->link);
  list_insert(&block_at(dict)->owned, &block_at(block)->link);
  if (old) {
    list_splice(&block_at(block)->owned, &old->owned);
    list_remove(&old->link);
    list_insert(family_ledger(), &old->link);
  }
  journal_set(&s->table, block | lines);
  journal_commit();
  journal_unlock();
}

/* A table in which half the entries are free when it has `wanted`. */
static int resize(struct segment *s, uint64_t dict, const uint64_t seed[2], uint64_t wanted,
                  uint64_t *old) {
  unsigned lines = FIRST;
  while (((uint64_t)1 << lines) - 1 < 2 * wanted) lines++;
  if (lines > LAST) return -ENOMEM;
  size_t size = ((size_t)64 << lines) - HEAP_HEADER;
  uint64_t block = heap_alloc(size, BLOCK_DATA, family_ledger());
  if (!block) return -ENOMEM;
  memset(heap_payload(block), 0, size);
  if (s->table) copy_entries(s, block | lines, seed);
  *old = s->table & ~(uint64_t)63;
  switch_table(s, dict, block, lines);
  s->used = s->count;
  return 0;
}

int table_reserve(struct segment *s, uint64_t dict, const uint64_t seed[2], uint64_t *old) {
  if (((uint64_t)s->used + 1) * 3 <= table_room(s->table) * 2) return 0;
  return resize(s, dict, seed, (uint64_t)s->count + 1, old);
}

static void move(uint64_t block, struct link *list) {
  list_remove(&block_at(block)->link);
  list_insert(list, &block_at(block)->link);
}

void table_commit(struct segment *s, const struct change *c) {
  if (!(c->in[0] | c->in[1] | c->out[0] | c->out[1])) {
    /* release: key and value are whole before the state says so */
    atomic_store_explicit(&c->entry->state, c->state, memory_order_release);
    return;
  }
  struct link *owned = &block_at(s->table & ~(uint64_t)63)->owned;
  journal_lock();
  for (int i = 0; i < 2; i++) {
    if (c->in[i]) move(c->in[i], owned);
    if (c->out[i]) move(c->out[i], family_ledger());
  }
  journal_set((uint64_t *)&c->entry->state, c->state);
  journal_commit();
  journal_unlock();
}

void table_tidy(struct segment *s, struct entry *e, uint64_t dict, const uint64_t seed[2],
                uint64_t *old) {
  uint64_t room = table_room(s->table), at;
  struct entry *entries = table_entries(s->table);
  at = (uint64_t)(e - entries);
  if (entry_state(&entries[after(at, room)]) == 0)
    for (; entry_state(&entries[at]) == STATE_GONE; at = before(at, room)) {
      atomic_store_explicit(&entries[at].state, 0, memory_order_relaxed); /* one store is whole */
      s->used--;
    }
  if ((s->table & 63) > FIRST && (uint64_t)s->count * 8 < room)
    (void)resize(s, dict, seed, (uint64_t)s->count * 3 / 2, old); /* no memory: it stays */
}

void table_recount(struct segment *s) {
  const struct entry *entries = table_entries(s->table);
  s->count = s->used = 0;
  for (uint64_t i = 0, room = table_room(s->table); i < room; i++) {
    uint64_t state = entry_state(&entries[i]);
    s->count += (state & STATE_LIVE) != 0;
    s->used += state != 0;
  }
}
