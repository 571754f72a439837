/* A vote where Lua's memory runs out: the method is found all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>

#include "app/state.h"
#include "bind/bind.h"
#include "bind/warm.h"

static lua_Alloc theirs;
static void *their_data;
static int left; /* allocations that still succeed; negative: all */

static void *scarce(void *unused, void *old, size_t size, size_t new) {
  (void)unused;
  if (new > (old ? size : 0) && left >= 0 && left-- == 0) {
    left = 0;
    return NULL;
  }
  return theirs(their_data, old, size, new);
}

static void check(lua_State *L, const char *code) {
  if (luaL_loadbuffer(L, code, strlen(code), "=spec") == LUA_OK && lua_pcall(L, 0, 0, 0) == LUA_OK)
    return;
  fail_msg("%s", lua_tostring(L, -1));
}

static int is_warm(lua_State *L, int index) {
  lua_getmetatable(L, index);
  int is = lua_getfield(L, -1, "__index") == LUA_TTABLE;
  lua_pop(L, 2);
  return is;
}

static int field(lua_State *L) {
  lua_pushliteral(L, "a field");
  return 1;
}

static void votes_without_memory(void **state) {
  (void)state;
  static struct memory memory;
  lua_State *L = state_new(true, &memory);
  check(L, "mp = require 'mphost'");
  theirs = lua_getallocf(L, &their_data);
  int failed = 0, given = 0;
  while (!given) {
    check(L, "v = mp.Value('j', 5)");
    lua_settop(L, 0);
    lua_getglobal(L, "v");
    lua_gc(L, LUA_GCSTOP);
    lua_setallocf(L, scarce, NULL);
    left = failed;
    warm_vote(L, bind_value_class, field);
    lua_setallocf(L, theirs, their_data);
    lua_gc(L, LUA_GCRESTART);
    assert_int_equal(lua_gettop(L), 1);
    given = is_warm(L, 1);
    if (!given) failed++;
    check(L, "assert(v:add(1) == 5 and v:sub(1) == 6 and #tostring(v) > 5)");
    check(L, given ? "assert(v.value == 'a field')" : "assert(v.value == 5)");
  }
  assert_true(failed >= 5); /* three tables, a closure, ... */
  lua_close(L);
}

int main(void) {
  const struct CMUnitTest cases[] = {cmocka_unit_test(votes_without_memory)};
  return cmocka_run_group_tests(cases, NULL, NULL);
}
