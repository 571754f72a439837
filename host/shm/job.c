/* A table of chunks that workers claim: see job.h. */
#include "shm/job.h"

#include <errno.h>
#include <string.h>

#include "os/clock.h"
#include "os/futex.h"
#include "shm/family.h"
#include "shm/journal.h"
#include "shm/object.h"

#define FEW 16        /* chunks: of so many each is taken in as it ends */
#define FIRST_WAIT 16 /* times as long as for other work */

uint64_t pool_new(uint32_t members, struct link *list, uint64_t *hold) {
  size_t size = sizeof(struct pool) + members * sizeof(_Atomic uint32_t);
  uint64_t offset = object_new(size, BLOCK_POOL, list, hold);
  if (offset) ((struct pool *)heap_payload(offset))->members = members;
  return offset;
}

uint64_t job_new(uint32_t chunks, struct link *list) {
  size_t size = sizeof(struct job) + chunks * sizeof(struct chunk);
  uint32_t spare = chunks == 1 ? JOB_SPARE : 0;
  uint64_t offset = heap_alloc(size + spare, BLOCK_JOB, list);
  if (!offset) return 0;
  struct job *job = heap_payload(offset);
  memset(job, 0, size);
  job->chunks = chunks;
  job->place = POOL_NOWHERE;
  job->spare = (uint32_t)size;
  job->spare_size = spare;
  return offset;
}

/* Whether the worker that wrote this into pool.watcher is dead. */
static int watcher_is_dead(uint32_t watcher) {
  return robust_is_free(&family_slot((int)watcher - 1)->life);
}

/* Takes the watcher off, if there is one that lives: it will come by itself. */
static uint32_t take_watcher(struct pool *pool) {
  uint32_t watcher = atomic_load(&pool->watcher);
  if (!watcher || !atomic_compare_exchange_strong(&pool->watcher, &watcher, 0)) return 0;
  return !watcher_is_dead(watcher);
}

/* Makes as many come as there is work for. */
static void spread_news(struct pool *pool, uint32_t workers) {
  atomic_fetch_add(&pool->news, 1); /* seq_cst: before the look at who watches and who sleeps */
  uint32_t sleepers = workers - take_watcher(pool);
  if (!sleepers || !atomic_load(&pool->asleep)) return;
  futex_wake(&pool->news, sleepers < INT32_MAX ? (int)sleepers : INT32_MAX);
}

int pool_post(struct pool *pool, uint64_t offset) {
  struct job *job = heap_payload(offset);
  for (int tries = 0; tries < POOL_JOBS; tries++) {
    uint64_t tail = atomic_load_explicit(&pool->tail, memory_order_relaxed);
    uint32_t place = (uint32_t)(tail % POOL_JOBS);
    int taken = atomic_load_explicit(&pool->job[place], memory_order_relaxed) != 0;
    if (!taken) {
      journal_lock(); /* who emptied it in a transaction may have died before carrying it out */
      journal_unlock();
      job->place = place;
      atomic_store(&pool->job[place], offset);
    }
    atomic_store(&pool->tail, tail + 1);
    if (taken) continue;
    spread_news(pool, job->chunks);
    return 0;
  }
  return -EAGAIN;
}

static int is_empty(const struct pool *pool, uint64_t job) {
  for (uint32_t i = 0; i < pool->members; i++) {
    uint32_t member = atomic_load(&pool->member[i]);
    if (member && atomic_load(&family_slot((int)member - 1)->status.job) == job) return 0;
  }
  return 1;
}

/* Whether it was there and is dying now. */
static int sweep_place(struct pool *pool, _Atomic uint64_t *place) {
  uint64_t job = atomic_load(place);
  if (!(job & JOB_WITHDRAWN) || !is_empty(pool, job & ~JOB_WITHDRAWN)) return 0;
  journal_lock();
  int mine = atomic_load(place) == job;
  if (mine) {
    journal_set((uint64_t *)place, 0);
    journal_set(&pool->litter, journal_get(&pool->litter) - 1);
    object_condemn_block(job & ~JOB_WITHDRAWN);
    journal_commit();
  }
  journal_unlock();
  return mine;
}

static uint64_t litter(const struct pool *pool) {
  return __atomic_load_n(&pool->litter, __ATOMIC_SEQ_CST);
}

void pool_sweep(struct pool *pool) {
  int found = 0;
  for (int i = 0; i < POOL_JOBS && litter(pool) > 0; i++) found |= sweep_place(pool, &pool->job[i]);
  if (found) object_sweep();
}

void pool_withdraw(struct pool *pool, uint64_t offset) {
  struct job *job = heap_payload(offset);
  if (job->place == POOL_NOWHERE) {
    object_drop(offset);
    return;
  }
  _Atomic uint64_t *place = &pool->job[job->place];
  atomic_store(place, offset | JOB_LEAVING); /* seq_cst: before the look at each status.job */
  int empty = is_empty(pool, offset);
  for (int i = futex_spins() / 4; i > 0 && !empty; i--) { /* who ended the last chunk is leaving */
    futex_pause();
    empty = is_empty(pool, offset);
  }
  if (empty) {
    atomic_store(place, 0);
    object_drop(offset);
    return;
  }
  journal_lock();
  journal_set((uint64_t *)place, offset | JOB_WITHDRAWN);
  journal_set(&pool->litter, journal_get(&pool->litter) + 1);
  journal_commit();
  journal_unlock();
  atomic_thread_fence(memory_order_seq_cst); /* who leaves sees the litter, or we see it has left */
  pool_sweep(pool);
}

void pool_close(struct pool *pool) {
  atomic_store(&pool->closed, 1);
  spread_news(pool, INT32_MAX);
}

void pool_nudge(struct pool *pool) {
  if (atomic_load(&pool->asleep)) spread_news(pool, INT32_MAX);
}

void pool_listen(struct pool *pool) {
  atomic_store(&pool->listened, 1);
}

void pool_enlist(struct pool *pool, uint32_t number, int slot) {
  if (number >= pool->members) return;
  uint32_t former = atomic_exchange(&pool->member[number], (uint32_t)(slot + 1));
  if (former) atomic_compare_exchange_strong(&pool->watcher, &former, 0);
}

static int has_free_chunk(struct job *job) {
  return !atomic_load(&job->stop) && atomic_load(&job->hint) < job->chunks;
}

/* Enters the job of one place if there is something to do in it. */
static uint64_t try_enter(struct pool *pool, _Atomic uint64_t *place) {
  uint64_t offset = atomic_load(place);
  if (!offset || offset & (JOB_WITHDRAWN | JOB_LEAVING)) return 0;
  struct status *me = family_status();
  atomic_store(&me->job, offset);
  if (atomic_load(place) == offset && has_free_chunk(heap_payload(offset))) return offset;
  pool_leave(pool);
  return 0;
}

static uint64_t enter_any(struct pool *pool, uint64_t *cursor) {
  uint64_t tail = atomic_load(&pool->tail);
  if (tail - *cursor > POOL_JOBS) *cursor = tail - POOL_JOBS;
  for (; *cursor < tail; ++*cursor) {
    uint64_t job = try_enter(pool, &pool->job[*cursor % POOL_JOBS]);
    if (job) return job;
  }
  return 0;
}

/* Looks for news for a while without sleeping, unless another worker does. The first work comes
 * when the other workers have been forked, which takes longer: a worker that fell asleep meanwhile
 * would lose its CPU to the next one, and share it with that though another is free. */
static void watch(struct pool *pool, uint32_t news) {
  uint32_t me = (uint32_t)family_index() + 1, other = 0;
  int mine = atomic_compare_exchange_strong(&pool->watcher, &other, me);
  if (!mine && !watcher_is_dead(other)) return;
  if (!mine && !atomic_compare_exchange_strong(&pool->watcher, &other, me)) return;
  int looks = futex_spins() * (atomic_load(&pool->tail) ? 1 : FIRST_WAIT);
  for (int i = looks; i > 0 && atomic_load(&pool->news) == news; i--) futex_pause();
  atomic_compare_exchange_strong(&pool->watcher, &me,
                                 0); /* seq_cst: before the last look at news */
}

uint64_t pool_enter(struct pool *pool, uint64_t *cursor, int *closed, int64_t deadline) {
  uint32_t news = atomic_load(&pool->news);
  *closed = 0;
  uint64_t job = enter_any(pool, cursor);
  if (job) return job;
  if ((*closed = (int)atomic_load(&pool->closed))) return 0;
  watch(pool, news);
  if (atomic_load(&pool->news) == news) {
    atomic_fetch_add(&pool->asleep, 1);
    futex_wait(&pool->news, news, deadline);
    atomic_fetch_sub(&pool->asleep, 1);
  }
  return enter_any(pool, cursor);
}

void pool_leave(struct pool *pool) {
  atomic_store(&family_status()->job, 0); /* seq_cst: before the look at the litter */
  if (litter(pool)) pool_sweep(pool);
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

static void wake_parent(_Atomic uint32_t *waited) {
  atomic_store(waited, 0);
  futex_wake(waited, 1);
}

static void wake_any(struct pool *pool) {
  if (!pool) return;
  if (atomic_load(&pool->waited)) wake_parent(&pool->waited);
  region_ring(&pool->listened);
}

void job_finish(struct pool *pool, struct job *job, uint32_t chunk, uint32_t state) {
  atomic_store(&job->chunk[chunk].state, state); /* seq_cst: before the look at `waited` */
  if (atomic_load(&job->waited) == chunk + 1) wake_parent(&job->waited);
  wake_any(pool);
}

void job_stop(struct pool *pool, struct job *job) {
  atomic_store(&job->stop, 1);
  if (atomic_load(&job->waited)) wake_parent(&job->waited);
  wake_any(pool);
}

static int is_ready(struct job *job, uint32_t chunk) {
  return chunk_is_done(&job->chunk[chunk]) || atomic_load(&job->stop);
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

/* The chunk to sleep for, by who needs this one: of a job of many, half of those that are left are
 * taken in at a time, and in the end a sixteenth of all. To look for each would keep a CPU from the
 * workers, where these have all in use. */
static uint32_t chunk_ahead(struct job *job, uint32_t chunk) {
  if (job->chunks < FEW) return chunk;
  uint32_t left = job->chunks - 1 - chunk;
  uint32_t ahead = chunk + (left > job->chunks / FEW ? left / 2 : left);
  return is_ready(job, ahead) ? chunk : ahead;
}

int job_wait(struct job *job, uint32_t chunk, const int *workers, int n, int64_t deadline) {
  if (is_ready(job, chunk)) return 1;
  uint32_t ahead = chunk_ahead(job, chunk);
  for (int i = ahead > chunk ? 0 : futex_spins(); i > 0; i--) {
    if (is_ready(job, chunk)) return 1;
    futex_pause();
  }
  for (;;) {
    atomic_store(&job->waited, ahead + 1); /* seq_cst: before the look at the chunk */
    int rc = is_ready(job, ahead) ? 1 : sleep_on(job, ahead, workers, n, deadline);
    if (rc == 1 && is_ready(job, chunk)) rc = 2;
    if (rc == 1 && deadline != CLOCK_NEVER && clock_now() >= deadline) rc = -ETIMEDOUT;
    if (rc == 1) {
      ahead = chunk_ahead(job, chunk);
      continue;
    }
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
