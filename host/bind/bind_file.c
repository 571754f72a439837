/* core.map_file: files as arrays of bytes, and what can be asked of bytes that are text. Nothing is
   copied until a Lua string is asked for. */
#include <errno.h>
#include <string.h>

#include "bind/array.h"
#include "shm/family.h"

/* The world's answer: nil, "path: why", name. */
static int file_fail(lua_State *L, const char *path, int rc) {
  if (rc == -ENOMEM) return bind_fail(L, rc);
  const char *why = strerror(-rc), *name = "invalid";
  switch (-rc) {
  case ENOENT:
  case ENOTDIR: name = "gone"; break;
  case EACCES:
  case EPERM:
  case EROFS:
  case ETXTBSY: name = "denied"; break;
  case ENOSPC:
  case EDQUOT:
  case EFBIG:
  case EMFILE:
  case ENFILE: name = "full"; break;
  case ENODEV: why = "Not a regular file"; break;
  case ENODATA: why = "The file is shorter than that"; break;
  default: break;
  }
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path, why);
  lua_pushstring(L, name);
  return 3;
}

/* map_file(path, size | nil, mode | nil): an array, or nil, message, name. */
static int file_create(lua_State *L) {
  static const char *const modes[] = {"r", "r+", "w+", NULL};
  size_t length;
  const char *path = luaL_checklstring(L, 1, &length);
  luaL_argcheck(L, strlen(path) == length, 1, "a path without zero bytes expected");
  lua_Integer size = luaL_optinteger(L, 2, -1);
  luaL_argcheck(L, size >= 0 || lua_isnoneornil(L, 2), 2, "a size of at least 0 expected");
  int access = luaL_checkoption(L, 3, "r", modes);
  uint64_t bytes = size < 0 ? FILEMAP_WHOLE : (uint64_t)size, object, hold;
  struct array_handle *array = (struct array_handle *)handle_new(L, bind_array_class);
  int rc = file_new(path, access, bytes, family_ledger(), &object, &hold, &array->file);
  if (rc == -EMFILE) { /* files that nobody uses any more have descriptors */
    lua_gc(L, LUA_GCCOLLECT);
    rc = file_new(path, access, bytes, family_ledger(), &object, &hold, &array->file);
  }
  if (rc < 0) return file_fail(L, path, rc);
  struct attachment *first = array->file;
  handle_open(L, &array->handle, object, hold);
  array_settle(&array->handle);
  file_detach(first); /* settling has counted its own use */
  return 1;
}

struct array_handle *array_check_bytes(lua_State *L, int arg) {
  struct array_handle *array = array_check(L, arg);
  const struct number *type = array->span.type;
  if (type->kind != NUMBER_U8 && type->kind != NUMBER_I8)
    luaL_error(L, "an Array of type '%c' is no text (one of type 'B' is)", type->letter);
  return array;
}

/* ---- strings ---- */

/* A position as string.sub takes it: negative ones count from the end. */
static lua_Integer from_end(lua_Integer i, lua_Integer n) {
  return i >= 0 ? i : i < -n ? 0 : n + i + 1;
}

/* sub([i [, j]]): the bytes as a string, by string.sub's rules. */
static int file_m_sub(lua_State *L) {
  struct array_handle *array = array_check_bytes(L, 1);
  lua_Integer n = (lua_Integer)array->span.count;
  lua_Integer i = from_end(luaL_optinteger(L, 2, 1), n), j = from_end(luaL_optinteger(L, 3, -1), n);
  if (i < 1) i = 1;
  if (j > n) j = n;
  lua_pushlstring(L, array->span.base + (i - 1), i <= j ? (size_t)(j - i + 1) : 0);
  return 1;
}

/* The end of the line that begins at or holds `at`: the offset of its newline, or the end. */
static uint64_t line_end(const struct span *span, uint64_t at) {
  const char *end = memchr(span->base + at, '\n', span->count - at);
  return end ? (uint64_t)(end - span->base) : span->count;
}

static uint64_t line_begin(const struct span *span, uint64_t at) {
  const char *before = memrchr(span->base, '\n', at);
  return before ? (uint64_t)(before - span->base) + 1 : 0;
}

/* ---- lines ---- */

struct lines {
  uint64_t at, end; /* the next line begins here; none begins from there on */
};

/* Upvalues: the array, struct lines. Returns the line without its newline, and where it begins. */
static int next_line(lua_State *L) {
  struct lines *lines = lua_touserdata(L, lua_upvalueindex(2));
  struct array_handle *array = lua_touserdata(L, lua_upvalueindex(1));
  array_stay(L, array);
  if (lines->at >= lines->end) return 0;
  if (array->file) array_check_length(L, array);
  uint64_t at = lines->at, end = line_end(&array->span, at);
  lines->at = end + 1;
  lua_pushlstring(L, array->span.base + at, end - at);
  lua_pushinteger(L, (lua_Integer)at + 1);
  return 2;
}

/* lines([from [, to]]): iterates over the lines that begin in that range. */
static int file_m_lines(lua_State *L) {
  struct array_handle *array = array_check_bytes(L, 1);
  uint64_t first;
  struct span part = array_range(L, 2, array, &first);
  if (part.count && first > 0 && array->span.base[first - 1] != '\n') {
    uint64_t end = line_end(&array->span, first);
    part.count = end + 1 < first + part.count ? first + part.count - (end + 1) : 0;
    first = end + 1;
  }
  lua_pushvalue(L, 1);
  struct lines *lines = lua_newuserdatauv(L, sizeof *lines, 0);
  *lines = (struct lines){.at = first, .end = first + part.count};
  lua_pushcclosure(L, next_line, 2);
  return 1;
}

/* ---- find ---- */

/* What string.find found in the line that begins at `begin`, at its results on the stack from
   `base` on: positions become the array's. Captures of positions are integers, others strings. */
static int found_in_line(lua_State *L, int base, uint64_t begin) {
  int top = lua_gettop(L);
  for (int i = base; i <= top; i++) {
    if (!lua_isinteger(L, i) || lua_type(L, i) != LUA_TNUMBER) continue;
    lua_pushinteger(L, lua_tointeger(L, i) + (lua_Integer)begin);
    lua_replace(L, i);
  }
  return top - base + 1;
}

/* Line by line, so that no more than a line is ever copied, whatever the pattern may match.
   Upvalue: string.find. */
static int find_pattern(lua_State *L, struct array_handle *array, uint64_t at) {
  uint64_t begin = line_begin(&array->span, at);
  while (begin <= array->span.count) {
    uint64_t end = line_end(&array->span, begin);
    lua_settop(L, 2);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushlstring(L, array->span.base + begin, end - begin);
    lua_pushvalue(L, 2);
    lua_pushinteger(L, at > begin ? (lua_Integer)(at - begin) + 1 : 1);
    if (lua_pcall(L, 3, LUA_MULTRET, 0) != LUA_OK) bind_raise(L); /* a malformed pattern */
    array_stay(L, array);
    if (!lua_isnil(L, 3)) return found_in_line(L, 3, begin);
    if (end >= array->span.count) break;
    begin = end + 1;
  }
  return 0;
}

static int not_found(lua_State *L) {
  lua_pushnil(L);
  return 1;
}

/* find(what [, init [, plain]]): first and last byte, captures. */
static int file_m_find(lua_State *L) {
  struct array_handle *array = array_check_bytes(L, 1);
  size_t size;
  const char *what = luaL_checklstring(L, 2, &size);
  lua_Integer n = (lua_Integer)array->span.count;
  lua_Integer init = from_end(luaL_optinteger(L, 3, 1), n);
  if (init < 1) init = 1;
  if (init > n + 1) return not_found(L);
  if (!lua_toboolean(L, 4) && strcspn(what, "^$*+?.([%-") < size) {
    if (memchr(what, '\n', size))
      luaL_argerror(L, 2, "a pattern is matched line by line and cannot contain a newline");
    int found = find_pattern(L, array, (uint64_t)init - 1);
    return found ? found : not_found(L);
  }
  const char *from = array->span.base + (init - 1);
  const char *at = memmem(from, (size_t)(n - init + 1), what, size);
  if (!at) return not_found(L);
  lua_pushinteger(L, at - array->span.base + 1);
  lua_pushinteger(L, at - array->span.base + (lua_Integer)size);
  return 2;
}

/* ---- chunks ---- */

/* Where a piece that should end near `near` ends: behind the next separator, one that ends at
   `near` included. */
static uint64_t piece_end(const struct span *span, uint64_t from, uint64_t near, const char *sep,
                          size_t size) {
  uint64_t at = near >= from + size ? near - size : from;
  const char *found = memmem(span->base + at, span->count - at, sep, size);
  return found ? (uint64_t)(found - span->base) + size : span->count;
}

/* chunks(n [, sep]): a list of {from, to}, about n, one behind the other, each ending on a
   separator or at the end. */
static int file_m_chunks(lua_State *L) {
  struct array_handle *array = array_check_bytes(L, 1);
  lua_Integer n = luaL_checkinteger(L, 2);
  luaL_argcheck(L, n >= 1, 2, "at least one piece expected");
  size_t size;
  const char *sep = luaL_optlstring(L, 3, "\n", &size);
  luaL_argcheck(L, size > 0, 3, "a separator of at least one byte expected");
  uint64_t from = 0, count = array->span.count, pieces = (uint64_t)n;
  lua_newtable(L);
  for (lua_Integer i = 1; from < count; i++) {
    uint64_t left = pieces >= (uint64_t)i ? pieces - (uint64_t)i + 1 : 1;
    uint64_t share = (count - from + left - 1) / left;
    uint64_t to = piece_end(&array->span, from, from + share, sep, size);
    lua_createtable(L, 2, 0);
    array_stay(L, array);
    lua_pushinteger(L, (lua_Integer)from + 1);
    lua_rawseti(L, -2, 1);
    lua_pushinteger(L, (lua_Integer)to);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, i);
    from = to;
  }
  return 1;
}

/* ---- files only ---- */

/* flush(): true when all that was written is on the disk, or nil, message, name. */
static int file_m_flush(lua_State *L) {
  struct array_handle *array = array_check(L, 1);
  if (!array->file) return luaL_error(L, "an Array that is no mapped file has no such operation");
  int rc = filemap_flush(&array->file->map);
  if (rc < 0) return file_fail(L, "flush", rc);
  lua_pushboolean(L, 1);
  return 1;
}

void file_methods(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"sub", file_m_sub},
      {"lines", file_m_lines},
      {"chunks", file_m_chunks},
      {"flush", file_m_flush},
      {NULL, NULL},
  };
  luaL_setfuncs(L, methods, 0);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "string") == LUA_TTABLE)
    lua_getfield(L, -1, "find");
  else
    lua_pushnil(L);
  lua_pushcclosure(L, file_m_find, 1);
  lua_setfield(L, -4, "find");
  lua_pop(L, 2);
}

void bind_file(lua_State *L) {
  lua_pushcfunction(L, file_create);
  lua_setfield(L, -2, "map_file");
}
