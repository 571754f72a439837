/* The collection of names: all that package.loaded leads to, entered under the way there.
 *
 * Who comes first has the name, so it is done in rounds: modules; their fields; the globals, of
 * which only C functions; then what lies deeper. Lua's own and this library's come before everybody
 * else's in each, so that string.format is not called by the name of someone who re-exports it.
 *
 * What holds of the walk below a module's own fields (the last rounds):
 *  - Breadth first, one table once, so cycles end and the shortest way is the name.
 *  - Bounded: string keys only, COLLECT_DEEP fields to a name, COLLECT_TABLE entries of one table,
 *    COLLECT_ENTRIES of a module. Data costs at most that; what lies behind has no name, as if it
 *    were no module's.
 *  - Tables down there are often filled as the program runs (handlers, classes by name, caches),
 * with what the receiver's module does not hold. So a Lua function is named only if the module's
 * own file wrote it, a C function of a Lua module only if it is no closure (a coroutine's, an
 *    iterator's), and a table only if it, or its __index, holds a function that the module made.
 * Where one of a script's is among them (a class that a library keeps by its name), neither they
 * nor the table are named. Everything else goes by value as if nothing led to it.
 *  - Keys are read raw; no metamethod runs. Nothing is made for a value that is neither function
 * nor table. */
#ifndef MPHOST_CODEC_COLLECT_H
#define MPHOST_CODEC_COLLECT_H

#include "codec/names.h"
#include "codec/wire.h"

enum { COLLECT_DEEP = WIRE_PATH_MOST, COLLECT_TABLE = 1024, COLLECT_ENTRIES = 4096 };

/* Pushes a weak table, value -> name, and notes the addresses in n->bits. Needs COLLECT_STACK
 * slots. */
enum { COLLECT_STACK = NAMES_STACK - 4 };
void collect_push_names(lua_State *L, names *n);

#endif
