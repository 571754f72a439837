/* The deaths of the processes of this process's family, in an epoll set: a pidfd for each.

   What a process has done is told by the bell (shm/region.h), unless it is killed between doing it
   and ringing. So who waits in an event loop looks again after each death, whoever it was.
   Processes that come later ring when they come (shm/family.h). Where the kernel has no pidfd, or
   descriptors have run out, `blind` says so: then only time helps. */
#ifndef APP_DEATHS_H
#define APP_DEATHS_H

#include <stdbool.h>
#include <stdint.h>

struct deaths {
  struct death {
    uint64_t gen; /* of the process in the slot */
    int fd;
    bool known;
  } * slot; /* by index; NULL: not begun */
  int count;
  uint32_t arrivals; /* as of the last look at the slots */
  bool blind;
};

/* In epoll's data: this and more is the slot of who died. */
#define DEATHS_SLOT 16

/* Adds who has come since the last time: whether somebody turned out to be dead already. */
bool deaths_watch(struct deaths *d, int epoll);

/* What epoll has told. */
void deaths_note(struct deaths *d, int epoll, uint64_t data);

/* No more. `epoll` -1: it is not this process's own. */
void deaths_end(struct deaths *d, int epoll);

#endif
