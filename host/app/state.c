/* Lua states with the library in them. */
#include "app/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "app/embed.h"
#include "app/guest.h"
#include "bind/bind.h"
#include "bind/launch.h"
#include "bind/std.h"
#include "os/memory.h"
#include "os/reserve.h"

/* The loader of an embedded file, which is upvalue 1. Arguments as for every loader: the module's
 * name and where it was found; both become the chunk's `...`. */
static int load_embedded(lua_State *L) {
  const struct embed_file *file = lua_touserdata(L, lua_upvalueindex(1));
  lua_settop(L, 2);
  if (luaL_loadbufferx(L, (const char *)file->text, file->size, file->chunk, "t") != LUA_OK)
    return lua_error(L);
  std_push(L);
  lua_setupvalue(L, -2, 1); /* its _ENV */
  lua_insert(L, 1);
  lua_call(L, 2, 1);
  return 1;
}

static void push_loader(lua_State *L, const struct embed_file *file) {
  lua_pushlightuserdata(L, (void *)file);
  lua_pushcclosure(L, load_embedded, 1);
}

/* source(chunk): the text of an embedded file by its chunk name, "@mphost/pool.lua"; nil: none. */
static int find_source(lua_State *L) {
  const char *chunk = luaL_checkstring(L, 1);
  const struct embed_file *file = embed_files;
  while (file->module && strcmp(file->chunk, chunk) != 0) file++;
  if (!file->module) return 0;
  lua_pushlstring(L, (const char *)file->text, file->size);
  return 1;
}

static int load_source(lua_State *L) {
  lua_pushcfunction(L, find_source);
  return 1;
}

void state_preload(lua_State *L) {
  guest_init();
  std_open(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  for (const struct embed_file *file = embed_files; file->module; file++) {
    if (!*file->module) continue;
    push_loader(L, file);
    lua_setfield(L, -2, file->module);
  }
  lua_pushcfunction(L, luaopen_mphost_core);
  lua_setfield(L, -2, "mphost.core");
  lua_pushcfunction(L, load_source);
  lua_setfield(L, -2, "mphost.source");
  lua_pop(L, 1);
}

void state_open(lua_State *L) {
  const struct embed_file *file = embed_files;
  while (file->module && strcmp(file->module, "mphost") != 0) file++;
  if (!file->module) luaL_error(L, "module 'mphost' is not built in");
  push_loader(L, file);
  lua_pushstring(L, file->module);
  lua_pushliteral(L, ":preload:");
  lua_call(L, 2, 1);
}

static int fill(lua_State *L) {
  if (lua_toboolean(L, 1)) {
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV"); /* what package's path setup asks for */
  }
  luaL_openlibs(L);
  state_preload(L);
  lua_gc(L, LUA_GCGEN, 0, 0);
  return 0;
}

/* From this size on the C library maps each block by itself, whatever it has learnt. */
#define MAPPED ((size_t)32 << 20)

/* What luaL_newstate would give, but that the last of the largest are kept for the next: strings of
 * 100 MB from a queue come at 3 GB/s then, else at 1. A new string, of which `old` tells, is filled
 * at once. */
static void *alloc_keeping(void *user, void *block, size_t old, size_t new) {
  (void)user;
  if (new == 0) {
    if (!block || old <= MAPPED || !memory_keep(block)) free(block);
    return NULL;
  }
  if (new < RESERVE_LEAST) return realloc(block, new);
  void *made = block ? NULL : reserve_take(new);
  if (!made && !block && new > MAPPED) made = memory_kept(new);
  if (made) return made;
  made = realloc(block, new);
  if (made && !block && old == LUA_TSTRING && new > MAPPED) memory_fill(made, new);
  return made;
}

/* Lua's allocator within a limit. At the limit Lua collects, and raises if that does not help. */
static void *alloc_within(void *user, void *block, size_t old, size_t new) {
  struct memory *m = user;
  size_t held = block ? old : 0;
  if (new > held && m->used + (new - held) > m->limit) return NULL;
  void *made = m->alloc(m->user, block, old, new);
  if (made || new == 0) m->used += new - held;
  return made;
}

/* What luaL_newstate would set: without a log to write to, warnings stay off. */
static void warn_nobody(void *user, const char *text, int more) {
  (void)user, (void)text, (void)more;
}

static lua_State *create(struct memory *memory) {
  lua_State *L = memory->alloc ? lua_newstate(memory->alloc, memory->user) : luaL_newstate();
  if (!L) return NULL;
  if (memory->alloc) {
    lua_setwarnf(L, warn_nobody, NULL);
  } else {
    lua_setallocf(L, alloc_keeping, NULL);
    reserve_serves();
  }
  if (memory->limit == 0) return L;
  memory->alloc = lua_getallocf(L, &memory->user);
  memory->used = (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB);
  lua_setallocf(L, alloc_within, memory);
  return L;
}

void state_close(lua_State *L) {
  lua_close(L);
  memory_drop();
  reserve_drop();
}

lua_State *state_new(bool noenv, struct memory *memory) {
  lua_State *L = create(memory);
  if (!L) return NULL;
  lua_pushcfunction(L, fill);
  lua_pushboolean(L, noenv);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    state_close(L);
    return NULL;
  }
  return L;
}
