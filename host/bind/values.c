/* What a call takes and gives: see values.h. */
#include "bind/values.h"

#include <errno.h>

#include "codec/brief.h"

enum { PLAIN = 1, MOST = 200 };

static int are_plain(lua_State *L, int first, int n) {
  for (int i = first; i < first + n; i++) {
    int type = lua_type(L, i);
    if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TBOOLEAN && type != LUA_TNIL)
      return 0;
  }
  return 1;
}

int values_put(lua_State *L, struct arena *arena, int first, int n) {
  if (n > MOST || !are_plain(L, first, n)) return 0;
  size_t before = arena_size(arena);
  int rc = arena_byte(arena, PLAIN);
  if (rc == 0) rc = arena_byte(arena, (char)n);
  for (int i = first; i < first + n && rc == 0; i++) rc = arena_encode(L, arena, i);
  if (rc != 0) arena_rewind(arena, before);
  return rc == 0;
}

int values_begin(const char *at, size_t left) {
  return left >= 2 && *at == PLAIN;
}

int values_push(lua_State *L, const char **at, size_t *left) {
  int n = (unsigned char)(*at)[1];
  *at += 2;
  *left -= 2;
  luaL_checkstack(L, n + 4, "too many results");
  for (int i = 0; i < n; i++) {
    size_t used;
    int rc = brief_decode(L, *at, *left, &used, CODEC_NO_CODE, NULL);
    if (rc == -EBADMSG) lua_error(L);
    if (rc < 0) luaL_error(L, "not enough memory");
    *at += used;
    *left -= used;
  }
  return n;
}

void values_to_list(lua_State *L, int n) {
  lua_createtable(L, n, 1);
  lua_insert(L, -n - 1);
  int list = lua_gettop(L) - n;
  for (int i = n; i >= 1; i--) lua_rawseti(L, list, i);
  lua_pushinteger(L, n);
  lua_setfield(L, list, "n");
}
