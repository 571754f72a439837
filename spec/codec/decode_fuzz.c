/* libFuzzer against the decoder: any bytes are a value or -EBADMSG, and what has been decoded can
 * be encoded, and decoded from that, again.
 *
 *   cmake --preset clang && cmake --build build/clang --target codec_decode_fuzz
 *   build/clang/spec/codec_decode_fuzz -max_total_time=30 NEW_DIRECTORY spec/codec/corpus
 * </dev/null
 *
 * The first byte chooses the flags. Functions come in only by the spec's own seeds, whose hash
 * fits; the check of the hash is hidden from the fuzzer (decode_code.c). */
#include "codec/codec.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY_MOST = 64 << 20, STATE_LIFE = 2000 };

static size_t fuzz_memory;
static char fuzz_bytes[1 << 20];

static void *fuzz_alloc(void *context, void *block, size_t old, size_t size) {
  (void)context;
  if (block == NULL) old = 0;
  fuzz_memory += size - old;
  if (fuzz_memory > MEMORY_MOST) abort(); /* a count was believed */
  if (size > 0) return realloc(block, size);
  free(block);
  return NULL;
}

static int fuzz_more(codec_sink *sink, size_t need) {
  (void)sink;
  (void)need;
  return -ENOSPC;
}

static int fuzz_handle_out(lua_State *L, int index, void *context, uint64_t *word) {
  (void)context;
  uint64_t *held = luaL_testudata(L, index, "fuzz.handle");
  if (held != NULL) *word = *held;
  return held != NULL;
}

static int fuzz_handle_in(lua_State *L, uint64_t word, void *context) {
  (void)context;
  if (word == 0) return -ENOENT;
  uint64_t *held = lua_newuserdatauv(L, sizeof *held, 0);
  *held = word;
  luaL_setmetatable(L, "fuzz.handle");
  return 0;
}

static const codec_handles fuzz_handles = {NULL, fuzz_handle_out, fuzz_handle_in};

/* Messages call functions by name, as metamethods. What could leave the process, end it, wait or
 * run text must have no name here. The module "deep" has inner tables. */
static const char fuzz_tame[] =
    "package.path, package.cpath = '', ''"
    "for _, name in ipairs {'os', 'io', 'debug', 'package'} do package.loaded[name] = nil end "
    "local deep = load([[local d = {a = {b = {c = {f = math.abs}}}} d.a.b.up = d.a "
    "function d.a.b.c.g() return 1 end function d.a.b.c.d() return d end "
    "local C = {} C.__index = C function C.x() end d.a.C = C return d]], '@deep.lua') "
    "package.preload.deep = deep require 'deep' "
    "os, io, debug, package, load, loadfile, dofile, collectgarbage, print, warn = nil";

static lua_State *fuzz_state(void) {
  lua_State *L = lua_newstate(fuzz_alloc, NULL);
  if (L == NULL) abort();
  luaL_openlibs(L);
  luaL_newmetatable(L, "fuzz.handle");
  if (luaL_dostring(L, fuzz_tame)) abort();
  lua_settop(L, 0);
  return L;
}

/* 0 when it cannot be sent, or is too large for this. */
static size_t fuzz_encode(lua_State *L) {
  codec_sink sink = {fuzz_bytes, fuzz_bytes + sizeof fuzz_bytes, fuzz_more, 0, 0, NULL};
  int rc = codec_encode(L, -1, &sink, &fuzz_handles);
  if (rc == -EINVAL || rc == -ENOSPC) return 0;
  if (rc != 0) abort();
  return (size_t)(sink.at - fuzz_bytes);
}

static void fuzz_again(lua_State *L) {
  size_t size = fuzz_encode(L);
  if (size == 0) return;
  size_t used;
  if (codec_decode(L, fuzz_bytes, size, &used, 0, &fuzz_handles) != 0) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    abort();
  }
  if (used != size) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  static int uses;
  if (size == 0) return 0;
  if (L == NULL) L = fuzz_state();
  size_t used = 0, bytes = size - 1;
  int rc = codec_decode(L, (const char *)data + 1, bytes, &used, data[0] & 3, &fuzz_handles);
  if (rc != 0 && rc != -EBADMSG) abort();
  if (lua_gettop(L) != 1 || used > bytes) abort();
  if (rc == 0) fuzz_again(L);
  lua_settop(L, 0);
  if (++uses % STATE_LIFE == 0) {
    lua_close(L);
    if (fuzz_memory != 0) abort();
    L = NULL;
  }
  return 0;
}
