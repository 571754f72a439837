/* Jobs and pools: chunks are claimed once, finished or buried, and those who wait hear of it. */
#include "support.h"

#include "shm/job.h"

#define CHUNKS 1000

static uint64_t pool_hold, job_block;
static struct pool *pool;
static struct job *job;

static int job_begin(void **state) {
  case_begin(state);
  uint64_t offset = pool_new(family_ledger(), &pool_hold);
  assert_true(offset);
  pool = heap_payload(offset);
  job_block = job_new(CHUNKS, family_ledger());
  assert_true(job_block);
  job = heap_payload(job_block);
  return 0;
}

static int job_done(void **state) {
  object_drop(job_block);
  object_drop(pool_hold);
  return case_end(state);
}

static void a_new_job(void **state) {
  (void)state;
  assert_int_equal(job->chunks, CHUNKS);
  assert_int_equal(job->stop, 0);
  for (uint32_t i = 0; i < CHUNKS; i++) assert_int_equal(job->chunk[i].state, CHUNK_FREE);
  for (int i = 0; i < CHUNKS; i++) assert_int_equal(job_claim(job), i);
  assert_int_equal(job->chunk[7].state, family_index() + 1);
  assert_int_equal(job_claim(job), -1);
  job_finish(job, 7);
  assert_int_equal(job->chunk[7].state, CHUNK_DONE);
}

static void a_stopped_job(void **state) {
  (void)state;
  assert_int_equal(job_claim(job), 0);
  job_stop(job);
  assert_int_equal(job_claim(job), -1);
  assert_int_equal(job_wait(job, 0, NULL, 0, CLOCK_NEVER), 1);
}

static void posting(void **state) {
  (void)state;
  int closed;
  uint64_t other[POOL_JOBS];
  assert_int_equal(pool_post(pool, job_block), 0);
  assert_int_equal(pool_enter(pool, &closed), job_block);
  assert_int_equal(family_status()->job, job_block);
  pool_leave();
  assert_int_equal(family_status()->job, 0);
  for (int i = 1; i < POOL_JOBS; i++) {
    other[i] = job_new(1, family_ledger());
    assert_int_equal(pool_post(pool, other[i]), 0);
  }
  assert_int_equal(pool_post(pool, 64), -EAGAIN);
  while (job_claim(job) >= 0) {
  }
  uint64_t entered = pool_enter(pool, &closed); /* one that has free chunks */
  assert_true(entered && entered != job_block);
  pool_leave();
  pool_withdraw(pool, job_block);
  for (int i = 1; i < POOL_JOBS; i++) {
    pool_withdraw(pool, other[i]);
    object_drop(other[i]);
  }
  assert_int_equal(pool_enter(pool, &closed), 0); /* after a slice */
  assert_int_equal(closed, 0);
  pool_close(pool);
  assert_int_equal(pool_enter(pool, &closed), 0);
  assert_int_equal(closed, 1);
}

/* A closed pool still gives out what is posted. */
static void closed_drains(void **state) {
  (void)state;
  int closed;
  assert_int_equal(pool_post(pool, job_block), 0);
  pool_close(pool);
  assert_int_equal(pool_enter(pool, &closed), job_block);
  pool_leave();
  pool_withdraw(pool, job_block);
}

/* ---- workers ---- */

static void worker_run(void *arg) {
  _Atomic uint32_t *times = arg; /* how often each chunk was worked on */
  int closed = 0;
  while (!closed) {
    uint64_t offset = pool_enter(pool, &closed);
    if (!offset) continue;
    struct job *it = heap_payload(offset);
    for (int64_t i; (i = job_claim(it)) >= 0;) {
      must(it->chunk[i].state == (uint32_t)family_index() + 1);
      atomic_fetch_add(&times[i], 1);
      atomic_store(&it->chunk[i].done_items, 3);
      job_finish(it, (uint32_t)i);
    }
    pool_leave();
  }
}

static void each_chunk_once(void **state) {
  (void)state;
  _Atomic uint32_t *times = spec_page(CHUNKS * sizeof *times);
  struct member m[4];
  int slot[4];
  for (int i = 0; i < 4; i++) {
    m[i] = member_start(worker_run, (void *)times);
    slot[i] = m[i].slot;
  }
  for (uint32_t round = 1; round <= 20; round++) {
    assert_int_equal(pool_post(pool, job_block), 0);
    for (uint32_t i = 0; i < CHUNKS; i++) {
      assert_int_equal(job_wait(job, i, slot, 4, CLOCK_NEVER), 1);
      assert_int_equal(job->chunk[i].state, CHUNK_DONE);
      assert_int_equal(job->chunk[i].done_items, 3);
      assert_int_equal(times[i], round);
    }
    pool_withdraw(pool, job_block);
    for (int i = 0; i < 4; i++) /* nobody is in it any more: it may be freed */
      while (atomic_load(&family_slot(slot[i])->status.job) == job_block) {
      }
    object_drop(job_block);
    job_block = job_new(CHUNKS, family_ledger());
    job = heap_payload(job_block);
  }
  pool_close(pool);
  for (int i = 0; i < 4; i++) assert_int_equal(member_end(&m[i]), 0);
  munmap((void *)times, CHUNKS * sizeof *times);
}

static void claim_run(void *arg) {
  (void)arg;
  must(job_claim(job) == 0);
  must(job_claim(job) == 1);
  job_finish(job, 0);
  for (;;) pause();
}

/* The death of a worker ends the wait, also of one that sleeps for something else. */
static void a_worker_dies(void **state) {
  (void)state;
  struct member m[2] = {member_start(claim_run, NULL)};
  assert_int_equal(job_wait(job, 0, &m[0].slot, 1, CLOCK_NEVER), 1);
  m[1] = member_start(worker_run, NULL); /* it finds nothing posted */
  int slot[] = {m[1].slot, m[0].slot};
  assert_int_equal(job_wait(job, 1, slot, 2, clock_now() + 70 * SPEC_MS), -ETIMEDOUT);
  assert_int_equal(proc_signal(&m[0].proc, SIGKILL), 0);
  int64_t since = clock_now();
  assert_int_equal(job_wait(job, 1, slot, 2, CLOCK_NEVER), 0);
  assert_true(clock_now() - since < 200 * SPEC_MS * spec_slower());
  assert_int_equal(job_bury(job, m[0].slot), 1);
  assert_int_equal(job_bury(job, m[0].slot), -1);
  assert_int_equal(job->chunk[1].state, CHUNK_DONE);
  assert_int_equal(member_end(&m[0]), -SIGKILL);
  assert_int_equal(job_wait(job, 1, slot, 1, CLOCK_NEVER), 1);
  pool_close(pool);
  assert_int_equal(member_end(&m[1]), 0);
}

/* Workers die all the time: each chunk ends done, or buried by its claimer's name. */
static void workers_are_killed(void **state) {
  (void)state;
  _Atomic uint32_t *times = spec_page(CHUNKS * sizeof *times);
  struct member m[3];
  int slot[3], buried = 0, killed = 0;
  assert_int_equal(pool_post(pool, job_block), 0);
  for (int i = 0; i < 3; i++) slot[i] = (m[i] = member_start(worker_run, (void *)times)).slot;
  for (uint32_t i = 0; i < CHUNKS;) {
    if (i % 50 == 25) proc_signal(&m[killed++ % 3].proc, SIGKILL);
    int rc = job_wait(job, i, slot, 3, CLOCK_NEVER);
    assert_true(rc >= 0);
    i += rc == 1;
    for (int k = 0; k < 3; k++) {
      if (proc_wait(&m[k].proc, 0) == 0) continue;
      assert_int_equal(m[k].proc.status, -SIGKILL);
      buried += job_bury(job, slot[k]) >= 0;
      member_reap(&m[k]);
      slot[k] = (m[k] = member_start(worker_run, (void *)times)).slot;
    }
  }
  for (uint32_t i = 0; i < CHUNKS; i++) {
    assert_int_equal(job->chunk[i].state, CHUNK_DONE);
    assert_in_range(times[i], buried ? 0 : 1, 1); /* a claimer may have died before it began */
  }
  pool_close(pool);
  pool_withdraw(pool, job_block);
  for (int i = 0; i < 3; i++) {
    proc_signal(&m[i].proc, SIGKILL);
    member_end(&m[i]);
  }
  munmap((void *)times, CHUNKS * sizeof *times);
}

/* A post wakes a sleeping worker: twenty slices of 50 ms would show. */
static void a_post_wakes(void **state) {
  (void)state;
  _Atomic uint32_t *times = spec_page(CHUNKS * sizeof *times);
  struct member m = member_start(worker_run, (void *)times);
  int64_t waited = 0;
  for (uint32_t i = 0; i < 20; i++) {
    uint64_t block = job_new(1, family_ledger());
    wait_asleep(&m);
    int64_t since = clock_now();
    assert_int_equal(pool_post(pool, block), 0);
    assert_int_equal(job_wait(heap_payload(block), 0, &m.slot, 1, CLOCK_NEVER), 1);
    waited += clock_now() - since;
    pool_withdraw(pool, block);
    while (atomic_load(&family_slot(m.slot)->status.job) == block) {
    }
    object_drop(block);
  }
  assert_true(waited < 500 * SPEC_MS * spec_slower());
  pool_close(pool);
  assert_int_equal(member_end(&m), 0);
  munmap((void *)times, CHUNKS * sizeof *times);
}

#define a_case(name) cmocka_unit_test_setup_teardown(name, job_begin, job_done)

int main(void) {
  const struct CMUnitTest cases[] = {
      a_case(a_new_job),          a_case(a_stopped_job),   a_case(posting),
      a_case(closed_drains),      a_case(each_chunk_once), a_case(a_worker_dies),
      a_case(workers_are_killed), a_case(a_post_wakes),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
