/* How many CPUs this process may really use. */
#ifndef OS_CPU_H
#define OS_CPU_H

/* The least of the affinity mask and the cgroup's CPU quota (rounded up), at least 1. */
int cpu_usable(void);

#endif
