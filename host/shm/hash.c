/* SipHash-1-3: see hash.h. Aumasson and Bernstein, "SipHash: a fast short-input PRF". */
#include "shm/hash.h"

#include <string.h>

struct sip {
  uint64_t a, b, c, d;
};

static inline uint64_t rotate(uint64_t x, int bits) {
  return x << bits | x >> (64 - bits);
}

static inline void turn(struct sip *s) {
  s->a += s->b;
  s->c += s->d;
  s->b = rotate(s->b, 13) ^ s->a;
  s->d = rotate(s->d, 16) ^ s->c;
  s->a = rotate(s->a, 32) + s->d;
  s->c += s->b;
  s->d = rotate(s->d, 21) ^ s->a;
  s->b = rotate(s->b, 17) ^ s->c;
  s->c = rotate(s->c, 32);
}

static inline void absorb(struct sip *s, uint64_t word) {
  s->d ^= word;
  turn(s);
  s->a ^= word;
}

/* The last bytes, fewer than eight, as a little-endian word. */
static inline uint64_t tail_word(const unsigned char *at, size_t left) {
  uint64_t word = 0;
  for (size_t i = 0; i < left; i++) word |= (uint64_t)at[i] << (8 * i);
  return word;
}

uint64_t hash_bytes(const uint64_t key[2], const void *bytes, size_t size) {
  struct sip s = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                  key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
  const unsigned char *at = bytes;
  size_t left = size;
  for (; left >= 8; at += 8, left -= 8) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    absorb(&s, word);
  }
  absorb(&s, tail_word(at, left) | (uint64_t)size << 56);
  s.c ^= 0xff;
  for (int i = 0; i < 3; i++) turn(&s);
  return s.a ^ s.b ^ s.c ^ s.d;
}
