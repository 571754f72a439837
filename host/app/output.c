/* print, io.write, warn and the library's log lines: see output.h. */
#include "app/output.h"

#include <string.h>

#include "bind/bind.h"

static mph_host *upvalue_host(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(1));
}

static int print(lua_State *L) {
  mph_host *h = upvalue_host(L);
  int n = lua_gettop(L);
  luaL_Buffer line;
  luaL_buffinit(L, &line);
  for (int i = 1; i <= n; i++) {
    if (i > 1) luaL_addchar(&line, '\t');
    luaL_tolstring(L, i, NULL);
    luaL_addvalue(&line);
  }
  luaL_addchar(&line, '\n');
  luaL_pushresult(&line);
  size_t size;
  const char *text = lua_tolstring(L, -1, &size);
  h->output(h->output_user, text, size);
  return 0;
}

/* io.write; upvalues: the host, io.stdout, io.output, the real one for when io.output is elsewhere.
 */
static int io_write(lua_State *L) {
  mph_host *h = upvalue_host(L);
  int n = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(3));
  lua_call(L, 0, 1);
  bool elsewhere = !lua_rawequal(L, -1, lua_upvalueindex(2));
  lua_pop(L, 1);
  if (elsewhere) {
    lua_pushvalue(L, lua_upvalueindex(4));
    lua_insert(L, 1);
    lua_call(L, n, LUA_MULTRET);
    return lua_gettop(L);
  }
  for (int i = 1; i <= n; i++) {
    size_t size;
    const char *text = luaL_checklstring(L, i, &size);
    h->output(h->output_user, text, size);
  }
  lua_pushvalue(L, lua_upvalueindex(2));
  return 1;
}

static void replace_output(lua_State *L, mph_host *h) {
  lua_pushlightuserdata(L, h);
  lua_pushcclosure(L, print, 1);
  lua_setglobal(L, "print");
  lua_getglobal(L, "io");
  lua_pushlightuserdata(L, h);
  lua_getfield(L, -2, "stdout");
  lua_getfield(L, -3, "output");
  lua_getfield(L, -4, "write");
  lua_pushcclosure(L, io_write, 4);
  lua_setfield(L, -2, "write");
  lua_pop(L, 1);
}

/* core.log(line) */
static int log_line(lua_State *L) {
  mph_host *h = upvalue_host(L);
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  h->log(h->log_user, text, size);
  return 0;
}

static int open_core(lua_State *L) {
  luaopen_mphost_core(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushcclosure(L, log_line, 1);
  lua_setfield(L, -2, "log");
  return 1;
}

/* Lua calls warnf once for each piece of a message; "@on" and "@off" are orders. What does not fit
 * is cut off: no memory can be asked for here. */
struct warning {
  mph_host *host;
  bool on;
  size_t size;
  char text[1024];
};

static void add_piece(struct warning *w, const char *text) {
  size_t size = strlen(text), room = sizeof w->text - 1 - w->size;
  if (size > room) size = room;
  memcpy(w->text + w->size, text, size);
  w->size += size;
}

static void warn(void *user, const char *text, int more) {
  static const char prefix[] = "Lua warning: ";
  struct warning *w = user;
  if (w->size == 0 && !more && text[0] == '@') {
    if (strcmp(text, "@on") == 0) w->on = true;
    if (strcmp(text, "@off") == 0) w->on = false;
    return;
  }
  if (w->size == 0) add_piece(w, prefix);
  add_piece(w, text);
  if (more) return;
  w->text[w->size++] = '\n';
  if (w->on) w->host->log(w->host->log_user, w->text, w->size);
  w->size = 0;
}

static void replace_log(lua_State *L, mph_host *h) {
  static const char key;
  struct warning *w = lua_newuserdatauv(L, sizeof *w, 0);
  memset(w, 0, sizeof *w);
  w->host = h;
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key); /* lives as long as the state */
  lua_setwarnf(L, warn, w);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushlightuserdata(L, h);
  lua_pushcclosure(L, open_core, 1);
  lua_setfield(L, -2, "mphost.core");
  lua_pop(L, 1);
}

void output_init(lua_State *L, mph_host *h) {
  if (h->output) replace_output(L, h);
  if (h->log) replace_log(L, h);
}
