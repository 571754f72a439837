/* How much memory may still be used, and how much a process has.

   Shared memory is not refused when there is none left: the system kills processes instead, and not
   those that asked. So whoever is about to take much asks here first. It is an estimate: others
   take memory at the same time. */
#ifndef OS_MEMORY_H
#define OS_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes that can be had without anybody being killed: what the system has available, and what the
   memory limits of this process's cgroups (v1 and v2, on every level) leave, whichever is least.
   UINT64_MAX: nobody says. */
uint64_t memory_available(void);

/* Private memory that is about to be filled: the system may give it in huge pages (2 MB on x86-64),
   which costs a fraction of the page faults: 15 ms instead of 60 for 100 MB. Advice: nothing fails.
 */
void memory_fill(void *memory, size_t size);

/* The C library's heap brought to rest before a fork: what is freed and not yet joined to its
 * neighbours is joined now, else each child does it at its first allocation above 1 KB and copies
 * every page that holds such a piece. Costs next to nothing when nothing was freed. */
void memory_settle(void);

/* Bytes that a process (0: this one) has for itself in memory: its own pages and those that it
   shares with its parent since the fork, not files and not shared memory. 0: nobody knows. */
uint64_t memory_private(pid_t pid);

#endif
