/* Globals between a sender and its receivers: what each has to remember of them.
 *
 * A pool's task sees the globals that it reads as its sender has them at the call. A message says
 * what they are there, but for those that are what every fresh state has; so a receiver must know
 * which of its globals the sender may take away, and the sender which of Lua's own names may be
 * something else there. What the receiver has made itself (a worker's `init`) stays.
 *
 * Three tables in the registry, each made on its first use. The receiver's, used only by
 * CODEC_REPLACE_GLOBALS:
 *
 *   sent       name -> true            the sender has, or had, this global: a message has set it,
 *                                      or it was there when this process was forked
 *                      false           the same, one of Lua's own names, of another value then
 *              1 -> true               this process was forked: what it does not have of all that
 *                                      was not there then
 *   originals  name -> value or mark   what one of Lua's own names had before a message replaced
 *                                      it; the mark stands for nothing
 *
 * and the sender's:
 *
 *   lent       name -> true            one of Lua's own names, which was something else, or
 *                                      nothing, when a child was forked: it travels also when it is
 *                                      what a fresh state has
 *
 * A child's `sent` is made by its parent, which puts it in the place of its own as long as it forks
 * (codec_lend_globals): so it costs the child no page, and one table does for all children of a
 * pool's start. A name is noted before the global is set: an error for want of memory in between
 * does no harm. */
#ifndef MPHOST_CODEC_GLOBALS_H
#define MPHOST_CODEC_GLOBALS_H

#include <lua.h>
#include <stddef.h>

/* What stands for no value among the globals to be set: nil, or what a fresh state has. */
enum { GLOBALS_NIL, GLOBALS_FRESH };

void globals_push_mark(lua_State *L, int mark);

/* Has a child been forked while this one of Lua's own names was not what a fresh state has? */
int globals_are_lent(lua_State *L, const char *name, size_t size);

#endif
