/* Functions that a worker has loaded already.

   A pool calls the same few functions again and again. One that is bare (codec/bare.h) is found
   here by the hash of its code, compared byte by byte, and used again instead of being loaded once
   more. The last KEPT_MOST of them are kept, in the registry of the worker's state. */
#ifndef BIND_KEPT_H
#define BIND_KEPT_H

#include <lua.h>
#include <stddef.h>

#define KEPT_MOST 16

/* Pushes the function of which this is the message, if it is kept: whether it is. */
int kept_push(lua_State *L, const char *message, size_t size);

/* The function on top was made of this message, and stays there: keeps it if it is bare. Raises
 * Lua's memory error. */
void kept_add(lua_State *L, const char *message, size_t size);

#endif
