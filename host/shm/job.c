/* A table of chunks that workers claim: see job.h. */
#include "shm/job.h"

#include <errno.h>
#include <string.h>

#include "os/clock.h"
#include "os/futex.h"
#include "shm/family.h"
#include "shm/object.h"

uint64_t pool_new(struct link *list, uint64_t *hold) {
  return object_new(sizeof(struct pool), BLOCK_POOL, list, hold);
}

uint64_t job_new(uint32_t chunks, struct link *list) {
  size_t size = sizeof(struct job) + chunks * sizeof(struct chunk);
  uint64_t offset = heap_alloc(size, BLOCK_JOB, list);
  if (!offset) return 0;
  struct job *job = heap_payload(offset);
  memset(job, 0, size);
  job->chunks = chunks;
  return offset;
}

static void spread_news(struct pool *pool) {
  atomic_fetch_add(&pool->news, 1);
  if (!atomic_load(&pool->asleep)) return;
  atomic_store(&pool->asleep, 0);
  futex_wake(&pool->news, INT32_MAX);
}

int pool_post(struct pool *pool, uint64_t job) {
  for (int i = 0; i < POOL_JOBS; i++) {
    if (atomic_load_explicit(&pool->job[i], memory_order_relaxed))
      continue; /* only the parent writes it */
    atomic_store(&pool->job[i], job);
    spread_news(pool);
    return 0;
  }
  return -EAGAIN;
}

void pool_withdraw(struct pool *pool, uint64_t job) {
  for (int i = 0; i < POOL_JOBS; i++)
    if (atomic_load_explicit(&pool->job[i], memory_order_relaxed) == job)
      atomic_store(&pool->job[i], 0); /* seq_cst: before the look at each worker's status.job */
}

void pool_close(struct pool *pool) {
  atomic_store(&pool->closed, 1);
  spread_news(pool);
}

static int has_free_chunk(struct job *job) {
  return !atomic_load(&job->stop) && atomic_load(&job->hint) < job->chunks;
}

/* Enters the job of one place if there is something to do in it. */
static uint64_t try_enter(struct pool *pool, int place) {
  uint64_t offset = atomic_load(&pool->job[place]);
  if (!offset) return 0;
  struct status *me = family_status();
  atomic_store(&me->job, offset);
  if (atomic_load(&pool->job[place]) == offset && has_free_chunk(heap_payload(offset)))
    return offset;
  pool_leave();
  return 0;
}

static uint64_t enter_any(struct pool *pool) {
  for (int i = 0; i < POOL_JOBS; i++) {
    uint64_t job = try_enter(pool, i);
    if (job) return job;
  }
  return 0;
}

uint64_t pool_enter(struct pool *pool, int *closed) {
  uint32_t news = atomic_load(&pool->news);
  *closed = 0;
  uint64_t job = enter_any(pool);
  if (job) return job;
  if ((*closed = (int)atomic_load(&pool->closed))) return 0;
  for (int i = futex_spins(); i > 0 && atomic_load(&pool->news) == news; i--) futex_pause();
  if (atomic_load(&pool->news) == news) {
    atomic_store(&pool->asleep, 1);
    futex_wait(&pool->news, news, clock_now() + CLOCK_SLICE);
  }
  return enter_any(pool);
}

void pool_leave(void) {
  atomic_store(&family_status()->job, 0);
}

int64_t job_claim(struct job *job) {
  uint32_t me = (uint32_t)family_index() + 1;
  for (;;) {
    uint32_t i = atomic_load(&job->hint), next = i;
    if (i >= job->chunks || atomic_load(&job->stop)) return -1;
    uint32_t free = CHUNK_FREE;
    int mine = atomic_compare_exchange_strong(&job->chunk[i].state, &free, me);
    atomic_compare_exchange_strong(&job->hint, &next, i + 1);
    if (mine) return i;
  }
}

static void wake_parent(struct job *job) {
  atomic_store(&job->waited, 0);
  futex_wake(&job->waited, 1);
}

void job_finish(struct job *job, uint32_t chunk) {
  atomic_store(&job->chunk[chunk].state, CHUNK_DONE); /* seq_cst: before the look at `waited` */
  if (atomic_load(&job->waited) == chunk + 1) wake_parent(job);
}

void job_stop(struct job *job) {
  atomic_store(&job->stop, 1);
  if (atomic_load(&job->waited)) wake_parent(job);
}

static int is_ready(struct job *job, uint32_t chunk) {
  return atomic_load(&job->chunk[chunk].state) == CHUNK_DONE || atomic_load(&job->stop);
}

/* Sleeps on the job and on as many life locks as fit; the rest are seen to each slice. */
static int sleep_on(struct job *job, uint32_t chunk, const int *workers, int n, int64_t deadline) {
  _Atomic uint32_t *words[FUTEX_MANY] = {&job->waited};
  uint32_t expected[FUTEX_MANY] = {chunk + 1};
  int watched = 1;
  for (int i = 0; i < n; i++) {
    robust *life = &family_slot(workers[i])->life;
    uint32_t word = atomic_load(&life->word);
    if (word && robust_is_free(life)) return 0; /* its owner died; 0: the child has not come yet */
    if (watched == FUTEX_MANY) continue;
    words[watched] = &life->word;
    expected[watched++] = word;
  }
  int rc = futex_wait_many(words, expected, watched, clock_slice(deadline));
  return rc == -EINTR ? rc : 1;
}

int job_wait(struct job *job, uint32_t chunk, const int *workers, int n, int64_t deadline) {
  for (int i = futex_spins(); i > 0; i--) {
    if (is_ready(job, chunk)) return 1;
    futex_pause();
  }
  for (;;) {
    atomic_store(&job->waited, chunk + 1); /* seq_cst: before the look at the chunk */
    int rc = is_ready(job, chunk) ? 2 : sleep_on(job, chunk, workers, n, deadline);
    if (rc == 1 && is_ready(job, chunk)) rc = 2;
    if (rc == 1 && deadline != CLOCK_NEVER && clock_now() >= deadline) rc = -ETIMEDOUT;
    if (rc == 1) continue;
    atomic_store(&job->waited, 0);
    return rc == 2 ? 1 : rc;
  }
}

int64_t job_bury(struct job *job, int slot) {
  for (uint32_t i = 0; i < job->chunks; i++) {
    if (atomic_load(&job->chunk[i].state) != (uint32_t)slot + 1) continue;
    atomic_store(&job->chunk[i].state, CHUNK_DONE);
    return i;
  }
  return -1;
}
