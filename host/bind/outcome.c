/* What came of an item: see outcome.h. */
#include "bind/outcome.h"

#include <errno.h>
#include <unistd.h>

#include "bind/interrupt.h"
#include "bind/values.h"
#include "codec/brief.h"

#define FAILED 0 /* no message of the codec's begins so */

static int to_text(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

void outcome_text(lua_State *L, int index) {
  index = lua_absindex(L, index);
  if (luaL_getmetafield(L, index, "__tostring") == LUA_TNIL) {
    luaL_tolstring(L, index, NULL);
    return;
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, to_text);
  lua_pushvalue(L, index);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK) return;
  const char *kind = luaL_typename(L, index), *why = lua_tostring(L, -1);
  if (why)
    lua_pushfstring(L, "(error object is a %s value; its __tostring failed: %s)", kind, why);
  else
    lua_pushfstring(L, "(error object is a %s value; its __tostring raised a %s value)", kind,
                    luaL_typename(L, -1));
  lua_remove(L, -2);
}

int outcome_handler(lua_State *L) {
  lua_settop(L, 1);
  lua_createtable(L, 0, 4);
  outcome_text(L, 1);
  lua_setfield(L, 2, "message");
  lua_pushinteger(L, getpid());
  lua_setfield(L, 2, "pid");
  luaL_traceback(L, L, NULL, 1);
  lua_setfield(L, 2, "traceback");
  if (lua_type(L, 1) != LUA_TSTRING) {
    lua_pushvalue(L, 1);
    lua_setfield(L, 2, "value");
  }
  return 1;
}

void outcome_record(lua_State *L, const char *kind) {
  outcome_text(L, -1); /* what Lua raises without a handler may be anything */
  lua_createtable(L, 0, 3);
  lua_insert(L, -2);
  lua_setfield(L, -2, "message");
  lua_pushinteger(L, getpid());
  lua_setfield(L, -2, "pid");
  if (kind) {
    lua_pushstring(L, kind);
    lua_setfield(L, -2, "kind");
  }
  lua_remove(L, -2);
}

static int encode_record(lua_State *L, struct arena *arena) {
  int rc = arena_byte(arena, FAILED);
  if (rc == 0) rc = arena_encode(L, arena, -1);
  if (rc != -EINVAL) return rc;
  /* Its value cannot be sent: the text of it must do. */
  lua_getfield(L, -2, "message");
  lua_pushliteral(L, " (");
  lua_pushvalue(L, -3);
  lua_pushliteral(L, ")");
  lua_concat(L, 4);
  lua_setfield(L, -3, "message");
  lua_pop(L, 1);
  lua_pushnil(L);
  lua_setfield(L, -2, "value");
  return arena_encode(L, arena, -1);
}

int outcome_encode(lua_State *L, struct arena *arena, int failed) {
  int rc = failed ? -EINVAL : arena_encode(L, arena, -1);
  if (rc == -ENOMEM && !failed) { /* the record is small, and what the result had begun is free */
    lua_pushliteral(L, "not enough shared memory for the result");
    outcome_record(L, "memory");
    lua_remove(L, -2);
    failed = 1;
    rc = -EINVAL;
  }
  if (rc == -EINVAL) {
    if (!failed) {
      outcome_record(L, NULL);
      lua_remove(L, -2);
    }
    failed = 1;
    rc = encode_record(L, arena);
  }
  lua_pop(L, 1);
  return rc < 0 ? rc : failed;
}

int outcome_failed(const char *at) {
  return *at == FAILED;
}

int outcome_decode_whole(lua_State *L, const char **at, size_t *left,
                         const codec_handles *handles) {
  size_t used;
  if (values_begin(*at, *left)) {
    values_to_list(L, values_push(L, at, left));
    return 0;
  }
  int failed = *left > 0 && outcome_failed(*at);
  luaL_checkstack(L, 4, NULL);
  int rc = codec_decode(L, *at + failed, *left - (size_t)failed, &used, 0, handles);
  if (codec_told(rc) && (used == 0 || interrupt_is_told(L))) lua_error(L);
  if (rc < 0 && used == 0) luaL_error(L, "not enough memory");
  *at += used + (size_t)failed;
  *left -= used + (size_t)failed;
  if (rc == 0) return failed;
  lua_pushfstring(L, "the %s cannot be received: %s", failed ? "error" : "result",
                  lua_tostring(L, -1));
  outcome_record(L, NULL);
  lua_remove(L, -2);
  return 1;
}
