/* What is known of a loaded module by its name alone: whether it is Lua's or this library's own,
 * and where `require` would find it in a process that has not loaded it. */
#ifndef MPHOST_CODEC_MODULES_H
#define MPHOST_CODEC_MODULES_H

#include <lua.h>
#include <stdbool.h>

bool module_is_ours(const char *name);

/* Pushes, for the module in package.loaded, which stands at `loaded`:
 *
 *   false            require would not find it
 *   true             it is ours, or of a C library: what it holds was made by C, or is ours
 *   ""               package.preload has it: who wrote it cannot be told
 *   a file's name    the Lua source that makes it
 *
 * Looks into the file system. Raises Lua's memory error only. */
void module_push_origin(lua_State *L, int loaded, const char *name);

#endif
