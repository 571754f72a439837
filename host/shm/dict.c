/* A shared hash table: see dict.h. */
#include "shm/dict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/family.h"
#include "shm/hash.h"
#include "shm/journal.h"
#include "shm/object.h"
#include "shm/region.h"

_Static_assert(DICT_SEGMENTS + 6 <= JOURNAL_NOTES, "all tables go in one transaction: dict_clear");

static struct dict *dict_at(uint64_t offset) {
  return heap_payload(offset);
}

uint64_t dict_new(struct link *list, uint64_t *hold) {
  uint64_t offset = object_new(sizeof(struct dict), BLOCK_DICT, list, hold);
  if (!offset) return 0;
  struct dict *d = dict_at(offset);
  if (getentropy(d->seed, sizeof d->seed) < 0) abort(); /* every kernel we run on has it */
  for (int i = 0; i < DICT_SEGMENTS; i++) robust_init(&d->segment[i].lock);
  return offset;
}

/* ---- one key ---- */

static void make_probe(const struct dict *d, const struct dict_key *key, struct probe *p) {
  unsigned kind = key->kind == DICT_INTEGER ? KEY_INTEGER : KEY_BOOLEAN;
  memset(p->key, 0, sizeof p->key);
  if (key->kind != DICT_STRING) {
    p->key[0] = key->word;
    p->hash = hash_bytes(d->seed, &key->word, sizeof key->word);
  } else {
    p->hash = hash_bytes(d->seed, key->bytes, key->size);
    kind = key->size <= ENTRY_KEY ? (unsigned)key->size : KEY_BLOCK;
    if (kind == KEY_BLOCK) {
      p->key[1] = key->size;
      p->key[2] = p->hash;
    } else if (key->size) {
      memcpy(p->key, key->bytes, key->size);
    }
  }
  p->bytes = key->bytes;
  p->want = STATE_LIVE | (uint64_t)kind << STATE_KEY | (p->hash & 0xffff) << STATE_TAG;
}

static void lock(struct segment *s) {
  if (robust_lock(&s->lock) != ROBUST_DIED) return;
  journal_lock();
  journal_unlock();
  table_recount(s);
}

/* The segment of the key, locked. */
static struct segment *lock_key(struct dict *d, const struct dict_key *key, struct probe *p) {
  make_probe(d, key, p);
  struct segment *s = &d->segment[p->hash >> 59];
  _Static_assert(DICT_SEGMENTS == 1 << (64 - 59), "the hash's highest bits number the segments");
  lock(s);
  return s;
}

static void drop(uint64_t block) {
  if (block) object_drop(block);
}

/* Where the entry's value is; of what is held only the table's own hold is known yet. */
static void look(struct entry *e, struct dict_value *value) {
  uint64_t state = entry_state(e), *half = state_half(e, state);
  unsigned kind = state_value(state);
  *value = (struct dict_value){.kind = DICT_BYTES, .bytes = (char *)half, .size = kind};
  if (kind == VALUE_INTEGER || kind == VALUE_FLOAT) {
    value->kind = kind == VALUE_INTEGER ? DICT_NUMBER : DICT_FLOAT;
    value->word = half[0];
  } else if (kind >= VALUE_BLOCK) {
    uint64_t block = half[0];
    if (kind == VALUE_HOLD) {
      value->kind = DICT_HELD;
      block = block_at(value->word = block)->refs;
    }
    value->bytes = heap_payload(block);
    value->size = half[1];
  }
}

/* Makes a value found under the lock the caller's own: 0 or -ENOMEM. */
static int keep(struct dict_value *value, char *room) {
  if (value->kind == DICT_HELD) {
    value->word = object_hold(block_at(value->word)->refs, family_ledger());
    return value->word ? 0 : -ENOMEM;
  }
  if (value->kind == DICT_BYTES) value->bytes = memcpy(room, value->bytes, value->size);
  return 0;
}

int dict_get(uint64_t dict, const struct dict_key *key, struct dict_value *value,
             char room[DICT_COPY], uint64_t *seen) {
  struct probe p;
  struct segment *s = lock_key(dict_at(dict), key, &p);
  struct entry *e = table_find(s, &p);
  int rc = 0;
  value->kind = DICT_NOTHING;
  if (e) {
    look(e, value);
    rc = keep(value, room);
  }
  if (seen) *seen = e ? entry_state(e) : 0;
  robust_unlock(&s->lock);
  return rc < 0 ? rc : e != NULL;
}

int dict_has(uint64_t dict, const struct dict_key *key) {
  struct probe p;
  struct segment *s = lock_key(dict_at(dict), key, &p);
  int found = table_find(s, &p) != NULL;
  robust_unlock(&s->lock);
  return found;
}

/* A block of the ledger with these bytes: its offset, or 0. */
static uint64_t new_block(const char *bytes, size_t size) {
  uint64_t block = heap_alloc(size, BLOCK_DATA, family_ledger());
  if (block) memcpy(heap_payload(block), bytes, size);
  return block;
}

/* Writes the value where nobody reads yet: its kind, or -ENOMEM. */
static int write_half(uint64_t half[2], const struct dict_value *value, uint64_t *block) {
  half[0] = half[1] = 0;
  if (value->kind == DICT_NUMBER || value->kind == DICT_FLOAT) {
    half[0] = value->word;
    return value->kind == DICT_NUMBER ? VALUE_INTEGER : VALUE_FLOAT;
  }
  if (value->kind == DICT_BYTES && value->size <= ENTRY_VALUE) {
    memcpy(half, value->bytes, value->size);
    return (int)value->size;
  }
  *block = value->kind == DICT_HELD ? value->word : new_block(value->bytes, value->size);
  half[0] = *block;
  half[1] = value->size;
  if (!*block) return -ENOMEM;
  return value->kind == DICT_HELD ? VALUE_HOLD : VALUE_BLOCK;
}

static uint64_t block_of_value(struct entry *e, uint64_t state) {
  return state_value(state) >= VALUE_BLOCK ? state_half(e, state)[0] : 0;
}

static uint64_t next_version(struct segment *s) {
  return ++s->changes << STATE_VERSION;
}

/* Gives a live entry another value. *old: the block that went, or 0. */
static int replace(struct segment *s, struct entry *e, const struct dict_value *value,
                   uint64_t *old) {
  uint64_t state = entry_state(e), half = ~state >> STATE_HALF & 1;
  struct change c = {.entry = e, .out = {block_of_value(e, state)}};
  int kind = write_half(e->half[half], value, &c.in[0]);
  if (kind < 0) return kind;
  c.state =
      (state & STATE_TELLS) | half << STATE_HALF | (uint64_t)kind << STATE_VALUE | next_version(s);
  table_commit(s, &c);
  *old = c.out[0];
  return 0;
}

/* Makes an entry for a key that is not there. *old: a table that went, or 0. */
static int insert(struct segment *s, uint64_t dict, const struct probe *p,
                  const struct dict_value *value, uint64_t *old) {
  int rc = table_reserve(s, dict, dict_at(dict)->seed, old);
  if (rc < 0) return rc;
  struct entry *e = table_vacant(s, p);
  struct change c = {.entry = e};
  int fresh = entry_state(e) == 0, kind = write_half(e->half[0], value, &c.in[0]);
  if (kind < 0) return kind;
  memcpy(e->key, p->key, sizeof e->key);
  if (state_key(p->want) == KEY_BLOCK) e->key[0] = c.in[1] = new_block(p->bytes, p->key[1]);
  if (state_key(p->want) == KEY_BLOCK && !c.in[1]) {
    if (kind == VALUE_BLOCK) object_drop(c.in[0]);
    return -ENOMEM;
  }
  c.state = p->want | (uint64_t)kind << STATE_VALUE | next_version(s);
  table_commit(s, &c);
  s->count++;
  s->used += (uint32_t)fresh;
  return 0;
}

/* Deletes a live entry. old: the blocks that went, or 0. */
static void erase(struct segment *s, uint64_t dict, struct entry *e, uint64_t old[3]) {
  uint64_t state = entry_state(e);
  old[0] = block_of_value(e, state);
  old[1] = state_key(state) == KEY_BLOCK ? e->key[0] : 0;
  struct change c = {.entry = e, .state = STATE_GONE, .out = {old[0], old[1]}};
  table_commit(s, &c);
  s->count--;
  table_tidy(s, e, dict, dict_at(dict)->seed, &old[2]);
}

int dict_put(uint64_t dict, const struct dict_key *key, const struct dict_value *value,
             const uint64_t *expected) {
  struct probe p;
  uint64_t old[3] = {0};
  int rc = 0;
  struct segment *s = lock_key(dict_at(dict), key, &p);
  struct entry *e = table_find(s, &p);
  if (expected && *expected != (e ? entry_state(e) : 0))
    rc = -EAGAIN;
  else if (value->kind != DICT_NOTHING)
    rc = e ? replace(s, e, value, old) : insert(s, dict, &p, value, old);
  else if (e)
    erase(s, dict, e, old);
  robust_unlock(&s->lock);
  for (int i = 0; i < 3; i++) drop(old[i]); /* also when it failed: the table may have grown */
  return rc < 0 ? rc : e != NULL;
}

static double as_float(const struct dict_value *v) {
  double x;
  if (v->kind == DICT_NUMBER) return (double)(int64_t)v->word;
  memcpy(&x, &v->word, sizeof x);
  return x;
}

static struct dict_value sum(const struct dict_value *a, const struct dict_value *b) {
  struct dict_value result = {.kind = DICT_NUMBER, .word = a->word + b->word};
  if (a->kind == DICT_NUMBER && b->kind == DICT_NUMBER) return result;
  double x = as_float(a) + as_float(b);
  result.kind = DICT_FLOAT;
  memcpy(&result.word, &x, sizeof x);
  return result;
}

int dict_add(uint64_t dict, const struct dict_key *key, const struct dict_value *number,
             struct dict_value *before) {
  struct probe p;
  uint64_t old = 0;
  int rc = -EDOM;
  struct segment *s = lock_key(dict_at(dict), key, &p);
  struct entry *e = table_find(s, &p);
  *before = (struct dict_value){.kind = DICT_NUMBER};
  if (e) look(e, before);
  if (before->kind == DICT_NUMBER || before->kind == DICT_FLOAT) {
    struct dict_value after = sum(before, number);
    rc = e ? replace(s, e, &after, &old) : insert(s, dict, &p, &after, &old);
  }
  robust_unlock(&s->lock);
  drop(old);
  return rc;
}

/* ---- the whole dict ---- */

static void lock_all(struct dict *d) {
  for (int i = 0; i < DICT_SEGMENTS; i++) lock(&d->segment[i]);
}

static void unlock_all(struct dict *d) {
  for (int i = DICT_SEGMENTS; i-- > 0;) robust_unlock(&d->segment[i].lock);
}

static uint64_t count_all(const struct dict *d) {
  uint64_t n = 0;
  for (int i = 0; i < DICT_SEGMENTS; i++) n += d->segment[i].count;
  return n;
}

uint64_t dict_length(uint64_t dict) {
  struct dict *d = dict_at(dict);
  lock_all(d);
  uint64_t n = count_all(d);
  unlock_all(d);
  return n;
}

/* The tables are all that the dict owns: a note for each, and a few for the list. */
void dict_clear(uint64_t dict) {
  struct dict *d = dict_at(dict);
  lock_all(d);
  journal_lock();
  object_condemn(&block_at(dict)->owned);
  for (int i = 0; i < DICT_SEGMENTS; i++) journal_set(&d->segment[i].table, 0);
  journal_commit();
  journal_unlock();
  for (int i = 0; i < DICT_SEGMENTS; i++) d->segment[i].count = d->segment[i].used = 0;
  unlock_all(d);
  object_sweep();
}

/* What stands before each key and value of a snapshot. */
struct item {
  struct dict_key key;
  struct dict_value value;
};

static size_t bytes_of_key(const struct dict_key *key) {
  return key->kind == DICT_STRING ? key->size : 0;
}

static size_t bytes_of_value(const struct dict_value *value) {
  return value->kind == DICT_BYTES ? value->size : 0; /* what is held stays where it is */
}

static size_t size_of(const struct item *r) {
  return (sizeof *r + bytes_of_key(&r->key) + bytes_of_value(&r->value) + 7) / 8 * 8;
}

static void look_key(const struct entry *e, struct dict_key *key) {
  unsigned kind = state_key(entry_state(e));
  *key = (struct dict_key){.kind = DICT_STRING, .bytes = (const char *)e->key, .size = kind};
  if (kind == KEY_BLOCK) {
    key->bytes = heap_payload(e->key[0]);
    key->size = e->key[1];
  } else if (kind > KEY_BLOCK) {
    key->kind = kind == KEY_INTEGER ? DICT_INTEGER : DICT_BOOLEAN;
    key->word = e->key[0];
  }
}

static int append(struct entry *e, struct buffer *into, int only_keys) {
  struct item r = {.value.kind = DICT_NOTHING};
  look_key(e, &r.key);
  if (!only_keys) look(e, &r.value);
  int rc = buffer_reserve(into, into->size + size_of(&r));
  if (rc < 0) return rc;
  char *at = into->data + into->size + sizeof r, *behind = at + bytes_of_key(&r.key);
  memcpy(at, r.key.bytes, bytes_of_key(&r.key));
  if ((rc = keep(&r.value, behind)) < 0) return rc;
  memcpy(into->data + into->size, &r, sizeof r);
  into->size += size_of(&r);
  return 0;
}

static int append_segment(const struct segment *s, struct buffer *into, int only_keys) {
  struct entry *entries = table_entries(s->table);
  int rc = 0;
  for (uint64_t i = 0, room = table_room(s->table); i < room && rc == 0; i++)
    if (entry_state(&entries[i]) & STATE_LIVE) rc = append(&entries[i], into, only_keys);
  return rc;
}

int dict_snapshot(uint64_t dict, struct buffer *into, int only_keys) {
  struct dict *d = dict_at(dict);
  into->size = 0;
  lock_all(d);
  int rc = buffer_reserve(into, count_all(d) * (sizeof(struct item) + 24) + 1);
  for (int i = 0; i < DICT_SEGMENTS && rc == 0; i++)
    rc = append_segment(&d->segment[i], into, only_keys);
  unlock_all(d);
  if (rc == 0) return 0;
  struct dict_key key;
  struct dict_value value;
  for (size_t at = 0; dict_next(into, &at, &key, &value);)
    if (value.kind == DICT_HELD) object_drop(value.word);
  return rc;
}

int dict_next(const struct buffer *snapshot, size_t *at, struct dict_key *key,
              struct dict_value *value) {
  struct item r;
  if (*at >= snapshot->size) return 0;
  const char *from = snapshot->data + *at;
  memcpy(&r, from, sizeof r);
  r.key.bytes = from + sizeof r;
  if (r.value.kind == DICT_BYTES) r.value.bytes = r.key.bytes + bytes_of_key(&r.key);
  *at += size_of(&r);
  *key = r.key;
  *value = r.value;
  return 1;
}
