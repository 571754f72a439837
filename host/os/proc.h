/* Processes: fork, and the life of a child seen from its parent.

   A child is held by a pidfd as well as by its number: a signal never reaches a stranger that got
   the number later. Where the kernel or a tool has no pidfd (valgrind 3.19) the number alone
   serves. No signal handler is installed, no SIGCHLD is needed, and it does not matter if somebody
   else (a host program) has reaped the child: then the end is known and the status is not. */
#ifndef OS_PROC_H
#define OS_PROC_H

#include <stdint.h>
#include <sys/types.h>

#define PROC_UNKNOWN 0x7fff /* the status of a child that somebody else has reaped */

typedef struct proc {
  pid_t pid;
  int pidfd;  /* -1: the kernel has none, or there was no room for one more */
  int status; /* once ended: 0..255 the exit code, -N killed by signal N, PROC_UNKNOWN */
  int ended;
  int core;   /* dumped core */
  int remote; /* a child of this process's zygote (os/zygote.h), not of its own */
} proc;

/* Forks after flushing stdio, so that no unwritten output exists twice. Fills *child in the parent
   and returns 1 there, 0 in the child, or -errno. The child dies with SIGKILL when its parent dies,
   has /dev/null as its stdin (where this process was started with one: else descriptor 0 is some
   file of its own), and its stdout is line buffered: its lines stay whole. */
int proc_fork(proc *child);

/* The same, bound to the process, never to the thread that calls. */
int proc_fork_tethered(proc *child);

/* When the program has a handler of its own for SIGINT now, children will not: they die of it, as
   those of a program without one. It is meant for the handler of stock lua, which knows nothing of
   children: there it interrupts the copy of their parent's main thread, which does not run. One
   that a library has installed is left to them. */
void proc_shed_handler(void);

/* What a child of proc_fork does first, for one that is a program of its own: 0, or -1: its parent
   is dead. */
int proc_begin(pid_t parent);

/* Fills *child for a process that this one has started by other means. */
void proc_adopt(proc *child, pid_t pid);

/* Has the zygote fork a child that runs with these words: 1 or -errno. */
int proc_fork_remote(proc *child, const uint64_t *words);

/* Ends a child: flushes stdio, and leaves without the exit handlers of its parent. exit() in a
   child runs its own and ends so, too. */
_Noreturn void proc_leave(int status);

/* The same without keeping a descriptor: its number is its own until it is reaped, and who makes a
   thousand of them has neither a thousand descriptors nor children that inherit those. */
int proc_fork_bare(proc *child);

/* Looks whether the child has ended, waiting until the deadline: 1 ended, 0 still running. -EINTR
   when a signal handler ran meanwhile. */
int proc_wait(proc *child, int64_t deadline);

/* Sends a signal: 0, -ESRCH when it has ended. */
int proc_signal(const proc *child, int signal);

/* A descriptor that becomes readable when the process ends, also one that is no child of this one:
   -errno; -ESRCH: there is no such process. */
int proc_open_pid(pid_t pid);

/* The child's pidfd, which is opened now if it could not be before; of one that has ended something
   else that is readable. -errno. */
int proc_descriptor(proc *child);

/* Before a wait, for a child that has no pidfd: opens one if that is possible; else the wait looks
   every millisecond. 1: it has one now, until proc_close. */
int proc_watch(proc *child);

/* Closes the pidfd. */
void proc_close(proc *child);

#endif
