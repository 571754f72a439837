/* core.pack and what core.unpacker makes: values as sealed bytes.

     message  check              without code (codec_sink.code)
     message  seal  check        with code

   The check is the codec's hash of all before it: it is looked at first and always, so what was
   damaged, or never was mp.pack's, is refused. Anybody can make one. Its bits under MARK say that
   there is a seal: 8 bytes of SipHash-2-4 of the message, under a key that the first process of the
   family drew and all others find in its memory. Only they can make it, so only their bytecode is
   loaded without being asked for. Bytes of another family keep everything else. */
#include <errno.h>
#include <string.h>

#include "bind/parcel.h"
#include "codec/brief.h"
#include "shm/family.h"

#define SEAL 8
#define MARK 0x9d3c5ae1b427f068u /* xored into the check where there is a seal */

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
static uint64_t seal_of(const uint64_t key[2], const char *bytes, size_t size) {
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

static uint64_t check_of(const char *bytes, size_t size) {
  return wire_hash(bytes, size) ^ 0x6d706861636b6564u; /* no bare hash, of which there are others */
}

static int raise_text(lua_State *L, const char *text) {
  lua_pushstring(L, text);
  return bind_raise(L);
}

static void put_word(codec_sink *sink, uint64_t word) {
  memcpy(sink->at, &word, SEAL);
  sink->at += SEAL;
}

/* Behind the message: room for both is there. A process of no family seals with a key that
   check_tail never accepts. */
static void put_tail(const struct parcel *parcel, codec_sink *sink) {
  const char *bytes = parcel_bytes(parcel);
  uint64_t key[2] = {0, 0};
  if (sink->code) {
    family_key(key);
    put_word(sink, seal_of(key, bytes, (size_t)(sink->at - bytes)));
  }
  put_word(sink, check_of(bytes, (size_t)(sink->at - bytes)) ^ (sink->code ? MARK : 0));
}

/* A number or a short string: 1, or 0: it is none. */
static int pack_brief(lua_State *L) {
  char bytes[BRIEF_ROOM + SEAL];
  codec_sink sink = {bytes, bytes + BRIEF_ROOM, NULL, 0, 0, NULL};
  if (!brief_put(L, 1, &sink)) return 0;
  put_word(&sink, check_of(bytes, (size_t)(sink.at - bytes)));
  lua_pushlstring(L, bytes, (size_t)(sink.at - bytes));
  return 1;
}

static int pack(lua_State *L) {
  int n = lua_gettop(L);
  if (n == 0) return raise_text(L, "bad argument #1 to 'pack' (value expected)");
  if (n > 1)
    return raise_text(L, "bad argument #2 to 'pack' (one value expected: put them in a table)");
  if (pack_brief(L)) return 1;
  codec_handles handles = bind_no_handles();
  struct parcel *parcel = parcel_open(L);
  codec_sink *sink = parcel_sink(parcel);
  int rc = codec_encode(L, 1, sink, &handles);
  if (rc == 0 && sink->end - sink->at < 2 * SEAL) rc = sink->more(sink, 2 * SEAL);
  if (rc == 0) {
    put_tail(parcel, sink);
    lua_pushlstring(L, parcel_bytes(parcel), (size_t)(sink->at - parcel_bytes(parcel)));
  }
  parcel_close(parcel);
  if (rc == -EINVAL) return bind_raise(L);
  return rc < 0 ? raise_text(L, "not enough memory") : 1;
}

/* Takes the tail off *size: 0 there is no code, 1 it is not of this family, 2 it is; -1 damaged. */
static int check_tail(const char *bytes, size_t *size) {
  uint64_t check, seal, key[2];
  if (*size < SEAL) return -1;
  *size -= SEAL;
  memcpy(&check, bytes + *size, SEAL);
  check ^= check_of(bytes, *size);
  if (check == 0) return 0;
  if (check != MARK || *size < SEAL) return -1;
  *size -= SEAL;
  memcpy(&seal, bytes + *size, SEAL);
  return family_key(key) && seal == seal_of(key, bytes, *size) ? 2 : 1;
}

/* `code` is where the caller's word on code is: true: any is loaded; false: none; nil: the
 * family's.
 */
static int unpack_at(lua_State *L, int code) {
  size_t size, used;
  const char *bytes = lua_tolstring(L, 1, &size);
  int tail = check_tail(bytes, &size);
  if (tail < 0) return raise_text(L, "bad message: damaged, or not a packed value");
  int load = lua_isnoneornil(L, code) ? tail == 2 : lua_toboolean(L, code);
  int rc = brief_decode(L, bytes, size, &used, load ? 0 : CODEC_NO_CODE, NULL);
  if (rc == -EBADMSG) return bind_raise(L);
  if (rc < 0) return raise_text(L, "not enough memory");
  if (used != size) return raise_text(L, "bytes after the packed value's end");
  return 1;
}

/* unpack(bytes [, options]). Upvalue: what is called with arguments that are not just one string:
 * it raises, or returns the option `code`. */
static int unpack(lua_State *L) {
  if (lua_gettop(L) == 1 && lua_type(L, 1) == LUA_TSTRING) return unpack_at(L, 2);
  lua_settop(L, 2);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_call(L, 2, 1);
  return unpack_at(L, 3);
}

/* unpacker(check): mp.unpack. */
static int unpacker(lua_State *L) {
  lua_settop(L, 1);
  lua_pushcclosure(L, unpack, 1);
  return 1;
}

void bind_pack(lua_State *L) {
  lua_pushcfunction(L, pack);
  lua_setfield(L, -2, "pack");
  lua_pushcfunction(L, unpacker);
  lua_setfield(L, -2, "unpacker");
}
