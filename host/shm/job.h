/* Work for a pool: tables of chunks that workers claim by themselves, and where they find them.

   A job is a block of the parent's: header, then its chunks. It owns the blocks of input and of
   results. One of a single chunk has spare room behind it: the parent uses it first and leaves the
   rest to whoever claims the chunk, so a small call needs no other block. A pool is a shared object
   with POOL_JOBS places for posted jobs, used in turn; its workers look there when `news` changes.
   A job never gets work back: what a dead worker leaves is a new job, so a worker that found
   nothing in a place need not look there again (its cursor).

   chunk.state  FREE -> index of the claimer's slot + 1 (compare-and-swap by the worker: claim and
   ownership record are one store) -> DONE, perhaps with a reason why done_items is less than items
   (release, by the worker, after results and done_items). A dead worker's chunk is set DONE by the
   parent with what it had finished. Nobody else writes a claimed chunk.
   hint         first chunk that may be free; helped forward by whoever meets a taken one.
   stop         set once: no more claims, chunks end after the item in hand.
   job.waited   1 + the chunk that the parent sleeps for, 0: it is awake. The worker that ends that
   chunk, or stops the job, wakes it. It may be one behind that which the parent needs: it looks at
   that, too, each time it wakes, and each slice.
   pool.waited  1: the parent sleeps until any chunk ends. Cleared by whoever wakes it.
   pool.listened  1: the parent waits for that in an event loop. Cleared by who rings the bell then.
   pool.tail    posts ever made; post number n stands in job[n % POOL_JOBS]. Parent only.
   pool.asleep  workers that sleep on news. Who dies asleep is never taken off: the price is a
   system call at each post.
   pool.watcher slot + 1 of the one worker that looks at news without sleeping, 0: none. It writes
   itself there and takes itself off when it goes to sleep; a post takes it off, too, and wakes one
   less: two that watch would keep the parent from its CPU where there are two. A dead one is
   overwritten by the next, does not count when something is posted, and is taken off with its
   membership, before its slot can be anybody else's.
   pool.member  slot + 1 of each worker, 0: none. Parent only.
   pool.job     written by the parent: a job; LEAVING while it looks whether anybody is in it, then
   empty, or WITHDRAWN: a job that ends when the last worker has left it.

   A worker says which job it is in (status.job, family.h) and then looks again whether it is still
   posted; the parent takes it down and then looks who is in it: one of them sees the other, so no
   job is freed under a worker's feet. A worker that leaves looks at `litter`, the number of
   withdrawn jobs, and frees those that nobody is in: pool.job and litter change in one transaction
   with the list of the dying, so whoever dies there leaks nothing.

   Worker dies: its chunk names it; its status says which item it had in hand. Parent dies: so do
   the workers. */
#ifndef SHM_JOB_H
#define SHM_JOB_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm/heap.h"

#define CHUNK_FREE 0u
#define CHUNK_DONE 0x80000000u
/* Done, but not all of it: */
#define CHUNK_CUT (CHUNK_DONE | 1u)  /* the rest was not begun */
#define CHUNK_FULL (CHUNK_DONE | 2u) /* no memory for the outcome of the next item */
#define JOB_SPARE 1000u
#define POOL_JOBS 1024
#define POOL_NOWHERE UINT32_MAX
/* In pool.job, where offsets are multiples of 64: */
#define JOB_WITHDRAWN ((uint64_t)1) /* whoever finds nobody in it frees it */
#define JOB_LEAVING ((uint64_t)2)   /* the parent frees it, or makes it WITHDRAWN */

/* How the function is called with an item. */
enum {
  JOB_ITEM = 0, /* f(item), one result */
  JOB_SPREAD,   /* f(table.unpack(item, 1, item.n)), one result */
  JOB_CALL,     /* the same, the result is the list of all results with n */
  JOB_EACH,     /* f(item), its result is dropped */
};

struct chunk {
  _Atomic uint32_t state;
  uint32_t items;
  _Atomic uint64_t
      done_items; /* results that are whole; a stopped or lost chunk has fewer than items */
  uint64_t first; /* index of its first item in the call */
  uint64_t input, input_size; /* bytes: offset in the region */
  _Atomic uint64_t output;    /* where its results begin; they move when they need more room */
  _Atomic uint64_t output_size;
  uint64_t busy; /* ns it took, set before state */
};
_Static_assert(sizeof(struct chunk) == 64, "a worker has its chunk's line to itself");

struct job {
  uint32_t chunks;
  uint8_t collect; /* errors do not stop it */
  uint8_t mode;
  uint8_t inherited; /* function and items are the worker's own, by fork */
  uint8_t pad2;
  uint64_t base; /* items of the call before its first: what an index means to a seed */
  uint64_t function, function_size;
  uint64_t seed;    /* each item's random numbers come from this and its index */
  uint64_t timeout; /* ns that an item may run; 0: as long as it takes */
  uint32_t place;   /* in pool.job[], POOL_NOWHERE: not posted; parent only */
  uint32_t spare;   /* where unused bytes begin in its block, from the job's own beginning, and */
  uint32_t spare_size; /* how many there are */
  uint32_t pad0;
  _Atomic uint32_t hint;
  _Atomic uint32_t stop;
  _Atomic uint32_t waited;
  uint32_t pad1[13];
  struct chunk chunk[];
};
_Static_assert(sizeof(struct job) == 128, "constants and shared words on lines of their own");

struct pool {
  _Atomic uint32_t news; /* counts up when a job is posted or the pool is closed */
  _Atomic uint32_t asleep;
  _Atomic uint32_t closed; /* workers leave when nothing is posted */
  _Atomic uint32_t waited;
  _Atomic uint64_t tail;
  uint64_t litter; /* changes in transactions */
  uint32_t members;
  _Atomic uint32_t watcher;
  _Atomic uint32_t listened;
  uint32_t pad[5];
  _Atomic uint64_t job[POOL_JOBS];
  _Atomic uint32_t member[];
};

/* A new pool for so many workers with one hold, a new job in the list: 0: no memory. */
uint64_t pool_new(uint32_t members, struct link *list, uint64_t *hold);
uint64_t job_new(uint32_t chunks, struct link *list);

/* Parent: makes a job known to the workers: 0, or -EAGAIN: POOL_JOBS are posted. */
int pool_post(struct pool *pool, uint64_t job);
/* Parent: nobody enters it any more; it is freed now, or by the last worker to leave it. */
void pool_withdraw(struct pool *pool, uint64_t job);
/* Frees withdrawn jobs that nobody is in. */
void pool_sweep(struct pool *pool);
void pool_close(struct pool *pool);
/* Parent: wakes all workers that sleep though there may be work. */
void pool_nudge(struct pool *pool);
/* Parent: the end of the next chunk, whichever, rings the bell (region.h). To be called before it
 * looks. */
void pool_listen(struct pool *pool);
/* Parent: the worker of this number (from 0) has this slot; -1: it is dead. */
void pool_enlist(struct pool *pool, uint32_t number, int slot);

/* Worker: waits until `deadline` for a posted job that has free chunks and enters it (status.job):
   its offset; 0: closed, or it is time to look around (the deadline, a signal handler ran): *closed
   tells. *cursor begins as 0. */
uint64_t pool_enter(struct pool *pool, uint64_t *cursor, int *closed, int64_t deadline);
/* Worker: leaves the job it is in. */
void pool_leave(struct pool *pool);

/* Worker: claims the next chunk: its number, or -1. */
int64_t job_claim(struct job *job);
/* Worker: the chunk's results are whole, or it ends for the reason that `state` gives. pool NULL:
 * nobody waits. */
void job_finish(struct pool *pool, struct job *job, uint32_t chunk, uint32_t state);
/* No more claims; wakes the parent. */
void job_stop(struct pool *pool, struct job *job);

/* Parent: waits until the chunk is done or the job stopped, or one of the n workers (slots) dies:
   1, or 0: a worker is dead, -ETIMEDOUT, -EINTR. */
int job_wait(struct job *job, uint32_t chunk, const int *workers, int n, int64_t deadline);
/* Parent: ends the chunk that the dead worker of this slot had claimed: its number, or -1. */
int64_t job_bury(struct job *job, int slot);

static inline char *job_spare(struct job *job) {
  return (char *)job + job->spare;
}

static inline int chunk_is_done(const struct chunk *chunk) {
  return (atomic_load(&chunk->state) & CHUNK_DONE) != 0;
}

#endif
