/* SipHash-1-3 against values of other implementations. */
#include "support.h"

#include "shm/hash.h"

/* CPython's hash() of these under PYTHONHASHSEED=0, which is the key 0. */
static void as_python_hashes(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint64_t hash;
  } known[] = {{"a", 0x407448d2b89b1813},
               {"abcdefg", 0x6db12aae9070f506},
               {"abcdefgh", 0x3f7b849c0b8e35ea},
               {"abcdefghi", 0xf89b34a3d11eb6e5},
               {"xxxxxxxxxxxxxxxxxxxxxxxx", 0xbbee1c29b4ee1862}};
  const uint64_t key[2] = {0, 0};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    assert_true(hash_bytes(key, known[i].text, strlen(known[i].text)) == known[i].hash);
  char many[1000];
  memset(many, 'y', sizeof many);
  assert_true(hash_bytes(key, many, sizeof many) == 0x8c3c8c35384e64ef);
}

/* The key 00 01 ... 0f and no bytes: the first vector of Rust's core library. */
static void the_key_matters(void **state) {
  (void)state;
  const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
  assert_true(hash_bytes(key, "", 0) == 0xabac0158050fc4dc);
}

/* Neighbours share no pattern in the bits that a dict uses: segments, homes and tags are even. */
static void spreads(void **state) {
  (void)state;
  const uint64_t key[2] = {1, 2};
  int segment[32] = {0}, home[32] = {0}, tag[32] = {0};
  for (uint64_t i = 0; i < 32000; i++) {
    uint64_t hash = hash_bytes(key, &i, sizeof i);
    segment[hash >> 59]++;
    home[hash >> 54 & 31]++;
    tag[hash & 31]++;
  }
  for (int i = 0; i < 32; i++) {
    assert_in_range(segment[i], 800, 1200);
    assert_in_range(home[i], 800, 1200);
    assert_in_range(tag[i], 800, 1200);
  }
}

int main(void) {
  const struct CMUnitTest cases[] = {spec_case(as_python_hashes), spec_case(the_key_matters),
                                     spec_case(spreads)};
  return cmocka_run_group_tests(cases, NULL, NULL);
}
