/* Bare functions: see bare.h. */
#include "codec/bare.h"

#include <lauxlib.h>

#include "codec/bytecode.h"
#include "codec/encode.h"

enum { HEAD = 1 + sizeof(uint64_t) + sizeof(uint32_t), BARE_STACK = 12 };
enum { NAMES_MOST = 32 }; /* to look after at each use; a function that reads more is sent anew */

static const char bare_key = 'b'; /* its address matters */

int bare_read(const char *bytes, size_t size, uint64_t *hash, int *upvalues) {
  static const unsigned char none[] = {0, WIRE_END};
  static const unsigned char globals[] = {1, WIRE_CELL_NEW, WIRE_GLOBALS, WIRE_END};
  uint32_t code;
  if (size < HEAD || (unsigned char)bytes[0] != WIRE_FUNCTION) return 0;
  memcpy(hash, bytes + 1, sizeof *hash);
  memcpy(&code, bytes + 1 + sizeof *hash, sizeof code);
  if (size - HEAD < code) return 0;
  const char *tail = bytes + HEAD + code;
  size_t left = size - HEAD - code;
  *upvalues = left == sizeof globals;
  return (left == sizeof none && memcmp(tail, none, left) == 0) ||
         (left == sizeof globals && memcmp(tail, globals, left) == 0);
}

int bare_has_globals(lua_State *L, int index) {
  if (lua_getupvalue(L, index, 1) == NULL) return 0;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  int same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

/* Whether all globals with these names are still a fresh state's. */
static int are_standard(lua_State *L, const char *names, const char *end) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  int globals = lua_gettop(L), standard = 1;
  while (standard && names < end) {
    size_t size = (unsigned char)*names++;
    lua_pushlstring(L, names, size);
    lua_rawget(L, globals);
    standard = !encode_global_travels(L, names, size);
    lua_settop(L, globals);
    names += size;
  }
  lua_pop(L, 1);
  return standard;
}

/* The record is on top. */
static int put_record(lua_State *L, int index, wire_out *out) {
  size_t size;
  uint32_t message;
  const char *record = lua_tolstring(L, -1, &size), *end = record + size;
  memcpy(&message, record, sizeof message);
  record += sizeof message;
  int upvalues = *record++;
  if (upvalues && !bare_has_globals(L, index)) return 0;
  if (!are_standard(L, record + message, end)) return 0;
  int rc = wire_put_bytes(out, record, message);
  out->sink->code = 1;
  return rc != 0 ? rc : 1;
}

int bare_put(lua_State *L, int index, wire_out *out) {
  int rc = 0;
  if (!lua_checkstack(L, BARE_STACK)) return 0;
  index = lua_absindex(L, index);
  int top = lua_gettop(L);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &bare_key) == LUA_TTABLE) {
    lua_pushvalue(L, index);
    if (lua_rawget(L, -2) == LUA_TSTRING) rc = put_record(L, index, out);
  }
  lua_settop(L, top);
  return rc;
}

struct names_of {
  luaL_Buffer *buffer;
  size_t begin; /* in the buffer */
  int count, failed;
};

static int is_known(const struct names_of *names, const char *name, size_t size) {
  const char *at = luaL_buffaddr(names->buffer) + names->begin;
  const char *end = luaL_buffaddr(names->buffer) + luaL_bufflen(names->buffer);
  for (; at < end; at += 1 + (unsigned char)*at)
    if ((unsigned char)*at == size && memcmp(at + 1, name, size) == 0) return 1;
  return 0;
}

static void add_name(void *context, const char *name, size_t size) {
  struct names_of *names = context;
  if (names->failed || is_known(names, name, size)) return;
  if (size > UINT8_MAX || ++names->count > NAMES_MOST) {
    names->failed = 1;
    return;
  }
  luaL_addchar(names->buffer, (char)size);
  luaL_addlstring(names->buffer, name, size);
}

/* Pushes the record, or nil where there can be none. */
static void push_record(lua_State *L, const char *message, size_t size) {
  uint64_t hash;
  int upvalues;
  lua_pushnil(L);
  if (!bare_read(message, size, &hash, &upvalues)) return;
  luaL_Buffer buffer;
  uint8_t env[BYTECODE_UPVALUES / 8] = {(uint8_t)upvalues};
  uint32_t size32 = (uint32_t)size;
  luaL_buffinit(L, &buffer);
  luaL_addlstring(&buffer, (const char *)&size32, sizeof size32);
  luaL_addchar(&buffer, (char)upvalues);
  luaL_addlstring(&buffer, message, size);
  struct names_of names = {.buffer = &buffer, .begin = luaL_bufflen(&buffer)};
  size_t code = size - HEAD - (upvalues ? 4 : 2);
  if (bytecode_globals(message + HEAD, code, env, add_name, &names) != 0) names.failed = 1;
  luaL_pushresult(&buffer);
  if (names.failed) return lua_pop(L, 1);
  lua_remove(L, -2);
}

/* Pushes the table, which is made on its first use. */
static void push_table(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &bare_key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &bare_key);
}

void bare_note(lua_State *L, int index, const wire_out *out, size_t begin) {
  if (!lua_checkstack(L, BARE_STACK) || !names_are_of_script(L, index)) return;
  index = lua_absindex(L, index);
  int top = lua_gettop(L);
  push_table(L);
  lua_pushvalue(L, index);
  lua_pushvalue(L, index);
  int type = lua_rawget(L, -3);
  lua_pop(L, 1);
  if (type == LUA_TNIL)
    lua_pushboolean(L, 0);
  else
    push_record(L, wire_place(out, begin), wire_length(out) - begin);
  if (!lua_isnil(L, -1)) lua_rawset(L, -3);
  lua_settop(L, top);
}
