/* core: time, CPUs, shared memory's figures, and packing. */
#include <errno.h>
#include <string.h>
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

void bind_system(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"clock", system_clock},
      {"sleep", system_sleep},
      {"cpu_count", system_cpus},
      {"pid", system_pid},
      {"log", system_log},
      {"shm_used", system_shm_used},
      {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
  lua_pushlightuserdata(L, NULL); /* stands for nil in messages */
  lua_setfield(L, -2, "null");
}
