/* core.pack and core.unpack: values as sealed bytes.

   Behind the codec's message stand 8 bytes: SipHash-2-4 of it under a key that the first process of
   the family drew and all others inherited. Only they can make it, so only their bytecode is loaded
   without being asked for. Bytes of another family keep everything else. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "bind/parcel.h"
#include "os/latch.h"

#define SEAL 8

static uint64_t key[2];
static int has_key;

static void draw_key(void) {
  latch_lock();
  if (!has_key) has_key = getrandom(key, sizeof key, 0) == (ssize_t)sizeof key;
  latch_unlock();
}

static uint64_t rotated(uint64_t x, int by) {
  return x << by | x >> (64 - by);
}

static void sip_rounds(uint64_t v[4], int n) {
  while (n-- > 0) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotated(v[1], 13) ^ v[0];
    v[3] = rotated(v[3], 16) ^ v[2];
    v[0] = rotated(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotated(v[1], 17) ^ v[2];
    v[3] = rotated(v[3], 21) ^ v[0];
    v[2] = rotated(v[2], 32);
  }
}

static void sip_word(uint64_t v[4], uint64_t word) {
  v[3] ^= word;
  sip_rounds(v, 2);
  v[0] ^= word;
}

/* SipHash-2-4, Aumasson and Bernstein 2012. */
static uint64_t seal_of(const char *bytes, size_t size) {
  uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                   key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
  uint64_t word;
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    memcpy(&word, bytes + i, 8);
    sip_word(v, word);
  }
  word = (uint64_t)size << 56;
  for (int shift = 0; i < size; i++, shift += 8) word |= (uint64_t)(unsigned char)bytes[i] << shift;
  sip_word(v, word);
  v[2] ^= 0xff;
  sip_rounds(v, 4);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The message on top as an error at the line that called mp.pack or mp.unpack, which called us. */
static int raise_at_caller(lua_State *L) {
  luaL_where(L, 2);
  lua_insert(L, -2);
  lua_concat(L, 2);
  return lua_error(L);
}

static int raise_text(lua_State *L, const char *text) {
  lua_pushstring(L, text);
  return raise_at_caller(L);
}

static int pack(lua_State *L) {
  int n = lua_gettop(L);
  if (n == 0) return raise_text(L, "bad argument #1 to 'pack' (value expected)");
  if (n > 1)
    return raise_text(L, "bad argument #2 to 'pack' (one value expected: put them in a table)");
  codec_handles handles = bind_no_handles();
  struct parcel *parcel = parcel_open(L);
  codec_sink *sink = parcel_sink(parcel);
  int rc = codec_encode(L, 1, sink, &handles);
  if (rc == 0 && sink->end - sink->at < SEAL) rc = sink->more(sink, SEAL);
  if (rc == 0) {
    size_t size = (size_t)(sink->at - parcel_bytes(parcel));
    uint64_t seal = seal_of(parcel_bytes(parcel), size);
    memcpy(sink->at, &seal, SEAL);
    lua_pushlstring(L, parcel_bytes(parcel), size + SEAL);
  }
  parcel_close(parcel);
  if (rc == -EINVAL) return raise_at_caller(L);
  return rc < 0 ? raise_text(L, "not enough memory") : 1;
}

/* unpack(bytes, code): code true: any is loaded; false: none; nil: the family's. */
static int unpack(lua_State *L) {
  size_t size, used;
  uint64_t seal = 0;
  const char *bytes = luaL_checklstring(L, 1, &size);
  if (size < SEAL) return raise_text(L, "bad message: too short to be a packed value");
  size -= SEAL;
  memcpy(&seal, bytes + size, SEAL);
  int ours = has_key && seal == seal_of(bytes, size);
  int code = lua_isnoneornil(L, 2) ? ours : lua_toboolean(L, 2);
  lua_settop(L, 1);
  int rc = codec_decode(L, bytes, size, &used, code ? 0 : CODEC_NO_CODE, NULL);
  if (rc == -EBADMSG) return raise_at_caller(L);
  if (rc < 0) return raise_text(L, "not enough memory");
  if (used != size) return raise_text(L, "bytes after the packed value's end");
  return 1;
}

void bind_pack(lua_State *L) {
  draw_key();
  lua_pushcfunction(L, pack);
  lua_setfield(L, -2, "pack");
  lua_pushcfunction(L, unpack);
  lua_setfield(L, -2, "unpack");
}
