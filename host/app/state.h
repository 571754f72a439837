/* Lua states that know the library: the embedded Lua modules and the C bindings, by
 * package.preload. "mphost" and "mphost.*" come from lua/mphost/, "mphost.core" from bind/,
 * "mphost.source" is a function that gives the text of the embedded files. Nothing is loaded before
 * the first require. */
#ifndef APP_STATE_H
#define APP_STATE_H

#include <stdbool.h>

#include <lua.h>

/* How a state gets its memory. `alloc` NULL: malloc's; `limit` 0: as much as it wants. Must stay as
 * long as the state. */
struct memory {
  lua_Alloc alloc;
  void *user;
  size_t used, limit;
};

/* A new state with the standard libraries and the preloads, its collector in generational mode as
 * in lua5.4's own program; noenv ignores LUA_PATH and the like. NULL when there is no memory. */
lua_State *state_new(bool noenv, struct memory *memory);

/* Closes it, and gives back what its allocator has kept for the next. */
void state_close(lua_State *L);

/* Adds the preloads to a state. Raises when there is no memory. */
void state_preload(lua_State *L);

/* Loads the embedded module "mphost" past package.loaded and leaves it on the stack; raises. */
void state_open(lua_State *L);

#endif
