/* What is asked of a sink beyond room: to copy large strings itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lualib.h>

#include "codec/codec.h"

static char bytes[2][4 * CODEC_LARGE];
static int filled;

static void fill(codec_sink *sink, const char *from, size_t size) {
  filled++;
  assert_true(size >= CODEC_LARGE && (size_t)(sink->end - sink->at) >= size);
  memcpy(sink->at, from, size);
}

static int no_more(codec_sink *sink, size_t need) {
  (void)sink, (void)need;
  return -ENOSPC;
}

static size_t encode(lua_State *L, int way) {
  codec_sink sink = {.at = bytes[way], .end = bytes[way] + sizeof bytes[way], .more = no_more};
  if (way) sink.fill = fill;
  filled = 0;
  assert_int_equal(codec_encode(L, 1, &sink, NULL), 0);
  return (size_t)(sink.at - bytes[way]);
}

/* Two strings are about the size from which on that is so. */
static void large_strings_are_copied_by_the_sink(void **state) {
  (void)state;
  const char *code = "local n = ... local s = ('abcdefg'):rep(n // 7 + 1)"
                     " return { s:sub(1, n), 'x', { [s:sub(2, n)] = 1, y = 2.5 } }";
  for (int odd = -1; odd <= 2; odd++) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    assert_int_equal(luaL_loadstring(L, code), LUA_OK);
    lua_pushinteger(L, (lua_Integer)CODEC_LARGE + odd);
    lua_call(L, 1, 1);
    size_t size = encode(L, 0);
    assert_int_equal(filled, 0);
    assert_int_equal(encode(L, 1), size);
    assert_int_equal(filled, odd < 0 ? 0 : odd == 0 ? 1 : 2);
    assert_memory_equal(bytes[0], bytes[1], size);
    lua_close(L);
  }
}

int main(void) {
  const struct CMUnitTest cases[] = {cmocka_unit_test(large_strings_are_copied_by_the_sink)};
  return cmocka_run_group_tests(cases, NULL, NULL);
}
