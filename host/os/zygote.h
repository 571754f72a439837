/* A process that forks for another one: forked early, while there are no threads whose locks could
   be lost in a child, it does nothing but fork again when it is told to.

   Its children are not ours: their end shows at their pidfd, and their status is asked for here.
   They die with the zygote (it has one thread), the zygote dies with this process (os/tether.h).
   It keeps stdout and stderr and what it is told to, and closes all other descriptors.

   One order at a time goes through a pair of sockets, under a lock of its own; a forked child has
   neither. */
#ifndef OS_ZYGOTE_H
#define OS_ZYGOTE_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#include "os/proc.h"

#define ZYGOTE_WORDS 4

/* Starts the zygote of this process, unless it has one: 0 or -errno. `prepare` runs in it first,
   `run` in each of its children, and does not return. `keep`: descriptors that stay open there. */
int zygote_open(const int *keep, int n, void (*prepare)(void), void (*run)(const uint64_t *words));

/* The same by another program, which `begin` starts (os/spawn.h) with the socket among its
   descriptors, and which calls zygote_serve: for a program that has threads already. -EPIPE: it
   ended before it was ready. */
int zygote_open_by(int (*begin)(proc *zygote, int socket));
_Noreturn void zygote_serve(int socket, void (*run)(const uint64_t *words));

/* Whether there is one. */
int zygote_is_open(void);

/* Has it fork a child that runs with these words: its number, or -errno. -EPIPE: it is gone. */
pid_t zygote_fork(const uint64_t words[ZYGOTE_WORDS]);

/* The end of a child of its: 1 and *info, 0 it runs, -errno nobody knows. */
int zygote_reap(pid_t pid, siginfo_t *info);

#endif
