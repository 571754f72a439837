/* Whole lines: who may write to a pipe or terminal that several processes write to.

   The kernel keeps a write to a pipe in one piece up to PIPE_BUF (4 KB); a longer one may find
   another's in its middle. So writers take turns: a robust lock for each thing written to, held
   while the line is being written and not longer. A line that is written in one go is whole, unless
   its writer is killed in it: then the next one ends it first, and writes its own on a line of its
   own. Who waits for a reader that does not read makes the others wait, as the pipe would.

   One lock for all would let a process wait for a reader that waits for it to write elsewhere. So
   there is a table, by what is written to; places are taken and never given back (a number that is
   used again for another pipe finds a lock that does as well). When it is full, or for a regular
   file, where the kernel keeps each write whole, there is no lock.

   key    0 -> the thing's number, once, by compare-and-swap
   lock   robust.h
   bar    1 while a line that is to go away stands on the terminal: by the lock's owner. Who writes
          next takes it away first
   torn   1 from before the first byte of a long line to after its last; by the lock's owner

   Owner dies: the lock comes back as ROBUST_DIED, and torn says whether the line was begun; when it
   died after the last byte, an empty line follows. Nothing else is locked under it, and no Lua
   runs. */
#ifndef SHM_STREAM_H
#define SHM_STREAM_H

#include <stddef.h>

#define STREAM_NONE (-1)

/* Sets up the table of a new region. */
void stream_init(void);

/* The place of what this descriptor writes to; STREAM_NONE: no lock is needed, or none is there. */
int stream_find(int fd);

/* Writes all of it, after whoever is writing there now: 0, or -errno. */
int stream_write(int stream, int fd, const char *bytes, size_t size);

/* To a terminal: a line without an end, in place of the last such one, that goes away when somebody
 * writes there; size 0: it goes away now. 0 or -errno. */
int stream_bar(int stream, int fd, const char *text, size_t size);

#endif
