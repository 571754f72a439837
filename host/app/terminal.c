/* The module "mphost.terminal": see terminal.h. */
#include "app/terminal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#include "app/editor.h"
#include "app/relay.h"
#include "app/signals.h"

/* ---- the line ---- */

enum { COMPLETE = 2, IDLE }; /* stack of read: functions */

static char *run_complete(void *context, const char *text, size_t *replaced) {
  lua_State *L = context;
  char *list = NULL;
  int top = lua_gettop(L);
  lua_pushvalue(L, COMPLETE);
  lua_pushstring(L, text);
  if (lua_pcall(L, 1, 2, 0) == LUA_OK && lua_isstring(L, -2)) {
    size_t size;
    const char *joined = lua_tolstring(L, -2, &size); /* with a zero byte after each */
    list = malloc(size + 1);
    if (list) memcpy(list, joined, size + 1);
    *replaced = (size_t)lua_tointeger(L, -1);
  }
  lua_settop(L, top);
  return list;
}

static char *run_idle(void *context) {
  lua_State *L = context;
  lua_pushvalue(L, IDLE);
  bool ok = lua_pcall(L, 0, 1, 0) == LUA_OK;
  char *text = ok && lua_isstring(L, -1) ? strdup(lua_tostring(L, -1)) : NULL;
  lua_pop(L, 1);
  return text;
}

/* read(prompt, complete, idle): the line; nil, "end" or "cancelled". complete(text): candidates,
 * each with a zero byte after it, and how many bytes of the text's end they replace. idle(): text
 * or nil. */
static int terminal_read(lua_State *L) {
  static const char *const answers[] = {"", "end", "cancelled"};
  const char *prompt = luaL_checkstring(L, 1);
  struct editor_hooks hooks = {L, run_complete, run_idle};
  char *line = NULL;
  luaL_checktype(L, COMPLETE, LUA_TFUNCTION);
  luaL_checktype(L, IDLE, LUA_TFUNCTION);
  luaL_checkstack(L, 10, NULL);
  int rc = signals_caught() ? EDITOR_END : editor_read(prompt, &hooks, &line);
  if (rc == EDITOR_LINE) {
    lua_pushstring(L, line);
    free(line);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, answers[rc]);
  return 2;
}

static int terminal_remember(lua_State *L) {
  editor_remember(luaL_checkstring(L, 1));
  return 0;
}

/* enter(): a prompt begins. True when there is a line editor. */
static int terminal_enter(lua_State *L) {
  bool edits = editor_open() == 0;
  if (edits && relay_open(STDOUT_FILENO) == 0) relay_use(1);
  signals_session(true);
  lua_pushboolean(L, edits);
  return 1;
}

static int terminal_leave(lua_State *L) {
  (void)L;
  signals_session(false);
  if (!signals_in_session()) relay_use(0);
  return 0;
}

/* calm(): the prompt is back; what is pressed from now on is for other code. */
static int terminal_calm(lua_State *L) {
  (void)L;
  signals_calm();
  return 0;
}

/* ended(): whether a signal has asked the program to end. */
static int terminal_ended(lua_State *L) {
  lua_pushboolean(L, signals_caught() != 0);
  return 1;
}

/* status(text or nil): a line that goes away when processes print; whether it is shown here. */
static int terminal_status(lua_State *L) {
  size_t size;
  const char *text = luaL_optlstring(L, 1, "", &size);
  lua_pushboolean(L, relay_status(text, size));
  return 1;
}

/* ---- what the terminal is ---- */

static int terminal_isatty(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

static int terminal_columns(lua_State *L) {
  struct winsize size;
  bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  lua_pushinteger(L, known ? size.ws_col : 80);
  return 1;
}

/* ---- files ---- */

/* list(dir): names in it, directories with a slash; nil when it cannot be read. */
static int terminal_list(lua_State *L) {
  DIR *dir = opendir(luaL_checkstring(L, 1));
  if (!dir) return 0;
  lua_newtable(L);
  lua_Integer n = 0;
  for (struct dirent *entry; (entry = readdir(dir));) {
    struct stat about;
    bool is_dir = fstatat(dirfd(dir), entry->d_name, &about, 0) == 0 && S_ISDIR(about.st_mode);
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    lua_pushfstring(L, is_dir ? "%s/" : "%s", entry->d_name);
    lua_rawseti(L, -2, ++n);
  }
  closedir(dir);
  return 1;
}

static int answer(lua_State *L, bool ok) {
  if (ok) return lua_pushboolean(L, 1), 1;
  lua_pushnil(L);
  lua_pushstring(L, strerror(errno));
  return 2;
}

/* append(path, text, fresh): adds to a file that only its owner may read, made if need be; fresh:
 * in place of what is in it. Nothing but a file is written to. */
static int terminal_append(lua_State *L) {
  size_t size;
  const char *path = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &size);
  int mode = lua_toboolean(L, 3) ? O_TRUNC : O_APPEND;
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | mode, 0600);
  if (fd < 0) return answer(L, false);
  struct stat about;
  bool ok = fstat(fd, &about) == 0 && (S_ISREG(about.st_mode) || (errno = EINVAL, false));
  struct stat name; /* where a link leads to is somebody else's file: its mode stays */
  bool own = ok && lstat(path, &name) == 0 && name.st_ino == about.st_ino;
  ok = ok && (own && about.st_mode & 077 ? fchmod(fd, 0600) == 0 : true);
  ok = ok && write(fd, text, size) == (ssize_t)size;
  int error = errno;
  close(fd);
  errno = error;
  return answer(L, ok);
}

/* slurp(path, most): what is in a file, and nothing of what is none, which might never answer; nil:
 * there is nothing to be read. */
static int terminal_slurp(lua_State *L) {
  size_t most = (size_t)luaL_checkinteger(L, 2), size = 0;
  luaL_Buffer b;
  char *text = luaL_buffinitsize(L, &b, most); /* it may raise: no descriptor is open yet */
  int fd = open(luaL_checkstring(L, 1), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat about;
  bool is_file = fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
  for (ssize_t n; is_file && size < most && (n = read(fd, text + size, most - size)) > 0;)
    size += (size_t)n;
  if (fd >= 0) close(fd);
  luaL_pushresultsize(&b, size);
  return is_file;
}

/* mkdir(path): with what is above it, for the owner only. */
static int terminal_mkdir(lua_State *L) {
  char *path = strdup(luaL_checkstring(L, 1));
  if (!path) return luaL_error(L, "not enough memory");
  for (char *at = path + 1; *at; at++) {
    if (*at != '/') continue;
    *at = 0;
    mkdir(path, 0700);
    *at = '/';
  }
  int rc = mkdir(path, 0700);
  int error = errno;
  free(path);
  errno = error;
  return answer(L, rc == 0 || errno == EEXIST);
}

static int open_terminal(lua_State *L) {
  static const luaL_Reg functions[] = {{"read", terminal_read},     {"remember", terminal_remember},
                                       {"enter", terminal_enter},   {"leave", terminal_leave},
                                       {"ended", terminal_ended},   {"calm", terminal_calm},
                                       {"status", terminal_status}, {"isatty", terminal_isatty},
                                       {"list", terminal_list},     {"columns", terminal_columns},
                                       {"append", terminal_append}, {"mkdir", terminal_mkdir},
                                       {"slurp", terminal_slurp},   {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}

void terminal_offer(mph_host *host) {
  lua_State *L = mph_lua(host);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, open_terminal);
  lua_setfield(L, -2, "mphost.terminal");
  lua_pop(L, 1);
}
