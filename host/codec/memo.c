/* Linear while it is short, then a power-of-two table with linear probing, at most half full. */
#include "codec/memo.h"

#include <string.h>

static uint32_t memo_slot(const memo_entry *table, uint32_t mask, const void *key) {
  uint64_t hash = (uint64_t)(uintptr_t)key * 0x9e3779b97f4a7c15u;
  uint32_t slot = (uint32_t)(hash >> 32) & mask;
  while (table[slot].key != NULL && table[slot].key != key) slot = (slot + 1) & mask;
  return slot;
}

static void memo_grow(memo *m, lua_State *L) {
  uint32_t size = m->table == NULL ? 8 * MEMO_FEW : 2 * (m->mask + 1);
  const memo_entry *old = m->table == NULL ? m->few : m->table;
  uint32_t old_size = m->table == NULL ? m->count : m->mask + 1;
  memo_entry *table = lua_newuserdatauv(L, size * sizeof *table, 0);
  memset(table, 0, size * sizeof *table);
  for (uint32_t i = 0; i < old_size; i++) {
    if (old[i].key != NULL) table[memo_slot(table, size - 1, old[i].key)] = old[i];
  }
  lua_replace(L, m->home); /* the old table may go now */
  m->table = table;
  m->mask = size - 1;
}

static uint32_t *memo_enter(memo *m, memo_entry *entry, const void *key) {
  *entry = (memo_entry){key, MEMO_NONE};
  m->count++;
  return &entry->value;
}

uint32_t *memo_entry_of(memo *m, lua_State *L, const void *key) {
  if (m->table == NULL) {
    for (uint32_t i = 0; i < m->count; i++) {
      if (m->few[i].key == key) return &m->few[i].value;
    }
    if (m->count < MEMO_FEW) return memo_enter(m, &m->few[m->count], key);
    memo_grow(m, L);
  } else if (2 * m->count > m->mask) {
    memo_grow(m, L);
  }
  memo_entry *entry = &m->table[memo_slot(m->table, m->mask, key)];
  if (entry->key == key) return &entry->value;
  return memo_enter(m, entry, key);
}
