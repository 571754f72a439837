/* Processes that inherit nothing: see launch.h. */
#include "bind/launch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bind/autopsy.h"
#include "bind/child.h"
#include "bind/helper.h"
#include "bind/parcel.h"
#include "bind/std.h"
#include "os/spawn.h"
#include "os/tether.h"
#include "os/zygote.h"
#include "shm/family.h"
#include "shm/object.h"

enum { SLOT, GEN, RECORD, PATHS }; /* words for a child */
_Static_assert(PATHS + 1 == ZYGOTE_WORDS, "the zygote passes them on");

/* What a helper is told besides: */
enum { VERSION = ZYGOTE_WORDS, BASE, SIZE, HELPER_WORDS };

lua_State *(*launch_new_state)(void);
int (*launch_needs_copy)(void);

static lua_State *ready; /* in the zygote: for its children */

/* ---- in the zygote, the helper, the child ---- */

static int load_library(lua_State *L) {
  std_push_field(L, "require");
  lua_pushliteral(L, "mphost");
  lua_call(L, 1, 0);
  return 0;
}

static void make_ready(void) {
  autopsy_prepare();
  ready = launch_new_state();
  if (!ready) _exit(1);
  lua_pushcfunction(ready, load_library);
  if (lua_pcall(ready, 0, 0, 0) == LUA_OK) return;
  fprintf(stderr, "mphost: %s\n", luaL_tolstring(ready, -1, NULL));
  _exit(1);
}

static void prepare(void) {
  family_visit();
  make_ready();
  lua_gc(ready, LUA_GCCOLLECT); /* its pages stay shared */
}

/* The search paths in the table at `from`, those that are strings, into the one at `to`. */
static void copy_paths(lua_State *L, int from, int to) {
  static const char *const names[] = {"path", "cpath"};
  for (int i = 0; i < 2; i++)
    if (lua_getfield(L, from, names[i]) == LUA_TSTRING)
      lua_setfield(L, to, names[i]);
    else
      lua_pop(L, 1);
}

/* Modules are found where the parent finds them. */
static void take_paths(lua_State *L, uint64_t block) {
  parcel_unpack(L, block, 0);
  std_push_field(L, "package");
  int package = lua_gettop(L);
  copy_paths(L, package - 1, package);
  lua_pop(L, 2);
}

/* (record's block, paths' block) -> exit code */
static int run_record(lua_State *L) {
  take_paths(L, (uint64_t)lua_tointeger(L, 2));
  lua_settop(L, 1);
  parcel_unpack(L, (uint64_t)lua_tointeger(L, 1), PARCEL_START);
  std_push_field(L, "require");
  lua_getfield(L, 2, "module");
  lua_call(L, 1, 1);
  lua_getfield(L, 2, "entry");
  lua_gettable(L, -2);
  lua_pushvalue(L, 2);
  lua_call(L, 1, 1);
  return 1;
}

static _Noreturn void run_child(const uint64_t *words) {
  if (family_adopt((int)words[SLOT], words[GEN]) < 0) _exit(127);
  lua_State *L = lua_newthread(ready); /* as in a fork: the main stack is nobody's */
  lua_pushcfunction(L, run_record);
  lua_pushinteger(L, (lua_Integer)words[RECORD]);
  lua_pushinteger(L, (lua_Integer)words[PATHS]);
  child_run(L, 2);
}

static _Noreturn void give_up(const char *why) {
  fprintf(stderr, "mphost: cannot run as a process of another program: %s\n", why);
  _exit(127);
}

/* Makes this program one that may run members of the family that the words tell of. */
static void attach(const int *fds, const uint64_t *words) {
  if (words[VERSION] != LAUNCH_VERSION) give_up("it is not of this version");
  int rc = family_attach(fds, words[BASE], words[SIZE]);
  if (rc == -EEXIST) give_up("the place of its shared memory is taken here");
  if (rc < 0) give_up(strerror(-rc));
  make_ready();
}

/* What spawn_begin says of a mark: whether it was there. */
static int is_meant(int rc) {
  if (rc == -ESRCH) _exit(127); /* nobody is there to be told */
  if (rc < 0) give_up("it is not of this version");
  return rc;
}

int launch_arrive(int argc, char *const argv[]) {
  uint64_t words[HELPER_WORDS];
  int fds[REGION_FDS + 1];
  if (is_meant(spawn_begin(argc, argv, LAUNCH_MARK, fds, REGION_FDS, words, HELPER_WORDS))) {
    attach(fds, words);
    run_child(words);
  }
  if (is_meant(
          spawn_begin(argc, argv, LAUNCH_ZYGOTE_MARK, fds, REGION_FDS + 1, words, HELPER_WORDS))) {
    attach(fds, words);
    lua_gc(ready, LUA_GCCOLLECT);
    zygote_serve(fds[REGION_FDS], run_child);
  }
  helper_is_here();
  return 0;
}

/* ---- in the program ---- */

/* socket: one more descriptor for it; -1: none. */
static int spawn(proc *child, const char *path, const char *mark, int socket,
                 const uint64_t words[ZYGOTE_WORDS]) {
  int fds[REGION_FDS + 1], n = socket < 0 ? REGION_FDS : REGION_FDS + 1;
  uint64_t all[HELPER_WORDS] = {
      [VERSION] = LAUNCH_VERSION, [BASE] = (uintptr_t)region.base, [SIZE] = region.size};
  memcpy(all, words, ZYGOTE_WORDS * sizeof *words);
  region_descriptors(fds);
  fds[REGION_FDS] = socket;
  return spawn_start(child, path, mark, fds, n, all, HELPER_WORDS);
}

/* The helper as zygote: only when it can stand for this program. */
static int spawn_zygote(proc *zygote, int socket) {
  char path[HELPER_PATH];
  const uint64_t nothing[ZYGOTE_WORDS] = {0};
  int rc = helper_find(NULL, path);
  return rc < 0 ? rc : spawn(zygote, path, LAUNCH_ZYGOTE_MARK, socket, nothing);
}

int launch_zygote(void) {
  if (zygote_is_open()) return 0;
  if (!launch_new_state) return -ENOTSUP;
  if (tether_has_threads() && !launch_needs_copy() && zygote_open_by(spawn_zygote) == 0) return 0;
  int keep[REGION_FDS];
  region_descriptors(keep);
  return zygote_open(keep, REGION_FDS, prepare, run_child);
}

/* The value at index, encoded, in a block of ours: 0: no memory. */
static uint64_t pack(lua_State *L, int index) {
  struct parcel *parcel = parcel_open(L);
  size_t size = parcel_encode(L, parcel, index);
  uint64_t block = parcel_block(parcel, size);
  parcel_close(parcel);
  return block;
}

static uint64_t pack_paths(lua_State *L) {
  lua_createtable(L, 0, 2);
  int paths = lua_gettop(L);
  std_push_field(L, "package");
  if (lua_istable(L, -1)) copy_paths(L, paths + 1, paths);
  lua_pop(L, 1);
  uint64_t block = pack(L, paths);
  lua_pop(L, 1);
  return block;
}

static int start(const char *helper, proc *child, const uint64_t words[ZYGOTE_WORDS]) {
  return helper ? spawn(child, helper, LAUNCH_MARK, -1, words) : proc_fork_remote(child, words);
}

/* Claims a slot and gives it the blocks: its index. */
static int claim(const uint64_t *blocks, int n) {
  int slot = family_claim_bare();
  for (int i = 0; i < n; i++)
    if (slot < 0)
      object_drop(blocks[i]);
    else
      object_move(blocks[i], &family_slot(slot)->ledger);
  return slot;
}

int launch(lua_State *L, int index, const char *helper, proc *child) {
  uint64_t block[2] = {pack(L, index)};
  if (!block[0]) return -ENOMEM;
  block[1] = pack_paths(L);
  if (!block[1]) {
    object_drop(block[0]);
    return -ENOMEM;
  }
  int slot = claim(block, 2);
  if (slot < 0) return slot;
  uint64_t words[ZYGOTE_WORDS] = {
      [SLOT] = (uint64_t)slot, [GEN] = family_gen(slot), [RECORD] = block[0], [PATHS] = block[1]};
  int rc = start(helper, child, words);
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

/* helper([path]): the program that spawned processes run, or nil and why there is none. */
static int system_helper(lua_State *L) {
  char path[HELPER_PATH];
  int rc = helper_find(luaL_optstring(L, 1, NULL), path);
  if (rc == 0) return lua_pushstring(L, path), 1;
  lua_pushnil(L);
  if (rc == -ENOENT && lua_isnoneornil(L, 1) && !*path)
    lua_pushliteral(
        L, "the program 'mphost' is not beside the library; MPHOST_HELPER says where it is");
  else
    lua_pushfstring(L, "'%s': %s", path, strerror(-rc));
  return 2;
}

void bind_launch(lua_State *L) {
  static const luaL_Reg functions[] = {{"zygote", system_zygote},
                                       {"has_zygote", system_has_zygote},
                                       {"helper", system_helper},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
