/* What goes with the thread that made it.

   A thread keeps some memory in _Thread_local variables to use it again and again. When the thread
   ends, each function that it asked for here is called once, in that thread: it gives the memory
   back. The thread that the program began with ends with the program and calls nothing. */
#ifndef BIND_THREAD_H
#define BIND_THREAD_H

/* Calls `end` when this thread ends; asking again changes nothing. At most 8 functions. */
void thread_at_end(void (*end)(void));

#endif
