/* One lock for words that are the whole process's own, whatever thread and Lua state use them:
   lists and flags outside of shared memory. It is rarely taken and never for long.

   It is taken around every fork, by whomever, and given back on both sides: a child finds it free
   and what it guards whole. Under it no Lua runs and nothing waits; the journal's lock (shm) may be
   taken under it, never the other way round. */
#ifndef OS_LATCH_H
#define OS_LATCH_H

void latch_lock(void);
void latch_unlock(void);

/* Calls `child` in every process that is forked from this one, however: once, however often it is
   asked for. At most 8 functions. */
void latch_at_fork(void (*child)(void));

#endif
