/* core: time, CPUs, shared memory's figures, and packing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bind/bind.h"
#include "bind/interrupt.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "shm/family.h"
#include "shm/heap.h"
#include "shm/stream.h"

#define LOOK 200000000 /* ns */

static int system_clock(lua_State *L) {
  lua_pushnumber(L, (lua_Number)clock_now() / 1e9);
  return 1;
}

static int system_sleep(lua_State *L) {
  lua_Number seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds == seconds, 1, "a number of seconds expected, got nan");
  luaL_argcheck(L, seconds >= 0, 1, "not negative expected");
  int64_t deadline = clock_deadline(seconds);
  for (;;) {
    int64_t look = clock_now() + LOOK; /* a signal may have come just before the sleep began */
    int rc = clock_sleep_until(deadline > look ? look : deadline);
    if (rc == 0 && deadline > look) rc = -EINTR;
    if (!interrupt_again(L, rc)) break;
  }
  return 0;
}

static int system_cpus(lua_State *L) {
  lua_pushinteger(L, cpu_usable());
  return 1;
}

static int system_pid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

/* Bytes in use by the living. */
static int system_shm_used(lua_State *L) {
  bind_check_family(L);
  family_scan();
  lua_pushinteger(L, (lua_Integer)heap_used());
  return 1;
}

/* One line at a time, so that those of several processes do not tangle. */
static int system_log(lua_State *L) {
  size_t size;
  const char *line = luaL_checklstring(L, 1, &size);
  stream_write(stream_find(STDERR_FILENO), STDERR_FILENO, line, size);
  return 0;
}

/* columns(): of the terminal that stderr is; nil: it is none, or one that cannot move its cursor.
 */
static int system_columns(lua_State *L) {
  const char *term = getenv("TERM");
  struct winsize size;
  if (!term || strcmp(term, "dumb") == 0 || ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  lua_pushinteger(L, size.ws_col > 0 ? size.ws_col : 80);
  return 1;
}

/* status_line(text or nil): a line at the end of the terminal that stderr is, until something else
 * is written there. */
static int system_status_line(lua_State *L) {
  size_t size;
  const char *text = luaL_optlstring(L, 1, "", &size);
  int stream = isatty(STDERR_FILENO) ? stream_find(STDERR_FILENO) : STREAM_NONE;
  lua_pushboolean(L, stream_bar(stream, STDERR_FILENO, text, size) == 0 && size > 0);
  return 1;
}

void bind_system(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"clock", system_clock},
      {"sleep", system_sleep},
      {"cpu_count", system_cpus},
      {"pid", system_pid},
      {"log", system_log},
      {"shm_used", system_shm_used},
      {"columns", system_columns},
      {"status_line", system_status_line},
      {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
  lua_pushlightuserdata(L, NULL); /* stands for nil in messages */
  lua_setfield(L, -2, "null");
}
