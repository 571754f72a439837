/* Processes by the zygote: see launch.h. */
#include "bind/launch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bind/autopsy.h"
#include "bind/lines.h"
#include "bind/parcel.h"
#include "os/zygote.h"
#include "shm/family.h"
#include "shm/object.h"

lua_State *(*launch_new_state)(void);

static lua_State *ready; /* in the zygote: for its children */

/* ---- in the zygote and its children ---- */

static int load_library(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "mphost");
  lua_call(L, 1, 0);
  return 0;
}

static void prepare(void) {
  family_visit();
  autopsy_prepare();
  ready = launch_new_state();
  if (!ready) _exit(1);
  lua_pushcfunction(ready, load_library);
  if (lua_pcall(ready, 0, 0, 0) != LUA_OK) {
    fprintf(stderr, "mphost: zygote: %s\n", luaL_tolstring(ready, -1, NULL));
    _exit(1);
  }
  lua_gc(ready, LUA_GCCOLLECT); /* its pages stay shared */
}

/* (block) -> exit code */
static int run_record(lua_State *L) {
  parcel_unpack(L, (uint64_t)lua_tointeger(L, 1), 0);
  lua_getglobal(L, "require");
  lua_getfield(L, 2, "module");
  lua_call(L, 1, 1);
  lua_getfield(L, 2, "entry");
  lua_gettable(L, -2);
  lua_pushvalue(L, 2);
  lua_call(L, 1, 1);
  return 1;
}

static void run(const uint64_t *words) {
  if (family_adopt((int)words[0], words[1]) < 0) _exit(127);
  lua_State *L = lua_newthread(ready); /* as in a fork: the main stack is nobody's */
  lua_pushcfunction(L, run_record);
  lua_pushinteger(L, (lua_Integer)words[2]);
  autopsy_watch(L);
  lines_begin(L);
  int code = 1;
  if (lua_pcall(L, 1, 1, 0) == LUA_OK)
    code = (int)lua_tointeger(L, -1);
  else
    fprintf(stderr, "mphost: %s\n", luaL_tolstring(L, -1, NULL));
  proc_leave(code & 0xff);
}

/* ---- in the program ---- */

int launch_zygote(void) {
  if (zygote_is_open()) return 0;
  return launch_new_state ? zygote_open(region.fd, prepare, run) : -ENOTSUP;
}

int launch(lua_State *L, int index, proc *child) {
  struct parcel *parcel = parcel_open(L);
  size_t size = parcel_encode(L, parcel, index);
  uint64_t block = parcel_block(parcel, size);
  parcel_close(parcel);
  if (!block) return -ENOMEM;
  int slot = family_claim_bare();
  if (slot < 0) {
    object_drop(block);
    return slot;
  }
  object_move(block, &family_slot(slot)->ledger);
  uint64_t words[ZYGOTE_WORDS] = {(uint64_t)slot, family_gen(slot), block};
  int rc = proc_fork_remote(child, words);
  if (rc == 1) return slot;
  family_reap(slot);
  return rc;
}

/* zygote(): true, or nil and why not. */
static int system_zygote(lua_State *L) {
  bind_check_family(L);
  int rc = launch_zygote();
  if (rc == 0) return lua_pushboolean(L, 1), 1;
  lua_pushnil(L);
  lua_pushstring(L, rc == -ENOTSUP ? "this build has none" : strerror(-rc));
  return 2;
}

static int system_has_zygote(lua_State *L) {
  lua_pushboolean(L, zygote_is_open());
  return 1;
}

void bind_launch(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"zygote", system_zygote}, {"has_zygote", system_has_zygote}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
