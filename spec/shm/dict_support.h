/* Dicts as the specs use them: keys by number, of all kinds, and values by number and size, whose
   wholeness shows (support.h). */
#ifndef SPEC_SHM_DICT_SUPPORT_H
#define SPEC_SHM_DICT_SUPPORT_H

#include "support.h"

#include "shm/dict.h"
#include "shm/hash.h"

#define NUMBER SIZE_MAX /* the size of a value that is an integer, not bytes */

static uint64_t d, d_hold; /* the dict at hand */

/* Under a known seed, so that each dict with the same keys is made the same way. */
static inline void new_dict(void) {
  d = dict_new(family_ledger(), &d_hold);
  assert_true(d);
  struct dict *it = heap_payload(d);
  it->seed[0] = it->seed[1] = 7;
}

static inline void drop_dict(void) {
  object_drop(d_hold);
}

static inline struct dict_key integer_key(uint64_t number) {
  return (struct dict_key){.kind = DICT_INTEGER, .word = number};
}

/* A string of this size; it begins with the number. */
static inline struct dict_key string_key(uint64_t number, size_t size) {
  static char text[2][4096];
  static int turn;
  char *bytes = text[turn = !turn];
  memset(bytes, 'k', size);
  memcpy(bytes, &number, size < sizeof number ? size : sizeof number);
  return (struct dict_key){.kind = DICT_STRING, .bytes = bytes, .size = size};
}

/* A value that is put: a number, bytes, or (from DICT_COPY on) an object. */
static inline struct dict_value make_value(uint64_t number, size_t size) {
  static char bytes[DICT_COPY];
  if (size == NUMBER) return (struct dict_value){.kind = DICT_NUMBER, .word = number};
  struct dict_value v = {.kind = DICT_BYTES, .bytes = bytes, .size = size};
  if (size > DICT_COPY) {
    uint64_t block = heap_alloc(size, BLOCK_DATA, family_ledger());
    must(block);
    message_fill(heap_payload(block), size, number);
    v.kind = DICT_HELD;
    must(v.word = object_share(block, family_ledger()));
  } else {
    message_fill(bytes, size, number);
  }
  return v;
}

static inline int put_value(struct dict_key key, uint64_t number, size_t size) {
  struct dict_value value = make_value(number, size);
  return dict_put(d, &key, &value, NULL);
}

static inline int delete_key(struct dict_key key) {
  return dict_put(d, &key, &(struct dict_value){.kind = DICT_NOTHING}, NULL);
}

/* The number of a value that is whole, which is dropped if held; UINT64_MAX: it is torn. */
static inline uint64_t number_of(const struct dict_value *v) {
  if (v->kind == DICT_NUMBER) return v->word;
  int whole = message_whole(v->bytes, v->size);
  uint64_t number = message_number(v->bytes, v->size);
  if (v->kind == DICT_HELD) object_drop(v->word);
  return whole ? number : UINT64_MAX;
}

/* The number that is the key's; 0: there is none. */
static inline uint64_t number_at(struct dict_key key) {
  struct dict_value value;
  char room[DICT_COPY];
  int rc = dict_get(d, &key, &value, room, NULL);
  must(rc >= 0);
  return rc ? number_of(&value) : 0;
}

/* All that is in it, counted one by one, is as many as it says, and whole. */
static inline uint64_t count_whole(void) {
  static struct buffer all;
  struct dict_key key;
  struct dict_value value;
  uint64_t n = 0, length = dict_length(d);
  assert_int_equal(dict_snapshot(d, &all, 0), 0);
  for (size_t at = 0; dict_next(&all, &at, &key, &value); n++)
    assert_true(number_of(&value) != UINT64_MAX);
  assert_int_equal(n, length);
  return n;
}

/* The n-th integer, from 1 on, that goes into segment 0. */
static inline uint64_t in_first_segment(unsigned n) {
  const struct dict *it = heap_payload(d);
  for (uint64_t i = 1;; i++)
    if (hash_bytes(it->seed, &i, sizeof i) >> 59 == 0 && --n == 0) return i;
}

#endif
