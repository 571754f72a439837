/* The output of children: lines arrive whole, however long they are.

   A child's stdout is line buffered (os/proc.h). Where it is a pipe or a terminal, a stream of ours
   takes its place: in `stdout`, and in Lua's io.stdout. What stdio would write goes out by
   shm/stream.h, one writer at a time. Of a line that is longer than stdio's buffer the pieces are
   kept until its end has come; an explicit flush writes what there is, and so does a worker at the
   end of each item: it may be killed in the next. fileno says 1 still.

   A stream's functions run in the middle of fwrite: no Lua, and nothing of ours but the lock. */
#ifndef BIND_LINES_H
#define BIND_LINES_H

#include <stddef.h>
#include <stdio.h>

#include <lua.h>

/* In a child: for this state, and for C code. */
void lines_begin(lua_State *L);

/* In a child: writes what there is of an unfinished line: of stdio's buffer, of what is kept. */
void lines_write(void);
extern size_t lines_kept; /* bytes */

/* The same where mostly there is none: what __fpending says, without the call. */
static inline void lines_flush(void) {
  if (stdout->_IO_write_ptr != stdout->_IO_write_base || lines_kept) lines_write();
}

#endif
