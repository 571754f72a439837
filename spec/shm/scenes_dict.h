/* The operations of dicts that members are killed in (stepkill.h). Around each: three keys that
   nobody touches, one of each kind of value, and a fourth, the victim's. */
#ifndef SPEC_SHM_SCENES_DICT_H
#define SPEC_SHM_SCENES_DICT_H

#include "stepkill.h"

#include "dict_support.h"

#define SMALL NUMBER
#define BLOCK 100  /* bytes: a value in a block of its own */
#define LARGE 2000 /* an object */
#define OLD 5
#define NEW 10

static uint64_t thing, thing_hold; /* an object that values carry */
static struct dict_key key;        /* the victim's */
static struct dict_value value;    /* what the victim puts */
static char key_bytes[40];

static uint64_t found;       /* what is the key's after the victim's death, before it is reaped */
static uint64_t found_count; /* and how many keys there are */

static void others_put(void) {
  new_dict();
  put_value(integer_key(1), 1, SMALL);
  put_value(string_key(2, 60), 2, BLOCK);
  put_value(string_key(3, 10), 3, LARGE);
}

static void short_key(void) {
  others_put();
  key = integer_key(4);
}

static void long_key(void) {
  others_put();
  key = string_key(4, sizeof key_bytes);
  key.bytes = memcpy(key_bytes, key.bytes, sizeof key_bytes);
}

static void short_small(void) {
  short_key();
  put_value(key, OLD, SMALL);
}

static void short_block(void) {
  short_key();
  put_value(key, OLD, BLOCK);
}

static void short_large(void) {
  short_key();
  put_value(key, OLD, LARGE);
}

static void long_block(void) {
  long_key();
  put_value(key, OLD, BLOCK);
}

/* A value on which `thing` hangs. */
static struct dict_value carrying(uint64_t number) {
  uint64_t block = heap_alloc(LARGE, BLOCK_DATA, family_ledger());
  must(block);
  message_fill(heap_payload(block), LARGE, number);
  must(object_hold(thing, &block_at(block)->owned));
  struct dict_value v = {.kind = DICT_HELD, .size = LARGE};
  must(v.word = object_share(block, family_ledger()));
  return v;
}

static void short_carrying(void) {
  thing = object_new(100, BLOCK_VALUE, family_ledger(), &thing_hold);
  assert_true(thing);
  short_key();
  struct dict_value v = carrying(OLD);
  assert_int_equal(dict_put(d, &key, &v, NULL), 0);
}

static void small_arm(void) {
  value = make_value(NEW, SMALL);
}

static void block_arm(void) {
  value = make_value(NEW, BLOCK);
}

static void large_arm(void) {
  value = make_value(NEW, LARGE);
}

static void carrying_arm(void) {
  value = carrying(NEW);
}

static void put_act(void) {
  must(dict_put(d, &key, &value, NULL) >= 0);
}

static void delete_act(void) {
  must(delete_key(key) == 1);
}

static void add_act(void) {
  struct dict_value five = {.kind = DICT_NUMBER, .word = NEW - OLD}, before;
  must(dict_add(d, &key, &five, &before) == 0);
}

/* Before the victim is reaped: what it committed and did not carry out is the next one's duty. */
static void look_early(void) {
  found = number_at(key);
  found_count = dict_length(d);
}

static void expect_others(void) {
  assert_int_equal(number_at(integer_key(1)), 1);
  assert_int_equal(number_at(string_key(2, 60)), 2);
  assert_int_equal(number_at(string_key(3, 10)), 3);
}

/* The key has its old or its new value, both or none of which are 0. */
static enum outcome verify(uint64_t old, uint64_t new) {
  assert_true(found == old || found == new);
  assert_int_equal(found_count, 3 + (found != 0));
  assert_int_equal(number_at(key), found);
  assert_int_equal(count_whole(), found_count);
  expect_others();
  assert_int_equal(put_value(key, 11, BLOCK), found != 0);
  assert_int_equal(number_at(key), 11);
  assert_int_equal(count_whole(), 4);
  drop_dict();
  return found == new ? DONE : NOT_DONE;
}

static enum outcome new_verify(void) {
  return verify(0, NEW);
}

static enum outcome replace_verify(void) {
  return verify(OLD, NEW);
}

static enum outcome delete_verify(void) {
  return verify(OLD, 0);
}

static enum outcome carrying_verify(void) {
  enum outcome outcome = verify(OLD, NEW); /* it puts a value that carries nothing */
  assert_int_equal(block_at(thing)->refs, 1);
  object_drop(thing_hold);
  return outcome;
}

/* ---- tables that grow and become smaller ---- */

#define LIMIT 4 /* keys of a first table: a fifth makes it grow */

static void fill_segment(unsigned n) {
  new_dict();
  for (unsigned i = 1; i <= n; i++)
    put_value(integer_key(in_first_segment(i)), i, i % 2 ? SMALL : BLOCK);
}

static void full_table(void) {
  fill_segment(LIMIT);
  key = integer_key(in_first_segment(LIMIT + 1));
}

static uint64_t table(void) {
  return ((struct dict *)heap_payload(d))->segment[0].table;
}

static void grow_act(void) {
  uint64_t before = table();
  put_act();
  must(table() != before);
}

static enum outcome segment_verify(unsigned n, uint64_t before, uint64_t after) {
  assert_true(found == before || found == after);
  assert_int_equal(found_count, n + (found != 0));
  assert_int_equal(count_whole(), found_count);
  for (unsigned i = 1; i <= n; i++)
    assert_int_equal(number_at(integer_key(in_first_segment(i))), i);
  drop_dict();
  return found == after ? DONE : NOT_DONE;
}

static enum outcome grow_verify(void) {
  return segment_verify(LIMIT, 0, NEW);
}

/* 15 places, two keys; with one there are less than an eighth. */
static void sparse_table(void) {
  fill_segment(LIMIT + 1);
  for (unsigned i = 3; i <= LIMIT + 1; i++) delete_key(integer_key(in_first_segment(i)));
  key = integer_key(in_first_segment(2));
}

static void shrink_act(void) {
  uint64_t before = table();
  delete_act();
  must(table() != before);
}

static enum outcome shrink_verify(void) {
  return segment_verify(1, 2, 0);
}

/* ---- the whole dict ---- */

static void clear_act(void) {
  dict_clear(d);
}

static enum outcome clear_verify(void) {
  assert_true(found ? found_count == 4 : found_count == 0);
  assert_int_equal(count_whole(), found_count);
  if (found) expect_others();
  put_value(key, 11, SMALL);
  assert_int_equal(number_at(key), 11);
  drop_dict();
  return found ? NOT_DONE : DONE;
}

static struct buffer all;

static void snapshot_arm(void) {
  must(buffer_reserve(&all, 10000) == 0);
}

static void snapshot_act(void) {
  must(dict_snapshot(d, &all, 0) == 0);
}

static void length_act(void) {
  must(dict_length(d) == 4);
}

static void get_act(void) {
  struct dict_value got;
  char room[DICT_COPY];
  must(dict_get(d, &key, &got, room, NULL) == 1);
  if (got.kind == DICT_HELD) object_drop(got.word);
}

static enum outcome same_verify(void) {
  verify(OLD, OLD);
  return EITHER;
}

static enum outcome same_carrying_verify(void) {
  carrying_verify();
  return EITHER;
}

static void new_act(void) {
  uint64_t hold;
  must(dict_new(family_ledger(), &hold));
}

/* The victim's hold is the last one. */
static uint64_t mine;

static void drop_arm(void) {
  short_small();
  mine = d_hold;
}

static void drop_act(void) {
  object_drop(mine);
}

/* ---- the table of them ---- */

static const struct scene dict_scenes[] = {
    {"set of a new key", .prepare = short_key, .arm = small_arm, .act = put_act,
     .early = look_early, .verify = new_verify},
    {"set of a new long key to a block", .prepare = long_key, .arm = block_arm, .act = put_act,
     .early = look_early, .verify = new_verify, .every = 3},
    {"set that replaces", .prepare = short_small, .arm = small_arm, .act = put_act,
     .early = look_early, .verify = replace_verify},
    {"set of a block for a number", .prepare = short_small, .arm = block_arm, .act = put_act,
     .early = look_early, .verify = replace_verify, .every = 3},
    {"set of a number for a block", .prepare = short_block, .arm = small_arm, .act = put_act,
     .early = look_early, .verify = replace_verify, .every = 3},
    {"set of a block for a block", .prepare = long_block, .arm = block_arm, .act = put_act,
     .early = look_early, .verify = replace_verify, .every = 3},
    {"set of an object for a block", .prepare = short_block, .arm = large_arm, .act = put_act,
     .early = look_early, .verify = replace_verify, .every = 3},
    {"set of what carries handles", .prepare = short_carrying, .arm = carrying_arm, .act = put_act,
     .early = look_early, .verify = carrying_verify, .every = 3},
    {"add", .prepare = short_small, .act = add_act, .early = look_early, .verify = replace_verify},
    {"delete", .prepare = short_small, .act = delete_act, .early = look_early,
     .verify = delete_verify},
    {"delete of a long key and a block", .prepare = long_block, .act = delete_act,
     .early = look_early, .verify = delete_verify, .every = 3},
    {"get of a small value", .prepare = short_small, .act = get_act, .early = look_early,
     .verify = same_verify},
    {"get of an object", .prepare = short_large, .act = get_act, .early = look_early,
     .verify = same_verify, .every = 3},
    {"set that grows the table", .prepare = full_table, .arm = small_arm, .act = grow_act,
     .early = look_early, .verify = grow_verify, .every = 3},
    {"delete that shrinks the table", .prepare = sparse_table, .act = shrink_act,
     .early = look_early, .verify = shrink_verify, .every = 3},
    {"clear", .prepare = short_small, .act = clear_act, .early = look_early, .verify = clear_verify,
     .every = 7},
    {"snapshot", .prepare = short_carrying, .arm = snapshot_arm, .act = snapshot_act,
     .early = look_early, .verify = same_carrying_verify, .every = 7},
    {"length", .prepare = short_small, .act = length_act, .early = look_early,
     .verify = same_verify, .every = 7},
    {"dict_new", .act = new_act, .every = 7},
    {"the last hold goes", .arm = drop_arm, .act = drop_act, .every = 7},
};

#endif
