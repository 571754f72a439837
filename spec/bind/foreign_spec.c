/* Foreign bytes in shared memory, as Lua sees them: an error at the caller's line, and it goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>

#include "app/state.h"
#include "bind/bind.h"
#include "shm/queue.h"
#include "shm/ring.h"

static struct record *record_of(lua_State *L, int n) {
  lua_getglobal(L, "q");
  struct handle *handle = lua_touserdata(L, -1);
  lua_pop(L, 1);
  struct queue *q = heap_payload(handle->object);
  struct record *record = record_at(q, position(atomic_load(&q->head)));
  while (n--) record = record_next(record);
  return record;
}

static void check(lua_State *L, const char *code) {
  if (luaL_loadbuffer(L, code, strlen(code), "=spec") == LUA_OK && lua_pcall(L, 0, 0, 0) == LUA_OK)
    return;
  fail_msg("%s", lua_tostring(L, -1));
}

static int begin(void **state) {
  static struct memory memory;
  lua_State *L = state_new(true, &memory);
  *state = L;
  check(L,
        "mp = require 'mphost' q = mp.Queue()\n"
        "function fill() for i = 1, 4 do q:put { i } end end\n"
        "function bad(f) local ok, why = pcall(f) assert(not ok) assert(why:find '^spec:1: ', why)"
        " return why end\n"
        "function rest(...) for _, i in ipairs { ... } do assert(q:get(0)[1] == i) end "
        "  assert(select(3, q:get(0)) == 'empty') assert(q:put(1) and q:get() == 1) end");
  return 0;
}

static int end(void **state) {
  lua_close(*state);
  return 0;
}

static void a_foreign_header(void **state) {
  lua_State *L = *state;
  check(L, "fill()");
  record_of(L, 1)->kind = 9;
  check(L,
        "assert(q:get()[1] == 1) assert(bad(function() local v = q:get() end):find 'foreign bytes')"
        " rest(3, 4)");
}

static void a_foreign_payload(void **state) {
  lua_State *L = *state;
  check(L, "fill()");
  memset(record_of(L, 0) + 1, 0xee, 4);
  check(L, "bad(function() local v = q:get() end) rest(2, 3, 4)");
}

static void foreign_bytes_among_many(void **state) {
  lua_State *L = *state;
  check(L, "fill()");
  record_of(L, 1)->kind = 9;
  check(L, "local list, why = q:get_many(10) assert(#list == 1 and list[1][1] == 1)"
           " assert(why:find 'foreign bytes') rest(3, 4)");
  check(L, "fill()");
  record_of(L, 0)->kind = 9;
  check(L, "local list, why = q:get_many(10) assert(#list == 0)"
           " assert(why:find 'foreign bytes') rest(2, 3, 4)");
}

static void foreign_bytes_in_a_block(void **state) {
  lua_State *L = *state;
  check(L, "q:put(('x'):rep(20000)) fill()");
  uint64_t block = *(uint64_t *)(record_of(L, 0) + 1);
  memset(heap_payload(block), 0xee, 100);
  check(L, "bad(function() local v = q:get() end) rest(1, 2, 3, 4)");
  check(L, "q:put { mp.Value 'i' } fill()");
  block = *(uint64_t *)(record_of(L, 0) + 1);
  for (size_t i = 0; i + 8 <= heap_room(block); i++) { /* the handle's word, wherever it is */
    uint64_t word;
    memcpy(&word, (char *)heap_payload(block) + i, 8);
    if (word >= REGION_HEAP && word < region.size && word % 64 == 0) {
      word += 64;
      memcpy((char *)heap_payload(block) + i, &word, 8);
    }
  }
  check(L, "bad(function() local v = q:get() end) rest(1, 2, 3, 4)");
}

#define a_case(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
  const struct CMUnitTest cases[] = {
      a_case(a_foreign_header),
      a_case(a_foreign_payload),
      a_case(foreign_bytes_among_many),
      a_case(foreign_bytes_in_a_block),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
