/* The codec room: the Lua cases of spec/codec/cases.lua, and what only C can try: sinks that move
 * at every step, damaged messages, memory that runs out at every single allocation. Runs with the
 * repository's root as its working directory. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "codec/bytecode.h"
#include "codec/codec.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lua's memory: counted, and able to fail. */
typedef struct heap {
  size_t used, peak;
  long countdown; /* allocations until one fails; negative: none does */
  bool for_good;  /* and all after it */
  bool failed;
} heap;

static void *heap_alloc(void *context, void *block, size_t old, size_t size) {
  heap *h = context;
  if (block == NULL) old = 0;
  if (size == 0) {
    h->used -= old;
    free(block);
    return NULL;
  }
  if (size > old && h->countdown >= 0) {
    bool fail = h->countdown == 0;
    if (fail) h->failed = true;
    if (!fail || !h->for_good) h->countdown--;
    if (fail) return NULL;
  }
  void *moved = realloc(block, size);
  if (moved == NULL) return NULL;
  h->used += size - old;
  if (h->used > h->peak) h->peak = h->used;
  return moved;
}

/* A sink with no byte to spare while the message is short, whose bytes change their place whenever
 * it grows: an encoder that keeps a pointer or writes beyond `end` is seen by the address
 * sanitiser. */
typedef struct tight {
  codec_sink sink;
  char *base;
  int grows;     /* how often it has grown */
  int fail_when; /* the grow that fails, counted from 1; 0: none */
} tight;

static int tight_more(codec_sink *sink, size_t need) {
  tight *t = (tight *)sink;
  size_t length = (size_t)(sink->at - t->base);
  if (++t->grows == t->fail_when) return -ENOSPC;
  if (length > 65536) need += length;
  char *base = malloc(length + need);
  assert_non_null(base);
  if (length > 0) memcpy(base, t->base, length);
  free(t->base);
  t->base = base;
  sink->at = base + length;
  sink->end = sink->at + need;
  return 0;
}

static void tight_init(tight *t) {
  *t = (tight){.sink = {.more = tight_more}};
}

static size_t tight_size(const tight *t) {
  return (size_t)(t->sink.at - t->base);
}

/* A sink that never moves. */
static char roomy_bytes[1 << 20];

static int roomy_more(codec_sink *sink, size_t need) {
  (void)sink;
  (void)need;
  return -ENOSPC;
}

static codec_sink roomy(void) {
  return (codec_sink){roomy_bytes, roomy_bytes + sizeof roomy_bytes, roomy_more, 0, 0, NULL};
}

/* Handles for the cases: a userdata that holds its word. */
static int handle_out(lua_State *L, int index, void *context, uint64_t *word) {
  assert_ptr_equal(context, roomy_bytes);
  uint64_t *held = luaL_testudata(L, index, "spec.handle");
  if (held == NULL) return 0;
  *word = *held;
  return *word == 13 ? -EOWNERDEAD : 1;
}

static void push_handle(lua_State *L, uint64_t word) {
  uint64_t *held = lua_newuserdatauv(L, sizeof *held, 0);
  *held = word;
  luaL_setmetatable(L, "spec.handle");
}

static int handle_in(lua_State *L, uint64_t word, void *context) {
  assert_ptr_equal(context, roomy_bytes);
  if (word == 404) return -ENOENT;
  push_handle(L, word);
  return 0;
}

static const codec_handles handles = {roomy_bytes, handle_out, handle_in};

/* pack(value) -> bytes | nil, message. */
static int lua_pack(lua_State *L) {
  tight t;
  tight_init(&t);
  luaL_checkany(L, 1);
  int top = lua_gettop(L);
  int rc = codec_encode(L, 1, &t.sink, NULL);
  assert_int_equal(lua_gettop(L), rc == -EINVAL ? top + 1 : top);
  if (rc == 0) {
    lua_pushlstring(L, t.base, tight_size(&t));
    free(t.base);
    return 1;
  }
  free(t.base);
  assert_int_equal(rc, -EINVAL);
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

/* Decodes from memory of exactly the message's size: value | nil, message. */
static int decode_exactly(lua_State *L, const char *bytes, size_t size, unsigned flags) {
  char *copy = malloc(size + 1); /* at its end, so that one byte too far is seen */
  assert_non_null(copy);
  memcpy(copy + 1, bytes, size);
  int top = lua_gettop(L);
  size_t used = SIZE_MAX;
  int rc = codec_decode(L, copy + 1, size, &used, flags, NULL);
  free(copy);
  assert_int_equal(lua_gettop(L), top + 1);
  if (rc == 0) {
    assert_true(used <= size);
    return 1;
  }
  assert_int_equal(rc, -EBADMSG);
  assert_int_equal(lua_type(L, -1), LUA_TSTRING);
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

static int lua_unpack(lua_State *L) {
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  return decode_exactly(L, bytes, size, (unsigned)luaL_optinteger(L, 2, 0));
}

static int lua_remote(lua_State *L);

static lua_State *state_open(heap *h) {
  lua_State *L = lua_newstate(heap_alloc, h);
  assert_non_null(L);
  luaL_openlibs(L);
  luaL_newmetatable(L, "spec.handle");
  lua_pop(L, 1);
  lua_register(L, "pack", lua_pack);
  lua_register(L, "unpack", lua_unpack);
  lua_register(L, "remote", lua_remote);
  assert_int_equal(luaL_dostring(L, "package.path = 'spec/codec/?.lua'"), 0);
  return L;
}

/* remote(bytes, chunk): chunk(value) in another state, its first result if that is a scalar. */
static int lua_remote(lua_State *L) {
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  heap h = {.countdown = -1};
  lua_State *R = state_open(&h);
  bool failed = luaL_loadstring(R, luaL_checkstring(L, 2)) != LUA_OK;
  bool refused = !failed && decode_exactly(R, bytes, size, CODEC_REPLACE_GLOBALS) == 2;
  if (!failed && !refused) failed = lua_pcall(R, 1, 1, 0) != LUA_OK;
  size_t length;
  const char *text = luaL_tolstring(R, -1, &length);
  lua_pushnil(L);
  lua_pushlstring(L, text, length);
  if (!failed && !refused && lua_isboolean(R, -2)) lua_pushboolean(L, lua_toboolean(R, -2));
  if (!failed && !refused && lua_isnumber(R, -2)) lua_pushnumber(L, lua_tonumber(R, -2));
  lua_close(R);
  assert_int_equal(h.used, 0);
  return failed ? lua_error(L) : refused ? 2 : 1;
}

static void close_and_count(lua_State *L, heap *h) {
  lua_close(L);
  assert_int_equal(h->used, 0);
}

static int deadline(void **state) {
  (void)state;
  const char *slower = getenv("MPHOST_SLOWER");
  alarm(20 * (unsigned)(slower != NULL ? atoi(slower) : 1));
  return 0;
}

static void push_cases(lua_State *L, const char *field) {
  if (luaL_dofile(L, "spec/codec/cases.lua")) fail_msg("%s", lua_tostring(L, -1));
  lua_getfield(L, -1, field);
  lua_remove(L, -2);
}

static void run_lua_case(void **state) {
  heap h = {.countdown = -1};
  lua_State *L = state_open(&h);
  push_cases(L, "cases");
  lua_getfield(L, -1, *state);
  lua_getglobal(L, "debug");
  lua_getfield(L, -1, "traceback");
  lua_replace(L, -2);
  lua_insert(L, -2);
  if (lua_pcall(L, 0, 0, -2) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  close_and_count(L, &h);
}

static void encode_is_the_same_in_every_sink(void **state) {
  heap h = {.countdown = -1};
  (void)state;
  lua_State *L = state_open(&h);
  push_cases(L, "messages");
  lua_call(L, 0, 1);
  for (lua_Integer i = 1; lua_rawgeti(L, 1, i) != LUA_TNIL; lua_settop(L, 1), i++) {
    codec_sink flat = roomy();
    assert_int_equal(codec_encode(L, -1, &flat, NULL), 0);
    size_t size = (size_t)(flat.at - roomy_bytes);
    tight t;
    tight_init(&t);
    assert_int_equal(codec_encode(L, -1, &t.sink, NULL), 0);
    assert_int_equal(tight_size(&t), size);
    assert_memory_equal(t.base, roomy_bytes, size);
    int grows = t.grows;
    free(t.base);
    for (int fail = 1; fail <= grows; fail++) {
      tight_init(&t);
      t.fail_when = fail;
      assert_int_equal(codec_encode(L, -1, &t.sink, NULL), -ENOSPC);
      assert_int_equal(lua_gettop(L), 2);
      free(t.base);
    }
  }
  close_and_count(L, &h);
}

static void encode_appends_and_decode_tells_how_much(void **state) {
  heap h = {.countdown = -1};
  (void)state;
  lua_State *L = state_open(&h);
  codec_sink sink = roomy();
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "self");
  for (int i = 0; i < 1000; i++) {
    lua_pushinteger(L, i);
    assert_int_equal(codec_encode(L, i % 2 ? 1 : -1, &sink, NULL), 0);
    lua_pop(L, 1);
  }
  const char *at = roomy_bytes;
  for (int i = 0; i < 1000; i++) {
    size_t used;
    assert_int_equal(codec_decode(L, at, (size_t)(sink.at - at), &used, 0, NULL), 0);
    assert_int_equal(lua_type(L, -1), i % 2 ? LUA_TTABLE : LUA_TNUMBER);
    lua_pop(L, 1);
    at += used;
  }
  assert_ptr_equal(at, sink.at);
  close_and_count(L, &h);
}

static void light_userdata_travels_if_it_is_null(void **state) {
  heap h = {.countdown = -1};
  (void)state;
  lua_State *L = state_open(&h);
  for (int nested = 0; nested < 2; nested++) {
    codec_sink sink = roomy();
    lua_pushlightuserdata(L, NULL);
    if (nested) {
      lua_createtable(L, 1, 0);
      lua_insert(L, -2);
      lua_rawseti(L, -2, 1);
    }
    assert_int_equal(codec_encode(L, -1, &sink, NULL), 0);
    size_t size = (size_t)(sink.at - roomy_bytes);
    assert_int_equal(codec_decode(L, roomy_bytes, size, NULL, CODEC_NO_CODE, NULL), 0);
    if (nested) lua_rawgeti(L, -1, 1);
    assert_int_equal(lua_type(L, -1), LUA_TLIGHTUSERDATA);
    assert_null(lua_touserdata(L, -1));
  }
  codec_sink sink = roomy();
  lua_pushlightuserdata(L, L);
  assert_int_equal(codec_encode(L, -1, &sink, NULL), -EINVAL);
  assert_string_equal(lua_tostring(L, -1), "cannot send value: light userdata");
  close_and_count(L, &h);
}

static void handles_travel_as_their_word(void **state) {
  heap h = {.countdown = -1};
  (void)state;
  lua_State *L = state_open(&h);
  codec_sink sink = roomy();
  lua_createtable(L, 2, 0);
  push_handle(L, UINT64_C(0xfedcba9876543210));
  lua_pushvalue(L, -1);
  lua_rawseti(L, 1, 1);
  lua_rawseti(L, 1, 2);
  assert_int_equal(codec_encode(L, 1, &sink, &handles), 0);
  size_t size = (size_t)(sink.at - roomy_bytes);
  assert_int_equal(codec_decode(L, roomy_bytes, size, NULL, CODEC_NO_CODE, &handles), 0);
  lua_rawgeti(L, -1, 1);
  assert_true(*(uint64_t *)luaL_checkudata(L, -1, "spec.handle") == 0xfedcba9876543210);
  lua_rawgeti(L, -2, 2);
  assert_true(lua_rawequal(L, -1, -2));
  assert_int_equal(codec_decode(L, roomy_bytes, size, NULL, 0, NULL), -EBADMSG);
  close_and_count(L, &h);
}

static void handles_fail_as_they_like(void **state) {
  heap h = {.countdown = -1};
  (void)state;
  lua_State *L = state_open(&h);
  codec_sink sink = roomy();
  push_handle(L, 13);
  assert_int_equal(codec_encode(L, -1, &sink, &handles), -EOWNERDEAD);
  assert_int_equal(lua_gettop(L), 1);
  assert_int_equal(codec_encode(L, -1, &sink, NULL), -EINVAL);
  assert_string_equal(lua_tostring(L, -1), "cannot send value: userdata 'spec.handle'");
  sink = roomy();
  push_handle(L, 404);
  assert_int_equal(codec_encode(L, -1, &sink, &handles), 0);
  size_t size = (size_t)(sink.at - roomy_bytes);
  assert_int_equal(codec_decode(L, roomy_bytes, size, NULL, 0, &handles), -EBADMSG);
  close_and_count(L, &h);
}

static void scalars_allocate_nothing(void **state) {
  heap h = {.countdown = -1};
  (void)state;
  lua_State *L = state_open(&h);
  lua_pushinteger(L, 70000);
  lua_pushnumber(L, 0.5);
  lua_pushboolean(L, 1);
  lua_pushliteral(L, "abc");
  h.countdown = 0;
  h.for_good = true;
  for (int i = 1; i <= 4; i++) {
    codec_sink sink = roomy();
    assert_int_equal(codec_encode(L, i, &sink, NULL), 0);
    size_t size = (size_t)(sink.at - roomy_bytes);
    assert_int_equal(codec_decode(L, roomy_bytes, size, NULL, 0, NULL), 0);
    assert_true(lua_rawequal(L, i, -1));
  }
  assert_false(h.failed);
  h.countdown = -1;
  close_and_count(L, &h);
}

/* The recorded messages, all of whose bytes are decoded damaged in one way or the other. */
typedef void damage(lua_State *L, heap *h, const char *bytes, size_t size);

/* Whatever becomes of it, it may take no more memory than a small multiple of its size. */
static int decode_measured(lua_State *L, heap *h, const char *bytes, size_t size) {
  size_t before = h->peak = h->used;
  int results = decode_exactly(L, bytes, size, 0);
  assert_true(h->peak - before < 65536 + 400 * size);
  lua_pop(L, results);
  return results;
}

static void truncate_everywhere(lua_State *L, heap *h, const char *bytes, size_t size) {
  for (size_t short_size = 0; short_size < size; short_size++)
    assert_int_equal(decode_measured(L, h, bytes, short_size), 2);
  assert_int_equal(decode_measured(L, h, bytes, size), 1);
}

static void flip_everywhere(lua_State *L, heap *h, const char *bytes, size_t size) {
  char *copy = malloc(size);
  assert_non_null(copy);
  memcpy(copy, bytes, size);
  for (size_t i = 0; i < size; i++) {
    const int flips[] = {1 << i % 8, 1 << (i + 3) % 8, 0xff, 0x80};
    for (size_t flip = 0; flip < 4; flip++) {
      copy[i] = (char)(bytes[i] ^ flips[flip]);
      decode_measured(L, h, copy, size);
    }
    copy[i] = bytes[i];
    if (i % 64 == 0) lua_gc(L, LUA_GCCOLLECT);
  }
  free(copy);
}

/* Damage may set globals to anything, so each message has a receiver of its own. */
static void damage_messages(damage *damage) {
  heap h = {.countdown = -1};
  lua_State *L = state_open(&h);
  push_cases(L, "messages");
  lua_call(L, 0, 1);
  for (lua_Integer i = 1; lua_rawgeti(L, 1, i) != LUA_TNIL; lua_settop(L, 1), i++) {
    codec_sink sink = roomy();
    assert_int_equal(codec_encode(L, -1, &sink, NULL), 0);
    heap other = {.countdown = -1};
    lua_State *R = state_open(&other);
    damage(R, &other, roomy_bytes, (size_t)(sink.at - roomy_bytes));
    close_and_count(R, &other);
  }
  close_and_count(L, &h);
}

static void truncated_messages_are_refused(void **state) {
  (void)state;
  damage_messages(truncate_everywhere);
}

static void damaged_messages_do_no_harm(void **state) {
  (void)state;
  damage_messages(flip_everywhere);
}

static void announced_counts_allocate_nothing(void **state) {
  heap h = {.countdown = -1};
  (void)state;
  lua_State *L = state_open(&h);
  enum { SIZE = 60000 };
  static char bytes[SIZE];
  bytes[0] = (char)0x91;
  for (uint32_t announced = 1; announced <= SIZE; announced *= 3) {
    for (int i = 1; i + 5 <= SIZE; i += 5) { /* lists in lists, each of them all that could be */
      bytes[i] = (char)0xcd;
      memcpy(bytes + i + 1, &announced, 4);
    }
    assert_int_equal(decode_measured(L, &h, bytes, SIZE), 2);
    for (int i = 1; i + 5 <= SIZE; i += 5) bytes[i] = (char)0xce;
    assert_int_equal(decode_measured(L, &h, bytes, SIZE), 2);
  }
  close_and_count(L, &h);
}

/* Protected: encodes its argument and decodes that. Allocates by Lua alone. */
static int starving(lua_State *L) {
  codec_sink sink = roomy();
  int rc = codec_encode(L, 1, &sink, NULL);
  if (rc != 0) return luaL_error(L, "encode: %d %s", rc, lua_tostring(L, -1));
  size_t size = (size_t)(sink.at - roomy_bytes);
  rc = codec_decode(L, roomy_bytes, size, NULL, CODEC_REPLACE_GLOBALS, NULL);
  if (rc != 0) return luaL_error(L, "decode: %d %s", rc, lua_tostring(L, -1));
  return 1;
}

/* The value at `index` with the n-th allocation failing, or all from there on; was there one? */
static bool starve(lua_State *L, heap *h, int index, long n, bool for_good) {
  lua_pushcfunction(L, starving);
  lua_pushvalue(L, index);
  h->failed = false;
  h->for_good = for_good;
  h->countdown = n;
  int status = lua_pcall(L, 1, 1, 0);
  h->countdown = -1;
  if (status != LUA_OK) {
    const char *text = lua_tostring(L, -1);
    if (!h->failed || strstr(text, "not enough memory") == NULL) fail_msg("%s", text);
  }
  assert_true(h->failed || status == LUA_OK);
  lua_pop(L, 1);
  return h->failed;
}

static void memory_may_fail_anywhere(void **state) {
  heap h = {.countdown = -1};
  (void)state;
  lua_State *L = state_open(&h);
  push_cases(L, "messages");
  lua_call(L, 0, 1);
  for (lua_Integer i = 1; lua_rawgeti(L, 1, i) != LUA_TNIL; lua_settop(L, 1), i++) {
    for (int for_good = 0; for_good < 2; for_good++) {
      for (long n = 0; starve(L, &h, 2, n, for_good); n++) {
        codec_sink sink = roomy();
        if (n % 8 == 0) assert_int_equal(codec_encode(L, 2, &sink, NULL), 0);
      }
    }
  }
  close_and_count(L, &h);
}

/* The names of the registry are made anew in a state that has none. */
static void memory_may_fail_while_names_are_collected(void **state) {
  (void)state;
  bool more = true;
  for (long n = 0; more; n++) {
    heap h = {.countdown = -1};
    lua_State *L = state_open(&h);
    lua_getglobal(L, "print");
    more = starve(L, &h, 1, n, n % 2);
    starve(L, &h, 1, 1000000, false);
    close_and_count(L, &h);
  }
}

static void count_name(void *context, const char *name, size_t size) {
  (void)name;
  *(size_t *)context += size;
}

static void bytecode_is_read_within_its_bounds(void **state) {
  heap h = {.countdown = -1};
  (void)state;
  lua_State *L = state_open(&h);
  const char *chunk = "local a = {1, 2.5, 'x'} return function(...) return outer(a, inner.x) end";
  assert_int_equal(luaL_dostring(L, "return string.dump(load(...))") != 0, 1);
  lua_settop(L, 0);
  lua_getglobal(L, "string");
  lua_getfield(L, -1, "dump");
  assert_int_equal(luaL_loadstring(L, chunk), 0);
  lua_call(L, 1, 1);
  size_t size, told = 0;
  const char *bytes = lua_tolstring(L, -1, &size);
  const uint8_t env[BYTECODE_UPVALUES / 8] = {1};
  assert_int_equal(bytecode_globals(bytes, size, env, count_name, &told), 0);
  assert_int_equal(told, strlen("outer") + strlen("inner"));
  for (size_t cut = 0; cut < size; cut++) {
    char *copy = malloc(cut + 1);
    memcpy(copy + 1, bytes, cut);
    assert_int_equal(bytecode_globals(copy + 1, cut, env, count_name, &told), -EBADMSG);
    free(copy);
  }
  char *copy = malloc(size);
  for (size_t i = 0; i < size; i++) {
    for (int bit = 0; bit < 8; bit++) {
      memcpy(copy, bytes, size);
      copy[i] = (char)(copy[i] ^ 1 << bit);
      int rc = bytecode_globals(copy, size, env, count_name, &told);
      assert_true(rc == 0 || rc == -EBADMSG);
    }
  }
  free(copy);
  close_and_count(L, &h);
}

#define CASE(body)                                                                                 \
  { #body, body, deadline, NULL, NULL }

static const struct CMUnitTest c_cases[] = {
    CASE(encode_is_the_same_in_every_sink),
    CASE(encode_appends_and_decode_tells_how_much),
    CASE(light_userdata_travels_if_it_is_null),
    CASE(handles_travel_as_their_word),
    CASE(handles_fail_as_they_like),
    CASE(scalars_allocate_nothing),
    CASE(truncated_messages_are_refused),
    CASE(damaged_messages_do_no_harm),
    CASE(announced_counts_allocate_nothing),
    CASE(memory_may_fail_anywhere),
    CASE(memory_may_fail_while_names_are_collected),
    CASE(bytecode_is_read_within_its_bounds),
};

int main(void) {
  enum { MOST = 100, OURS = sizeof c_cases / sizeof *c_cases };
  static struct CMUnitTest all[MOST];
  heap h = {.countdown = -1};
  lua_State *L = state_open(&h); /* stays open: the names of the Lua cases are its strings */
  push_cases(L, "order");
  size_t count = (size_t)lua_rawlen(L, -1);
  if (count + OURS > MOST) return 2;
  memcpy(all, c_cases, sizeof c_cases);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i + 1);
    void *name = (void *)lua_tostring(L, -1);
    lua_pop(L, 1);
    all[OURS + i] = (struct CMUnitTest){name, run_lua_case, deadline, NULL, name};
  }
  int failures = _cmocka_run_group_tests("codec", all, OURS + count, NULL, NULL);
  lua_close(L);
  return failures != 0;
}
