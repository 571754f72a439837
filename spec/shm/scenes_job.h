/* Scenes of jobs: a worker dies while it claims, finishes, leaves a job that was taken down. */
#ifndef SPEC_SHM_SCENES_JOB_H
#define SPEC_SHM_SCENES_JOB_H

#include "scenes.h"
#include "os/futex.h"
#include "shm/job.h"

static uint64_t job_pool_hold, job_at;
static struct pool *job_pool;

static struct job *scene_job(void) {
  return heap_payload(job_at);
}

static void posted_job(void) {
  uint64_t offset = pool_new(2, family_ledger(), &job_pool_hold);
  assert_true(offset);
  job_pool = heap_payload(offset);
  job_at = job_new(2, family_ledger());
  assert_true(job_at);
  assert_int_equal(pool_post(job_pool, job_at), 0);
}

static void enter_job(void) {
  uint64_t cursor = 0;
  int closed;
  must(pool_enter(job_pool, &cursor, &closed, CLOCK_NEVER) == job_at);
}

static void work_act(void) {
  int64_t chunk = job_claim(scene_job());
  must(chunk == 0);
  atomic_store(&scene_job()->chunk[0].done_items, 7);
  job_finish(job_pool, scene_job(), 0, CHUNK_DONE);
}

static void drop_job(void) {
  pool_withdraw(job_pool, job_at);
  assert_int_equal(job_pool->litter, 0);
  object_drop(job_pool_hold);
}

/* Free, whole, or claimed by the dead one, who is found by it. */
static int found_buried, victim_index;

static void work_arm(void) {
  enter_job();
}

static void work_early(void) {
  uint32_t state = scene_job()->chunk[0].state;
  found_buried = state != CHUNK_FREE && state != CHUNK_DONE;
  victim_index = (int)state - 1;
  if (found_buried) assert_int_equal(job_bury(scene_job(), victim_index), 0);
}

static enum outcome work_verify(void) {
  int done = scene_job()->chunk[0].state == CHUNK_DONE && !found_buried;
  if (done) assert_int_equal(scene_job()->chunk[0].done_items, 7);
  while (job_claim(scene_job()) >= 0) continue;
  drop_job();
  return done ? DONE : NOT_DONE;
}

/* ---- a host that waits in an event loop ---- */

/* It listens, then looks; what it sees after the death is what a death makes it look at. */
static void listened_job(void) {
  posted_job();
  pool_listen(job_pool);
}

/* Whoever has rung has ended the chunk before. */
static enum outcome heard_verify(void) {
  if (!job_pool->listened) assert_int_equal(scene_job()->chunk[0].state, CHUNK_DONE);
  return work_verify();
}

/* ---- the last one out ---- */

static void leave_act(void) {
  pool_leave(job_pool);
}

/* The parent takes the job down while the victim is in it. */
static void leave_arm(void) {
  enter_job();
  pool_enlist(job_pool, 0, family_index());
  pool_withdraw(job_pool, job_at);
  must(job_pool->litter == 1);
}

/* It is gone, or goes as soon as the dead one is no member any more. */
static enum outcome leave_verify(void) {
  int done = job_pool->litter == 0;
  pool_enlist(job_pool, 0, -1);
  pool_sweep(job_pool);
  assert_int_equal(job_pool->litter, 0);
  for (int i = 0; i < POOL_JOBS; i++) assert_int_equal(job_pool->job[i], 0);
  object_drop(job_pool_hold);
  return done ? DONE : NOT_DONE;
}

/* ---- who waits for news ---- */

static void empty_pool(void) {
  futex_spins(); /* asks the system once; not in the victim */
  uint64_t offset = pool_new(2, family_ledger(), &job_pool_hold);
  assert_true(offset);
  job_pool = heap_payload(offset);
}

static void news_act(void) {
  uint64_t cursor = 0;
  int closed;
  must(pool_enter(job_pool, &cursor, &closed, clock_now() + 45 * SPEC_MS) == 0);
}

/* Nobody else does: it slept, or watches still. */
static void news_early(void) {
  uint32_t watcher = atomic_load(&job_pool->watcher);
  if (watcher) assert_true(robust_is_free(&family_slot((int)watcher - 1)->life));
  assert_in_range(job_pool->asleep, 0, 1);
}

static void newcomer_run(void *arg) {
  (void)arg;
  uint64_t cursor = 0;
  int closed;
  must(pool_enter(job_pool, &cursor, &closed, CLOCK_NEVER) != 0);
}

/* The dead one is no watcher for whom a post would leave a sleeper asleep. */
static enum outcome news_verify(void) {
  struct member newcomer = member_start(newcomer_run, NULL);
  wait_asleep(&newcomer);
  job_at = job_new(2, family_ledger());
  int64_t since = clock_now();
  assert_int_equal(pool_post(job_pool, job_at), 0);
  assert_int_equal(member_end(&newcomer), 0);
  assert_true(clock_now() - since < 500 * SPEC_MS * spec_slower());
  pool_withdraw(job_pool, job_at);
  pool_sweep(job_pool);
  object_drop(job_pool_hold);
  return EITHER;
}

static const struct scene job_scenes[] = {
    {"a worker waits for news", .prepare = empty_pool, .act = news_act, .early = news_early,
     .verify = news_verify},
    {"a worker claims and finishes", .prepare = posted_job, .arm = work_arm, .act = work_act,
     .early = work_early, .verify = work_verify},
    {"a worker finishes for an event loop", .prepare = listened_job, .arm = work_arm,
     .act = work_act, .early = work_early, .verify = heard_verify},
    {"the last worker frees the job", .prepare = posted_job, .arm = leave_arm, .act = leave_act,
     .verify = leave_verify},
};

#endif
