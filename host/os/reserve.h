/* One large block for what this process fills when it has forked: its children do not get the
   pages.

   The results of a call are received while the workers run that have just been forked for it. If
   they lay in pages that the workers have, too, the first write into each would copy it (measured:
   400 pages, 2 ms, for 100 000 results), for children that never look at them. So room for them is
   set aside before the forks, withdrawn from children (MADV_DONTFORK) while these are made, and
   then handed to whoever allocates so many bytes.

     reserve_begin -> fork, fork ... -> reserve_end -> reserve_take, once

   In a child the block is there for malloc, and nobody has it: its pages are missing, so it is
   never given back there (every child forgets it, by whomever it is forked). Threads may call
   these; the block is the whole process's, under the latch. */
#ifndef OS_RESERVE_H
#define OS_RESERVE_H

#include <stddef.h>

enum { RESERVE_LEAST = 1 << 16 }; /* bytes: for less it costs more than it saves */

/* An allocator in this process asks reserve_take. Until then nothing is reserved. */
void reserve_serves(void);

/* Sets so many bytes aside, instead of what was. Less than RESERVE_LEAST, or no memory: nothing. */
void reserve_begin(size_t size);
/* Children of from now on have it like anything else. */
void reserve_end(void);
/* The block, if it is of that size and reserve_end was called, for free() to give back; or NULL. */
void *reserve_take(size_t size);

/* Gives back what was not taken. */
void reserve_drop(void);

#endif
