/* core.peek: the processes of another family, for `mphost --top`. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bind/bind.h"
#include "shm/peek.h"

static const char *explain(int rc) {
  switch (rc) {
  case -ESRCH: return "no such process";
  case -EACCES: return "it is another user's";
  case -ENOENT: return "it has no processes, pools or queues of mphost's";
  case -EPROTO: return "it runs another version of mphost";
  default: return strerror(-rc);
  }
}

static int fail(lua_State *L, int rc) {
  lua_pushnil(L);
  lua_pushstring(L, explain(rc));
  return 2;
}

static void set(lua_State *L, const char *name, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

static void set_seconds(lua_State *L, const char *name, uint64_t ns) {
  lua_pushnumber(L, (lua_Number)ns / 1e9);
  lua_setfield(L, -2, name);
}

static void push_member(lua_State *L, const struct peek *member) {
  lua_createtable(L, 0, 8);
  set(L, "slot", member->slot);
  set(L, "parent", member->parent);
  set(L, "done", (lua_Integer)member->status.done);
  set(L, "failed", (lua_Integer)member->status.failed);
  set_seconds(L, "since", member->status.since);
  set_seconds(L, "busy", member->status.busy);
  if (member->pid) set(L, "pid", member->pid);
  if (member->status.item != STATUS_NONE) set(L, "item", (lua_Integer)member->status.item);
}

/* peek(pid): of each living member of that process's family {slot, parent (a slot), pid (none of
   the first), since and busy in seconds, done, failed, item}; nil and why not. */
static int system_peek(lua_State *L) {
  lua_Integer pid = luaL_checkinteger(L, 1);
  luaL_argcheck(L, pid > 0 && pid <= INT32_MAX, 1, "no process has that number");
  struct peek *list = lua_newuserdatauv(L, sizeof *list * FAMILY_MOST, 0);
  int fd = peek_open((int)pid);
  if (fd < 0) return fail(L, fd);
  int n = peek_read(fd, list, (int)FAMILY_MOST);
  close(fd);
  if (n < 0) return fail(L, n);
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    push_member(L, &list[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

void bind_peek(lua_State *L) {
  lua_pushcfunction(L, system_peek);
  lua_setfield(L, -2, "peek");
}
