/* Processes that are no copy of this one: another program, started by posix_spawn.

   It gets the descriptors that it is told of, at the numbers that they have here, and a line of
   words; stdout, stderr, the working directory and the environment are as here. No memory, lock or
   thread of the caller matters. As any child of ours it dies with this process (os/tether.h) and
   has /dev/null as its stdin. Signals that the caller handles have their defaults there; what it
   ignores or blocks stays so.

   The arguments are: a mark, this process's number, the tether, the descriptors, the words; all
   but the mark in hexadecimal. */
#ifndef OS_SPAWN_H
#define OS_SPAWN_H

#include <stdint.h>

#include "os/proc.h"

enum { SPAWN_MOST = 16 }; /* descriptors and words together */

/* Starts the program `path`. Descriptors are above 2. Fills *child: 1, or -errno. */
int spawn_start(proc *child, const char *path, const char *mark, const int *fds, int nfds,
                const uint64_t *words, int nwords);

/* In main of the new program, before anything else: reads what it was told, closes all other
   descriptors, ties itself to its parent. 1; 0: argv does not begin with the mark; -EINVAL: what
   follows it is something else; -ESRCH: the parent is dead. */
int spawn_begin(int argc, char *const argv[], const char *mark, int *fds, int nfds, uint64_t *words,
                int nwords);

#endif
