/* Functions that a worker has loaded already: see kept.h. */
#include "bind/kept.h"

#include <stdint.h>
#include <string.h>

#include "codec/bare.h"

/* Place i has the function as user value 2i + 1 and its message, a string, as 2i + 2. */
struct kept {
  uint64_t hash[KEPT_MOST];
  unsigned next, used; /* the place to be taken next; places in use */
};

static const char kept_key = 'k'; /* its address matters */

enum { KEPT_STACK = 6 };

/* Whether place i, whose hash fits, has just this; then the function is pushed. */
static int push_place(lua_State *L, int kept, unsigned i, const char *message, size_t size,
                      int upvalues) {
  size_t has;
  lua_getiuservalue(L, kept, 2 * (int)i + 2);
  const char *bytes = lua_tolstring(L, -1, &has);
  int same = bytes != NULL && has == size && memcmp(bytes, message, size) == 0;
  lua_pop(L, 1);
  if (!same) return 0;
  lua_getiuservalue(L, kept, 2 * (int)i + 1);
  if (!upvalues || bare_has_globals(L, -1)) return 1;
  lua_pop(L, 1); /* the task has changed it, by the debug library */
  return 0;
}

int kept_push(lua_State *L, const char *message, size_t size) {
  uint64_t hash;
  int upvalues, found = 0;
  if (size == 0 || !bare_read(message + 1, size - 1, &hash, &upvalues)) return 0;
  if (!lua_checkstack(L, KEPT_STACK)) return 0;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kept_key);
  int at = lua_gettop(L);
  const struct kept *kept = lua_touserdata(L, at);
  for (unsigned i = 0; kept && i < kept->used && !found; i++)
    if (kept->hash[i] == hash) found = push_place(L, at, i, message, size, upvalues);
  lua_remove(L, at);
  return found;
}

static struct kept *push_kept(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kept_key);
  struct kept *kept = lua_touserdata(L, -1);
  if (kept) return kept;
  lua_pop(L, 1);
  kept = lua_newuserdatauv(L, sizeof *kept, 2 * KEPT_MOST);
  memset(kept, 0, sizeof *kept);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kept_key);
  return kept;
}

void kept_add(lua_State *L, const char *message, size_t size) {
  uint64_t hash;
  int upvalues, function = lua_gettop(L);
  if (size == 0 || !bare_read(message + 1, size - 1, &hash, &upvalues)) return;
  if (!lua_checkstack(L, KEPT_STACK)) return;
  struct kept *kept = push_kept(L);
  lua_pushlstring(L, message, size); /* the last that may raise */
  unsigned i = kept->next;
  kept->next = (i + 1) % KEPT_MOST;
  if (kept->used < KEPT_MOST) kept->used++;
  kept->hash[i] = hash;
  lua_setiuservalue(L, -2, 2 * (int)i + 2);
  lua_pushvalue(L, function);
  lua_setiuservalue(L, -2, 2 * (int)i + 1);
  lua_settop(L, function);
}
