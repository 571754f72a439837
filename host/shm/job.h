/* Work for a pool: a table of chunks that workers claim by themselves.

   A job is a block of the parent's: header, then its chunks. It owns the blocks of input and of
   results. A pool is a shared object with a few places for posted jobs; its workers look there when
   `news` changes.

   chunk.state  FREE -> index of the claimer's slot + 1 (compare-and-swap by the worker: claim and
   ownership record are one store)
                -> DONE (release, by the worker, after results and done_items). A dead worker's
   chunk is set DONE by the parent with what it had finished. Nobody else writes a claimed chunk.
   hint         first chunk that may be free; helped forward by whoever meets a taken one.
   stop         set once: no more claims, chunks end after the item in hand.
   waited       1 + the chunk that the parent sleeps for, 0: it is awake. The worker that ends that
   chunk, or stops the job, wakes it. pool.job[]   written by the parent. A worker says which job it
   is in (status.job, family.h) and then looks again whether it is still posted; the parent takes it
   down and then looks who is in it: one of them sees the other, so no job is freed under a worker's
   feet. Worker dies: its chunk names it; its status says which item it had in hand. Parent dies: so
   do the workers. */
#ifndef SHM_JOB_H
#define SHM_JOB_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm/heap.h"

#define CHUNK_FREE 0u
#define CHUNK_DONE 0x80000000u
#define POOL_JOBS 8

struct chunk {
  _Atomic uint32_t state;
  uint32_t items;
  _Atomic uint64_t
      done_items; /* results that are whole; a stopped or lost chunk has fewer than items */
  uint64_t first; /* index of its first item in the call */
  uint64_t input, input_size; /* bytes: offset in the region */
  uint64_t output;            /* where its results begin, set before the first item runs */
  _Atomic uint64_t output_size;
  uint64_t pad;
};
_Static_assert(sizeof(struct chunk) == 64, "a worker has its chunk's line to itself");

struct job {
  uint32_t chunks;
  uint32_t collect; /* errors do not stop it */
  uint64_t function, function_size;
  uint64_t pad0[5];
  _Atomic uint32_t hint;
  _Atomic uint32_t stop;
  _Atomic uint32_t waited;
  uint32_t pad1[13];
  struct chunk chunk[];
};
_Static_assert(sizeof(struct job) == 128, "constants and shared words on lines of their own");

struct pool {
  _Atomic uint32_t news;   /* counts up when a job is posted or the pool is closed */
  _Atomic uint32_t asleep; /* a worker sleeps on news */
  _Atomic uint32_t closed; /* workers leave when nothing is posted */
  uint32_t pad[13];
  _Atomic uint64_t job[POOL_JOBS];
};

/* A new pool with one hold, a new job in the list: 0: no memory. */
uint64_t pool_new(struct link *list, uint64_t *hold);
uint64_t job_new(uint32_t chunks, struct link *list);

/* Makes a job known to the workers: 0, or -EAGAIN: POOL_JOBS are posted. */
int pool_post(struct pool *pool, uint64_t job);
void pool_withdraw(struct pool *pool, uint64_t job);
void pool_close(struct pool *pool);

/* Worker: waits for a posted job that has free chunks and enters it (status.job): its offset; 0:
   closed, or it is time to look around (a slice went by, a signal handler ran): *closed tells. */
uint64_t pool_enter(struct pool *pool, int *closed);
/* Worker: leaves the job it is in. */
void pool_leave(void);

/* Worker: claims the next chunk: its number, or -1. */
int64_t job_claim(struct job *job);
/* Worker: the chunk's results are whole. */
void job_finish(struct job *job, uint32_t chunk);
/* No more claims; wakes the parent. */
void job_stop(struct job *job);

/* Parent: waits until the chunk is done or the job stopped, or one of the n workers (slots) dies:
   1, or 0: a worker is dead, -ETIMEDOUT, -EINTR. */
int job_wait(struct job *job, uint32_t chunk, const int *workers, int n, int64_t deadline);
/* Parent: ends the chunk that the dead worker of this slot had claimed: its number, or -1. */
int64_t job_bury(struct job *job, int slot);

#endif
