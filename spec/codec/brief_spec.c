/* Numbers and strings by the short way are the same bytes and values as by the codec. */
#include "codec/brief.h"

#include <errno.h>
#include <float.h>
#include <lauxlib.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int no_more(codec_sink *sink, size_t need) {
  (void)sink;
  (void)need;
  return -ENOMEM;
}

/* Bytes of a message that stands at the end of an allocation of its own: reading beyond it shows
 * under ASan. */
static size_t push_alone(lua_State *L, const char *bytes, size_t size) {
  char *alone = malloc(size + !size);
  assert_non_null(alone);
  memcpy(alone, bytes, size);
  size_t used = brief_push(L, alone, size);
  free(alone);
  return used;
}

/* The number on top: both ways to bytes, and back; it is popped. */
static void travels(lua_State *L) {
  char brief[2 * WIRE_HEAD], whole[2 * WIRE_HEAD];
  codec_sink sink = {brief, brief + sizeof brief, no_more, 0, 0, NULL};
  codec_sink other = {whole, whole + sizeof whole, no_more, 0, 0, NULL};
  assert_int_equal(brief_put(L, -1, &sink), 1);
  assert_int_equal(codec_encode(L, -1, &other, NULL), 0);
  size_t size = (size_t)(sink.at - brief);
  assert_int_equal(other.at - whole, size);
  assert_memory_equal(brief, whole, size);
  for (size_t cut = 0; cut < size; cut++) {
    assert_int_equal(push_alone(L, brief, cut), 0);
    assert_int_equal(lua_gettop(L), 1);
  }
  assert_int_equal(push_alone(L, brief, size), size);
  assert_int_equal(lua_gettop(L), 2);
  assert_int_equal(lua_isinteger(L, 1), lua_isinteger(L, 2));
  lua_Number from = lua_tonumber(L, 1), to = lua_tonumber(L, 2);
  assert_memory_equal(&from, &to, sizeof from); /* NaN's and zero's bits, too */
  assert_int_equal(lua_tointeger(L, 1), lua_tointeger(L, 2));
  lua_settop(L, 0);
}

static void all_widths(void **state) {
  (void)state;
  lua_State *L = luaL_newstate();
  static const lua_Integer edges[] = {0,         -32,           -33,           127,
                                      128,       INT8_MIN,      INT8_MIN - 1,  INT16_MAX,
                                      INT16_MIN, INT16_MAX + 1, INT16_MIN - 1, INT32_MAX,
                                      INT32_MIN, INT64_MAX,     INT64_MIN,     -1};
  for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
    lua_pushinteger(L, edges[i]);
    travels(L);
  }
  for (int shift = 0; shift < 63; shift++) {
    lua_pushinteger(L, (lua_Integer)1 << shift);
    travels(L);
    lua_pushinteger(L, -((lua_Integer)1 << shift) - 1);
    travels(L);
  }
  static const lua_Number floats[] = {0.0,     -0.0,         1.0,        -1.5,
                                      DBL_MAX, DBL_TRUE_MIN, 1e308 * 10, 3e18};
  for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
    lua_pushnumber(L, floats[i]);
    travels(L);
  }
  lua_pushnumber(L, (floats[6] - floats[6]));
  travels(L);
  lua_close(L);
}

static size_t bytes_of(lua_State *L, int (*put)(lua_State *, codec_sink *), char *at, size_t room) {
  codec_sink sink = {at, at + room, no_more, 0, 0, NULL};
  assert_int_equal(put(L, &sink), 1);
  return (size_t)(sink.at - at);
}

static int put_briefly(lua_State *L, codec_sink *sink) {
  return brief_put(L, -1, sink);
}

static int put_wholly(lua_State *L, codec_sink *sink) {
  return codec_encode(L, -1, sink, NULL) == 0;
}

/* Around each width of a length; cut off anywhere they are nothing. */
static void strings(void **state) {
  (void)state;
  static const size_t lengths[] = {0, 1, 10, 31, 32, 40, 41, 255, 256, 1000, 70000};
  lua_State *L = luaL_newstate();
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    size_t length = lengths[i], room = length + 2 * WIRE_HEAD;
    char *text = calloc(1, length + 1), *brief = malloc(room), *whole = malloc(room);
    assert_true(text && brief && whole);
    for (size_t k = 0; k < length; k++) text[k] = (char)(k * 7);
    lua_pushlstring(L, text, length);
    size_t size = bytes_of(L, put_briefly, brief, room);
    assert_int_equal(bytes_of(L, put_wholly, whole, room), size);
    assert_memory_equal(brief, whole, size);
    for (size_t cut = 0; cut < size; cut += cut < 300 ? 1 : 997) {
      assert_int_equal(push_alone(L, brief, cut), 0);
      assert_int_equal(lua_gettop(L), 1);
    }
    assert_int_equal(push_alone(L, brief, size), size);
    assert_int_equal(lua_gettop(L), 2);
    assert_true(lua_rawequal(L, 1, 2));
    for (size_t less = 0; less <= length + WIRE_HEAD; less += 1 + less / 64) {
      codec_sink narrow = {brief, brief + less, no_more, 0, 0, NULL};
      assert_int_equal(brief_put(L, 1, &narrow), 0);
      assert_ptr_equal(narrow.at, brief);
    }
    lua_settop(L, 0);
    free(text);
    free(brief);
    free(whole);
  }
  lua_close(L);
}

/* What is neither is neither written nor pushed, nor is what finds no room. */
static void the_rest_is_left_to_the_codec(void **state) {
  (void)state;
  lua_State *L = luaL_newstate();
  char bytes[64];
  codec_sink sink = {bytes, bytes + sizeof bytes, no_more, 0, 0, NULL};
  lua_pushnil(L);
  lua_pushboolean(L, 1);
  lua_newtable(L);
  lua_pushlightuserdata(L, NULL);
  for (int i = 1; i <= 4; i++) {
    assert_int_equal(brief_put(L, i, &sink), 0);
    assert_ptr_equal(sink.at, bytes);
    codec_sink whole = {bytes, bytes + sizeof bytes, no_more, 0, 0, NULL};
    assert_int_equal(codec_encode(L, i, &whole, NULL), 0);
    assert_int_equal(push_alone(L, bytes, (size_t)(whole.at - bytes)), 0);
    assert_int_equal(lua_gettop(L), 4);
  }
  lua_pushinteger(L, INT64_MAX);
  for (size_t room = 0; room <= WIRE_HEAD; room++) {
    codec_sink narrow = {bytes, bytes + room, no_more, 0, 0, NULL};
    assert_int_equal(brief_put(L, -1, &narrow), 0);
    assert_ptr_equal(narrow.at, bytes);
  }
  assert_int_equal(push_alone(L, "\x92\x01", 2), 0); /* another version */
  lua_close(L);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      cmocka_unit_test(all_widths),
      cmocka_unit_test(strings),
      cmocka_unit_test(the_rest_is_left_to_the_codec),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
