/* The C library's streams at a fork: what is written and not flushed yet must not come out twice.

   A program with threads may have a stream locked, by a thread that reads from it say, for as long
   as it likes; fflush(NULL) would wait for that. So there each stream that is free is flushed in
   the parent, and the child forgets what the others had. */
#ifndef OS_STREAMS_H
#define OS_STREAMS_H

/* In the parent, before it forks. */
void streams_flush(void);

/* In the child, first: forgets what a parent with threads could not flush. */
void streams_forget(void);

/* What a child does with its streams before it leaves: it flushes them, and calls the one function
 * that was given last. */
void streams_at_leave(void (*last)(void));
void streams_leave(void);

#endif
