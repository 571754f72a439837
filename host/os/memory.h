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

/* madvise for the whole pages in a block of malloc's, but for so many bytes at both ends: 1, or 0:
 * there are none, or the system did not take it. */
int memory_advise(void *block, size_t margin, int advice);

/* The last two large blocks of malloc's that were freed, kept for the next of about their size:
 * pages that are there already cost nothing, new ones more than filling them. Until it is used
 * again the system may take them (MADV_FREE). memory_keep: whether the block is kept, else the
 * caller frees it; memory_kept: one of at least so many bytes, and at most twice as many, or NULL.
 * memory_drop: gives them back. memory_keep_none: that, and from now on nothing is kept in this
 * process: its memory is being measured. Threads may call them. */
int memory_keep(void *block);
void *memory_kept(size_t size);
void memory_drop(void);
void memory_keep_none(void);

/* A new large block of malloc's is going to be filled from end to end: its pages come at once,
 * which takes two thirds of what touching each takes. */
void memory_fill(void *block, size_t size);

/* The C library's heap brought to rest before a fork: what is freed and not yet joined to its
 * neighbours is joined now, else each child does it at its first allocation above 1 KB and copies
 * every page that holds such a piece. Costs next to nothing when nothing was freed. */
void memory_settle(void);

/* Bytes that a process (0: this one) has for itself in memory: its own pages and those that it
   shares with its parent since the fork, not files and not shared memory. 0: nobody knows. */
uint64_t memory_private(pid_t pid);

#endif
