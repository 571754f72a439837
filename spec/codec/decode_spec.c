/* Where a message ends that cannot be made into a value; all else of decoding is codec_spec.c's. */
#include "codec/codec.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A handle is any full userdata; nobody can make one of its word, for this reason. */
static int what = -ENOENT;

static int out(lua_State *L, int index, void *context, uint64_t *word) {
  (void)context;
  *word = 7;
  return lua_type(L, index) == LUA_TUSERDATA;
}

static int in(lua_State *L, uint64_t word, void *context) {
  (void)context;
  if (word == 7) return what;
  lua_newuserdatauv(L, 1, 0);
  return 0;
}

static const codec_handles handles = {NULL, out, in};

static char bytes[1 << 16];

static int no_more(codec_sink *sink, size_t need) {
  (void)sink;
  (void)need;
  return -ENOMEM;
}

/* Encodes what the code returns, and 42 after it: the length of the first. */
static size_t encode(lua_State *L, const char *code, size_t *both) {
  codec_sink sink = {bytes, bytes + sizeof bytes, no_more, 0, 0, NULL};
  assert_int_equal(luaL_loadstring(L, code), LUA_OK);
  lua_newuserdatauv(L, 1, 0);
  lua_call(L, 1, 1);
  assert_int_equal(codec_encode(L, -1, &sink, &handles), 0);
  size_t size = (size_t)(sink.at - bytes);
  lua_pushinteger(L, 42);
  assert_int_equal(codec_encode(L, -1, &sink, &handles), 0);
  *both = (size_t)(sink.at - bytes);
  lua_settop(L, 0);
  return size;
}

static void fails_but_ends_by(lua_State *L, int rc, const char *code) {
  size_t both, size = encode(L, code, &both), used = 1;
  assert_int_equal(codec_decode(L, bytes, both, &used, 0, &handles), rc);
  assert_int_equal(lua_gettop(L), 1);
  assert_int_equal(lua_type(L, 1), LUA_TSTRING);
  assert_true(used == size);
  assert_int_equal(codec_decode(L, bytes + used, both - used, &used, 0, &handles), 0);
  assert_int_equal(lua_tointeger(L, -1), 42);
  int cut = codec_decode(L, bytes, size - 1, &used, 0, &handles);
  assert_true(cut == -EBADMSG || cut == rc);
  assert_true(used == 0);
  lua_settop(L, 0);
}

static void fails_but_ends(lua_State *L, const char *code) {
  fails_but_ends_by(L, -EBADMSG, code);
}

static void no_memory_for_a_handle(void **state) {
  (void)state;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  what = -ENOMEM;
  fails_but_ends_by(L, -ENOBUFS, "return ...");
  fails_but_ends_by(L, -ENOBUFS, "local h = ... return { 1, { x = { h } } }");
  fails_but_ends_by(L, -ENOBUFS, "local h = ... return function() return h end");
  what = -ENOENT;
  lua_close(L);
}

static void a_message_of_what_is_not_here_has_an_end(void **state) {
  (void)state;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  fails_but_ends(L, "return ...");
  fails_but_ends(L, "local h = ... return { h, h, { h, x = h, [h] = 1 } }");
  fails_but_ends(L, "local h = ... return function() return h, string.rep end");
  fails_but_ends(L, "return setmetatable({ ..., string }, { __index = string, __gc = print })");
  fails_but_ends(L, "local mt = { __pack = function() return nil end, __unpack = error } "
                    "local o = setmetatable({}, mt) return { o, [o] = o, list = { o, ... } }");
  lua_close(L);
}

static void an_unpack_that_fails_runs_once_each_time(void **state) {
  (void)state;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  fails_but_ends(L, "return { 1, setmetatable({}, { __pack = function() return { 2 } end, "
                    "__unpack = function() ran = (ran or 0) + 1 error 'gone' end }), 3 }");
  lua_getglobal(L, "ran");
  assert_int_equal(lua_tointeger(L, -1), 2); /* the whole message, and the truncated one */
  lua_close(L);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      cmocka_unit_test(a_message_of_what_is_not_here_has_an_end),
      cmocka_unit_test(no_memory_for_a_handle),
      cmocka_unit_test(an_unpack_that_fails_runs_once_each_time),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
