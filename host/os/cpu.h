/* How many CPUs this process may really use. */
#ifndef OS_CPU_H
#define OS_CPU_H

/* The least of the affinity mask and the cgroup's CPU quota (rounded up), at least 1. */
int cpu_usable(void);

/* Keeps the calling thread on the n-th CPU (from 0, round and round) of its affinity mask: 0 or
 * -errno. */
int cpu_pin(int n);

#endif
