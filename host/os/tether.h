/* What makes a child die with its parent.

   PR_SET_PDEATHSIG is bound to the thread that forked: when that thread ends, the child is killed,
   though the process lives on. That serves as long as there is one thread. In a program with
   threads the child holds a tether instead: the reading end of a pipe whose writing end only the
   parent has. When the last writer is gone, however it went, the kernel raises SIGKILL at the
   child (F_SETSIG): bound to the process, and without anybody who polls.

   The writing end must not get into other hands. It is close-on-exec, and every fork, by whomever,
   closes it in the child. */
#ifndef OS_TETHER_H
#define OS_TETHER_H

#include <sys/types.h>

/* In the parent, before it forks: 0 or -errno. `always`: also while there is one thread only. */
int tether_prepare(int always);

/* In the parent, after it has forked or not: a fork by others is not ours again. */
void tether_over(void);

/* In the child, first: -1 when the parent is dead already. */
int tether_hold(pid_t parent);

/* For a child that is another program: the parent, after tether_prepare, has it keep this
   descriptor; there it is taken up before tether_hold. */
int tether_lend(void);
void tether_borrow(int fd);

/* The descriptor by which this process is tied; -1: none. */
int tether_fd(void);

/* Whether the process has, or may have, more than one thread. */
int tether_has_threads(void);

#endif
