/* Whole lines from children: see lines.h. */
#include "bind/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "os/streams.h"
#include "shm/stream.h"

#define ROOM (1 << 16) /* of stdio's buffer: as much comes at once when a line goes on */

static FILE *lines; /* stdout, once it is ours */
static int stream = STREAM_NONE;
static char *kept; /* the beginning of a line */
static size_t kept_room;
size_t lines_kept; /* of its bytes */

static int keep(const char *bytes, size_t size) {
  if (lines_kept + size > kept_room) {
    size_t room = 2 * (lines_kept + size);
    char *more = realloc(kept, room);
    if (!more) return 0;
    kept = more;
    kept_room = room;
  }
  memcpy(kept + lines_kept, bytes, size);
  lines_kept += size;
  return 1;
}

static int write_kept(void) {
  size_t size = lines_kept;
  lines_kept = 0;
  return size ? stream_write(stream, STDOUT_FILENO, kept, size) : 0;
}

static int write_with_kept(const char *bytes, size_t size) {
  if (lines_kept && keep(bytes, size)) return write_kept();
  int rc = write_kept(); /* for want of memory in pieces */
  return size && rc == 0 ? stream_write(stream, STDOUT_FILENO, bytes, size) : rc;
}

/* Whole buffers are not flushed by anybody: the line goes on. */
static ssize_t write_lines(void *unused, const char *bytes, size_t size) {
  (void)unused;
  const char *end = size % ROOM == 0 ? memrchr(bytes, '\n', size) : bytes + size - 1;
  size_t whole = end ? (size_t)(end - bytes) + 1 : 0;
  int rc = whole ? write_with_kept(bytes, whole) : 0;
  if (rc == 0 && whole < size && !keep(bytes + whole, size - whole))
    rc = write_with_kept(bytes + whole, size - whole);
  return rc < 0 ? 0 : (ssize_t)size;
}

static void write_rest(void) {
  write_kept();
}

void lines_write(void) {
  fflush(stdout);
  write_kept();
}

static FILE *new_lines(void) {
  static _Alignas(4096) char buffer[ROOM];
  cookie_io_functions_t functions = {.write = write_lines};
  FILE *file = fopencookie(NULL, "w", functions);
  if (!file) return NULL;
  setvbuf(file, buffer, _IOLBF, ROOM);
  file->_fileno = STDOUT_FILENO;
  streams_at_leave(write_rest);
  return file;
}

static void replace_in_lua(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, LUA_IOLIBNAME) == LUA_TTABLE) {
    lua_getfield(L, -1, "stdout");
    luaL_Stream *out = luaL_testudata(L, -1, LUA_FILEHANDLE);
    if (out && out->f == stdout) out->f = lines;
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
}

void lines_begin(lua_State *L) {
  lines_kept = 0; /* the parent's */
  stream = stream_find(STDOUT_FILENO);
  if (stdout == lines || stream == STREAM_NONE) return;
  if (!lines && !(lines = new_lines())) return;
  replace_in_lua(L);
  stdout = lines;
}
