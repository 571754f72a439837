/* A family looked at from outside: by a process that is no member, and only reads.

   The region is a file without a name; /proc/PID/fd leads to that of a member. Read are the slots
   (family.h), by pread: a mapping would make pages of what was never written. Words of a slot may
   be of different moments. slots.layout says whether the slots are as this build knows them. */
#ifndef SHM_PEEK_H
#define SHM_PEEK_H

#include <stdint.h>

#include "shm/family.h"

struct peek {
  int slot, parent;     /* indices of slots; the first has itself as parent */
  uint32_t pid;         /* 0: of the first, which holds no lock that would tell */
  struct status status; /* a copy */
};

/* The region of the process, to be closed by the caller: a descriptor; -ESRCH: no such process,
   -EACCES, -ENOENT: it is in no family. */
int peek_open(int pid);

/* The living members, at most `most`: how many, or -errno; -EPROTO: their build has other slots. */
int peek_read(int fd, struct peek *list, int most);

#endif
