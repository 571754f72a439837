/* The output of children: lines arrive whole, however long they are.

   A child's stdout is line buffered (os/proc.h). Where it is a pipe or a terminal, a stream of ours
   takes its place: in `stdout`, and in Lua's io.stdout. What stdio would write goes out by
   shm/stream.h, one writer at a time. Of a line that is longer than stdio's buffer the pieces are
   kept until its end has come; an explicit flush writes what there is. fileno says 1 still.

   A stream's functions run in the middle of fwrite: no Lua, and nothing of ours but the lock. */
#ifndef BIND_LINES_H
#define BIND_LINES_H

#include <lua.h>

/* In a child: for this state, and for C code. */
void lines_begin(lua_State *L);

#endif
