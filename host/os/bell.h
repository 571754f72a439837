/* A descriptor by which processes wake one another where a futex cannot be waited for: in poll and
   epoll. One eventfd that all of them have; each ring counts it up, and nobody ever reads it.

   So who waits must ask for edges (EPOLLET): each ring is one, for each epoll that has it. A ring
   before it was added is none. */
#ifndef OS_BELL_H
#define OS_BELL_H

/* A new one, close-on-exec: its descriptor or -errno. */
int bell_open(void);

/* Wakes all who wait for it. Below 0: nobody. */
void bell_ring(int bell);

#endif
