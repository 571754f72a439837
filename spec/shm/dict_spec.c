/* Dicts: keys and values of all kinds and sizes, growth, counts, snapshots, no memory. */
#include "dict_support.h"

#include "memory.h"

static const size_t key_sizes[] = {0, 1, 7, 8, 23, 24, 25, 100, 4000};
static const size_t value_sizes[] = {NUMBER, 8, 15, 16, 17, 100, DICT_COPY, DICT_COPY + 1, 100000};
#define KEYS (sizeof key_sizes / sizeof *key_sizes)
#define VALUES (sizeof value_sizes / sizeof *value_sizes)

/* Every kind of value in place of every other, under every kind of key. */
static void each_in_place_of_each(void **state) {
  (void)state;
  new_dict();
  uint64_t number = 1;
  for (size_t k = 0; k < KEYS; k++)
    for (size_t a = 0; a < VALUES; a++)
      for (size_t b = 0; b < VALUES; b++) {
        assert_int_equal(put_value(string_key(1, key_sizes[k]), ++number, value_sizes[a]), 0);
        assert_true(number_at(string_key(1, key_sizes[k])) == number);
        assert_int_equal(put_value(string_key(1, key_sizes[k]), ++number, value_sizes[b]), 1);
        assert_true(number_at(string_key(1, key_sizes[k])) == number);
        assert_int_equal(dict_length(d), 1);
        assert_int_equal(delete_key(string_key(1, key_sizes[k])), 1);
        assert_int_equal(delete_key(string_key(1, key_sizes[k])), 0);
        assert_int_equal(count_whole(), 0);
      }
  drop_dict();
}

/* The same bits under three kinds, and strings that are each other's beginnings. */
static void kinds_are_apart(void **state) {
  (void)state;
  new_dict();
  for (size_t i = 0; i <= 30; i++)
    assert_int_equal(put_value(string_key(0x0101, i), 100 + i, NUMBER), 0);
  struct dict_key one = integer_key(1), yes = {.kind = DICT_BOOLEAN, .word = 1},
                  no = {.kind = DICT_BOOLEAN};
  assert_int_equal(put_value(one, 1, NUMBER), 0);
  assert_int_equal(put_value(yes, 2, NUMBER), 0);
  assert_int_equal(put_value(no, 3, NUMBER), 0);
  assert_int_equal(dict_has(d, &one) + dict_has(d, &yes) + dict_has(d, &no), 3);
  assert_int_equal(number_at(one), 1);
  assert_int_equal(number_at(yes), 2);
  assert_int_equal(number_at(no), 3);
  for (size_t i = 0; i <= 30; i++) assert_int_equal(number_at(string_key(0x0101, i)), 100 + i);
  assert_int_equal(count_whole(), 34);
  drop_dict();
}

/* Against a plain array that says what should be there, through growing and shrinking. */
static void does_what_a_table_does(void **state) {
  (void)state;
  enum { MOST = 3000 };
  static uint32_t there[MOST];
  memset(there, 0, sizeof there);
  new_dict();
  uint64_t x = 1, n = 0;
  for (uint32_t i = 1; i <= 60000; i++) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    uint32_t which = (uint32_t)(x >> 33) % MOST;
    struct dict_key key = which % 3 ? integer_key(which) : string_key(which, 8 + which % 40);
    int delete = (x >> 60) < (i / 15000 % 2 ? 13u : 3u); /* waves */
    int rc = delete ? delete_key(key) : put_value(key, i, which % 7 ? NUMBER : 8 + i % 100);
    assert_int_equal(rc, there[which] != 0);
    n += (uint64_t)(!delete) - (uint64_t)rc;
    there[which] = delete ? 0 : i;
    if (i % 5000 == 0) assert_int_equal(count_whole(), n);
  }
  for (uint32_t which = 0; which < MOST; which++)
    assert_int_equal(number_at(which % 3 ? integer_key(which) : string_key(which, 8 + which % 40)),
                     there[which]);
  drop_dict();
}

static uint64_t tables(void) {
  uint64_t room = 0;
  for (int i = 0; i < DICT_SEGMENTS; i++)
    room += table_room(((struct dict *)heap_payload(d))->segment[i].table);
  return room;
}

/* A key that comes and goes, and keys that are always new, need no more than their place. */
static void cycles_grow_nothing(void **state) {
  (void)state;
  new_dict();
  for (uint64_t i = 0; i < 1000; i++) put_value(integer_key(i), i, NUMBER);
  for (uint64_t i = 0; i < 1000; i++) delete_key(integer_key(i));
  uint64_t used = 0, room = 0;
  for (uint64_t i = 0; i < 1000000 / (SPEC_SANITIZED ? 10 : 1); i++) {
    size_t size = i % 64 == 0 ? 2000 : i % 16 == 0 ? 200 : NUMBER;
    struct dict_key key = i % 8 == 0 ? string_key(i, 30) : integer_key(i);
    assert_int_equal(put_value(key, i, size), 0);
    assert_int_equal(delete_key(key), 1);
    if (i == 20000) used = heap_used(), room = tables();
  }
  assert_int_equal(tables(), room);
  assert_int_equal(heap_used(), used);
  assert_int_equal(count_whole(), 0);
  drop_dict();
}

/* Many keys, then few: the tables become small again; clear gives all back. */
static void deleted_keys_give_back(void **state) {
  (void)state;
  new_dict();
  uint64_t empty = heap_used();
  for (uint64_t i = 0; i < 20000; i++) put_value(integer_key(i), i, i % 10 ? NUMBER : 100);
  assert_in_range(tables(), 20000 * 3 / 2, 20000 * 4);
  uint64_t full = heap_used();
  for (uint64_t i = 0; i < 19900; i++) delete_key(integer_key(i));
  assert_int_equal(count_whole(), 100);
  assert_true(heap_used() - empty < (full - empty) / 20);
  for (uint64_t i = 19900; i < 20000; i++) assert_int_equal(number_at(integer_key(i)), i);
  dict_clear(d);
  assert_int_equal(heap_used(), empty);
  assert_int_equal(count_whole(), 0);
  assert_int_equal(put_value(integer_key(1), 5, NUMBER), 0);
  assert_int_equal(number_at(integer_key(1)), 5);
  drop_dict();
}

static struct dict_value of_float(double x) {
  struct dict_value v = {.kind = DICT_FLOAT};
  memcpy(&v.word, &x, sizeof x);
  return v;
}

static void adds_as_lua_adds(void **state) {
  (void)state;
  new_dict();
  struct dict_key key = integer_key(1), text = integer_key(2);
  struct dict_value three = {.kind = DICT_NUMBER, .word = 3}, half = of_float(0.5), before, after;
  char room[DICT_COPY];
  assert_int_equal(dict_add(d, &key, &three, &before), 0);
  assert_int_equal(before.word, 0);
  assert_int_equal(dict_add(d, &key, &three, &before), 0);
  assert_int_equal(before.word, 3);
  assert_int_equal(dict_add(d, &key, &half, &before), 0);
  assert_int_equal(before.kind, DICT_NUMBER);
  assert_int_equal(dict_add(d, &key, &three, &before), 0);
  struct dict_value six = of_float(6.5), nine = of_float(9.5);
  assert_int_equal(before.kind, DICT_FLOAT);
  assert_true(before.word == six.word);
  assert_int_equal(dict_get(d, &key, &after, room, NULL), 1);
  assert_true(after.kind == DICT_FLOAT && after.word == nine.word);
  put_value(key, INT64_MAX, NUMBER);
  assert_int_equal(dict_add(d, &key, &three, &before), 0);
  assert_true(number_at(key) == (uint64_t)INT64_MAX + 3);
  put_value(text, 9, 16);
  assert_int_equal(dict_add(d, &text, &three, &before), -EDOM);
  assert_int_equal(number_at(text), 9);
  drop_dict();
}

/* Only what was seen is replaced, however the same value came back. */
static void expects_what_was_seen(void **state) {
  (void)state;
  new_dict();
  struct dict_key key = integer_key(1);
  struct dict_value value, one = {.kind = DICT_NUMBER, .word = 1};
  char room[DICT_COPY];
  uint64_t seen;
  assert_int_equal(dict_get(d, &key, &value, room, &seen), 0);
  assert_int_equal(value.kind, DICT_NOTHING);
  assert_int_equal(dict_put(d, &key, &one, &seen), 0);
  assert_int_equal(dict_put(d, &key, &one, &seen), -EAGAIN);
  assert_int_equal(dict_get(d, &key, &value, room, &seen), 1);
  put_value(key, 2, NUMBER);
  put_value(key, 1, NUMBER);
  assert_int_equal(dict_put(d, &key, &one, &seen), -EAGAIN);
  assert_int_equal(dict_get(d, &key, &value, room, &seen), 1);
  for (uint64_t i = 2; i < 1000; i++) put_value(integer_key(i), i, NUMBER); /* it moves */
  assert_int_equal(dict_put(d, &key, &one, &seen), 1);
  assert_int_equal(dict_get(d, &key, &value, room, &seen), 1);
  delete_key(key);
  assert_int_equal(dict_put(d, &key, &one, &seen), -EAGAIN);
  put_value(key, 1, NUMBER);
  assert_int_equal(dict_put(d, &key, &one, &seen), -EAGAIN);
  drop_dict();
}

/* What is held stays while its key gets another value, and a snapshot stays what it was. */
static void readers_keep_what_they_hold(void **state) {
  (void)state;
  new_dict();
  struct dict_key key = integer_key(1);
  struct dict_value value;
  struct buffer all = {0};
  char room[DICT_COPY];
  for (uint64_t i = 1; i <= 100; i++) put_value(integer_key(i), i, i % 2 ? 5000 : 50);
  assert_int_equal(dict_get(d, &key, &value, room, NULL), 1);
  assert_int_equal(value.kind, DICT_HELD);
  assert_int_equal(dict_snapshot(d, &all, 0), 0);
  for (uint64_t i = 1; i <= 100; i++) put_value(integer_key(i), 7, i % 2 ? 50 : 5000);
  dict_clear(d);
  assert_int_equal(number_of(&value), 1);
  uint64_t sum = 0;
  for (size_t at = 0; dict_next(&all, &at, &key, &value);) {
    assert_int_equal(number_of(&value), key.word);
    sum += key.word;
  }
  assert_int_equal(sum, 5050);
  put_value(string_key(3, 100), 1, 5000);
  assert_int_equal(dict_snapshot(d, &all, 1), 0);
  size_t at = 0;
  assert_int_equal(dict_next(&all, &at, &key, &value), 1);
  assert_int_equal(key.size, 100);
  assert_memory_equal(key.bytes, string_key(3, 100).bytes, 100);
  assert_int_equal(value.kind, DICT_NOTHING);
  assert_int_equal(dict_next(&all, &at, &key, &value), 0);
  free(all.data);
  drop_dict();
}

/* Blocks of this size until none can be had any more. */
static int hoard_all(uint64_t *block, int most, size_t size) {
  int n = 0;
  while (n < most && (block[n] = heap_alloc(size, BLOCK_DATA, family_ledger()))) n++;
  return n;
}

/* Without memory a put changes nothing, and the dict goes on. */
static void no_memory_changes_nothing(void **state) {
  (void)state;
  enum { MOST = 60000 };
  static uint64_t hoard[MOST];
  new_dict();
  for (unsigned i = 1; i <= 4; i++) put_value(integer_key(in_first_segment(i)), i, NUMBER);
  no_memory = 1;
  int n = hoard_all(hoard, MOST, (64 << 4) - HEAP_HEADER); /* the next larger table */
  n += hoard_all(hoard + n, MOST - n, 100);
  n += hoard_all(hoard + n, MOST - n, 50);
  assert_true(n < MOST);
  struct dict_key fifth = integer_key(in_first_segment(5)),
                  first = integer_key(in_first_segment(1));
  assert_int_equal(put_value(fifth, 5, NUMBER), -ENOMEM); /* its table would have to grow */
  assert_int_equal(put_value(first, 5, 100), -ENOMEM);
  assert_int_equal(put_value(string_key(1, 50), 5, NUMBER), -ENOMEM);
  assert_int_equal(put_value(first, 9, NUMBER), 1);
  assert_int_equal(number_at(fifth), 0);
  assert_int_equal(number_at(first), 9);
  assert_int_equal(dict_length(d), 4);
  no_memory = 0;
  while (n-- > 0) object_drop(hoard[n]);
  assert_int_equal(put_value(fifth, 5, NUMBER), 0);
  assert_int_equal(count_whole(), 5);
  drop_dict();
}

/* ---- several processes ---- */

enum { ADDERS = 4, TIMES = SPEC_SANITIZED ? 2000 : 20000 };

static void adder_run(void *arg) {
  uint64_t who = *(uint64_t *)arg;
  struct dict_value one = {.kind = DICT_NUMBER, .word = 1}, before;
  for (uint64_t i = 0; i < TIMES; i++) {
    struct dict_key all = integer_key(0), mine = integer_key(1000 + who * TIMES + i);
    must(dict_add(d, &all, &one, &before) == 0);
    must(put_value(mine, i + 1, i % 10 ? NUMBER : 40) == 0);
    must(number_at(mine) == i + 1);
    if (i % 4) must(delete_key(mine) == 1);
  }
}

static void many_at_once(void **state) {
  (void)state;
  new_dict();
  struct member m[ADDERS];
  for (uint64_t i = 0; i < ADDERS; i++) m[i] = member_start(adder_run, &i);
  for (int i = 0; i < ADDERS; i++) assert_int_equal(member_end(&m[i]), 0);
  assert_int_equal(number_at(integer_key(0)), ADDERS * TIMES);
  assert_int_equal(count_whole(), 1 + ADDERS * TIMES / 4);
  drop_dict();
}

/* Two keys that are always changed in the same order: no snapshot has the second's new value
 * without the first's. */
static void pairs_run(void *arg) {
  (void)arg;
  for (uint64_t i = 1;; i++) {
    must(put_value(integer_key(1), i, NUMBER) >= 0);
    must(put_value(integer_key(2), i, i % 2 ? 3000 : NUMBER) >= 0);
  }
}

static void snapshots_are_of_one_moment(void **state) {
  (void)state;
  new_dict();
  struct buffer all = {0};
  struct member m = member_start(pairs_run, NULL);
  for (int i = 0; i < 2000; i++) {
    uint64_t found[3] = {0};
    struct dict_key key;
    struct dict_value value;
    assert_int_equal(dict_snapshot(d, &all, 0), 0);
    for (size_t at = 0; dict_next(&all, &at, &key, &value);) found[key.word] = number_of(&value);
    assert_true(found[1] == found[2] || found[1] == found[2] + 1);
  }
  member_kill(&m);
  free(all.data);
  drop_dict();
}

int main(void) {
  const struct CMUnitTest cases[] = {
      spec_case(each_in_place_of_each),       spec_case(kinds_are_apart),
      spec_case(does_what_a_table_does),      spec_case(cycles_grow_nothing),
      spec_case(deleted_keys_give_back),      spec_case(adds_as_lua_adds),
      spec_case(expects_what_was_seen),       spec_case(readers_keep_what_they_hold),
      spec_case(no_memory_changes_nothing),   spec_case(many_at_once),
      spec_case(snapshots_are_of_one_moment),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
