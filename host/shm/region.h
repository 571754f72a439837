/* The one piece of shared memory of a family of processes.

   It is reserved once, before the first fork, and lies at the same address in every process of the
   family; what any of them makes later is reachable by all. Inside it things refer to each other by
   offset, never by pointer; offset 0 is nothing.

     0            journal (journal.h), streams (stream.h), crashes (crash.h), heap's books (heap.h),
                  process slots (family.h)
     REGION_HEAP  blocks, up to the end of the reservation

   One region a process, shared by all hosts and Lua states in it (family_open counts them).
 */
#ifndef SHM_REGION_H
#define SHM_REGION_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "os/bell.h"
#include "os/map.h"

#define REGION_JOURNAL 0
#define REGION_STREAMS (4 << 10)
#define REGION_CRASHES (24 << 10)
#define REGION_BOOKS (64 << 10)
#define REGION_SLOTS (128 << 10)
#define REGION_HEAP (2 << 20)

/* A variable that each process has for itself. Where a spec runs members as threads of one process,
   it is each thread's. */
#ifdef SHM_MEMBERS_ARE_THREADS
#define PROCESS_LOCAL _Thread_local
#else
#define PROCESS_LOCAL
#endif

extern PROCESS_LOCAL map region; /* .base is NULL before region_open */

/* What wakes hosts that wait in an event loop (os/bell.h); it comes and goes with the region. Who
   waits so says it in a word of what it waits for (queue.h, job.h, family.h): nobody rings for
   nobody. */
extern PROCESS_LOCAL int region_bell; /* -1: none */

/* Clears such a word and rings if it was set. Seq_cst: the caller has made visible before what there
   is to see; the other side sets the word and looks after that. Who dies in between is seen to die
   by those who wait (family.h). */
static inline void region_ring(_Atomic uint32_t *asked) {
  if (!atomic_load(asked)) return;
  atomic_store(asked, 0);
  bell_ring(region_bell);
}

/* Counts the regions that this process has had: what was remembered of an earlier one is worth
   nothing. */
extern PROCESS_LOCAL unsigned region_epoch;

/* Reserves the region unless it is there already: 0 or -errno. */
int region_open(void);

/* What a process that is no fork needs to have the region. */
enum { REGION_FDS = 2 };
void region_descriptors(int fds[REGION_FDS]);

/* Maps the region of another process, of which this one has the descriptors: 0 or -errno. */
int region_attach(const int fds[REGION_FDS], uint64_t base, uint64_t size);

/* Gives it back. */
void region_close(void);

static inline void *region_at(uint64_t offset) {
  return region.base + offset;
}

static inline uint64_t region_offset(const void *address) {
  return (uint64_t)((const char *)address - region.base);
}

#endif
