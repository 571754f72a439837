/* Bare functions: Lua functions of the main script or the prompt with no variables of their own but
 * the globals, of which all that they read are a fresh state's. What a message says of one is its
 * code and nothing else, so it can be remembered at both ends:
 *
 *   the sender    keeps the message of a function that it sends for the second time, with the names
 *                 of the globals that it reads, and looks only whether they are still a fresh
 *                 state's. In the registry, in a table with weak keys:
 *                   function -> false                 sent once
 *                            -> u32 size, u8 upvalues, message, then names, each behind its length
 *   the receiver  may use a function again that it made of the same bytes (bare_read): nothing of
 *                 one call can be left in it for the next.
 *
 * A function of a module is left out: it may get a name as long as its module is being loaded. */
#ifndef MPHOST_CODEC_BARE_H
#define MPHOST_CODEC_BARE_H

#include "codec/wire.h"

/* Writes the remembered message of the function at index, without the version: 1, 0 there is none
 * that is still true, -errno. */
int bare_put(lua_State *L, int index, wire_out *out);

/* The function at index has been written from byte `begin` of the message on: remembers that, if it
 * is bare. Raises Lua's memory error. */
void bare_note(lua_State *L, int index, const wire_out *out, size_t begin);

/* Whether bytes[0..size), a message without its version, are a bare function: then the hash of its
 * code and the number of its upvalues, 0 or 1, the globals table. */
int bare_read(const char *bytes, size_t size, uint64_t *hash, int *upvalues);

/* Whether the upvalue of the function at index is still the globals table. */
int bare_has_globals(lua_State *L, int index);

#endif
