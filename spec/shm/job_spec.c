/* Jobs and pools: chunks are claimed once, finished or buried, and those who wait hear of it. */
#include "support.h"

#include "os/futex.h"
#include "shm/job.h"

#define CHUNKS 1000

static uint64_t pool_hold, job_block;
static struct pool *pool;
static struct job *job;

static int job_begin(void **state) {
  case_begin(state);
  uint64_t offset = pool_new(8, family_ledger(), &pool_hold);
  assert_true(offset);
  pool = heap_payload(offset);
  job_block = job_new(CHUNKS, family_ledger());
  assert_true(job_block);
  job = heap_payload(job_block);
  return 0;
}

static int job_done(void **state) {
  if (job_block) object_drop(job_block);
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
  job_finish(pool, job, 7, CHUNK_DONE);
  assert_int_equal(job->chunk[7].state, CHUNK_DONE);
}

static void a_stopped_job(void **state) {
  (void)state;
  assert_int_equal(job_claim(job), 0);
  job_stop(pool, job);
  assert_int_equal(job_claim(job), -1);
  assert_int_equal(job_wait(job, 0, NULL, 0, CLOCK_NEVER), 1);
}

static uint64_t cursor;

static uint64_t enter(int *closed) {
  return pool_enter(pool, &cursor, closed, clock_now() + SPEC_MS);
}

/* From here on the job is the pool's. */
static void withdraw(void) {
  pool_withdraw(pool, job_block);
  job_block = 0;
}

static void posting(void **state) {
  (void)state;
  int closed;
  cursor = 0;
  static uint64_t other[POOL_JOBS];
  assert_int_equal(pool_post(pool, job_block), 0);
  assert_int_equal(enter(&closed), job_block);
  assert_int_equal(family_status()->job, job_block);
  pool_leave(pool);
  assert_int_equal(family_status()->job, 0);
  for (int i = 1; i < POOL_JOBS; i++) {
    other[i] = job_new(1, family_ledger());
    assert_int_equal(pool_post(pool, other[i]), 0);
  }
  uint64_t more = job_new(1, family_ledger());
  assert_int_equal(pool_post(pool, more), -EAGAIN);
  pool_withdraw(pool, more); /* it never was posted */
  while (job_claim(job) >= 0) {
  }
  for (int i = 1; i < POOL_JOBS; i++) { /* in the order of their posts, once they are exhausted */
    assert_int_equal(enter(&closed), other[i]);
    assert_int_equal(job_claim(heap_payload(other[i])), 0);
    pool_leave(pool);
  }
  withdraw();
  for (int i = 1; i < POOL_JOBS; i++) pool_withdraw(pool, other[i]);
  assert_int_equal(enter(&closed), 0);
  assert_int_equal(closed, 0);
  pool_close(pool);
  assert_int_equal(enter(&closed), 0);
  assert_int_equal(closed, 1);
}

/* A closed pool still gives out what is posted. */
static void closed_drains(void **state) {
  (void)state;
  int closed;
  cursor = 0;
  assert_int_equal(pool_post(pool, job_block), 0);
  pool_close(pool);
  assert_int_equal(enter(&closed), job_block);
  pool_leave(pool);
  withdraw();
}

/* A place that is still taken is passed over. */
static void places_in_turn(void **state) {
  (void)state;
  assert_int_equal(pool_post(pool, job_block), 0);
  for (int i = 0; i < 3 * POOL_JOBS; i++) {
    int closed;
    uint64_t block = job_new(1, family_ledger());
    assert_int_equal(pool_post(pool, block), 0);
    cursor = i == 0 ? 1 : cursor;
    assert_true(pool_enter(pool, &cursor, &closed, clock_now()));
    pool_leave(pool);
    job_stop(pool, heap_payload(block));
    pool_withdraw(pool, block);
  }
  withdraw();
}

static void leaver_run(void *arg) {
  _Atomic uint32_t *step = arg;
  int closed;
  uint64_t at = 0;
  must(pool_enter(pool, &at, &closed, CLOCK_NEVER) == job_block);
  atomic_store(step, 1);
  while (atomic_load(step) == 1) futex_pause();
  pool_leave(pool);
  atomic_store(step, 3);
  for (;;) pause();
}

static void await(const _Atomic uint32_t *step, uint32_t value) {
  while (atomic_load(step) != value) futex_pause();
}

/* A job that is taken down while somebody is in it goes when the last one leaves. */
static void the_last_frees(void **state) {
  (void)state;
  _Atomic uint32_t *step = spec_page(2 * sizeof *step);
  struct member m[2];
  uint64_t before = heap_used();
  assert_int_equal(pool_post(pool, job_block), 0);
  for (uint32_t i = 0; i < 2; i++) {
    m[i] = member_start(leaver_run, (void *)&step[i]);
    pool_enlist(pool, i, m[i].slot);
    await(&step[i], 1);
  }
  withdraw();
  assert_int_equal(pool->litter, 1);
  atomic_store(&step[0], 2);
  await(&step[0], 3);
  assert_int_equal(pool->litter, 1);
  assert_int_equal(proc_signal(&m[1].proc, SIGKILL), 0); /* it never leaves */
  assert_int_equal(member_end(&m[1]), -SIGKILL);
  pool_enlist(pool, 1, -1);
  pool_sweep(pool);
  assert_int_equal(pool->litter, 0);
  assert_int_equal(proc_signal(&m[0].proc, SIGKILL), 0);
  member_end(&m[0]);
  assert_true(heap_used() < before);
  munmap((void *)step, 2 * sizeof *step);
}

/* ---- workers ---- */

static void worker_run(void *arg) {
  _Atomic uint32_t *times = arg; /* how often each chunk was worked on */
  int closed = 0;
  uint64_t at = 0;
  while (!closed) {
    uint64_t offset = pool_enter(pool, &at, &closed, clock_now() + 50 * SPEC_MS);
    if (!offset) continue;
    struct job *it = heap_payload(offset);
    for (int64_t i; (i = job_claim(it)) >= 0;) {
      must(it->chunk[i].state == (uint32_t)family_index() + 1);
      atomic_fetch_add(&times[i], 1);
      atomic_store(&it->chunk[i].done_items, 3);
      job_finish(pool, it, (uint32_t)i, CHUNK_DONE);
    }
    pool_leave(pool);
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
    pool_enlist(pool, (uint32_t)i, slot[i]);
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
  job_finish(pool, job, 0, CHUNK_DONE);
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
  for (int i = 0; i < 3; i++) {
    proc_signal(&m[i].proc, SIGKILL);
    member_end(&m[i]);
  }
  withdraw();
  munmap((void *)times, CHUNKS * sizeof *times);
}

/* A post wakes a sleeping worker: twenty slices of 50 ms would show. */
static void a_post_wakes(void **state) {
  (void)state;
  _Atomic uint32_t *times = spec_page(CHUNKS * sizeof *times);
  struct member m = member_start(worker_run, (void *)times);
  pool_enlist(pool, 0, m.slot);
  int64_t waited = 0;
  for (uint32_t i = 0; i < 20; i++) {
    uint64_t block = job_new(1, family_ledger());
    wait_asleep(&m);
    int64_t since = clock_now();
    assert_int_equal(pool_post(pool, block), 0);
    assert_int_equal(job_wait(heap_payload(block), 0, &m.slot, 1, CLOCK_NEVER), 1);
    waited += clock_now() - since;
    pool_withdraw(pool, block);
  }
  assert_true(waited < 500 * SPEC_MS * spec_slower());
  pool_close(pool);
  assert_int_equal(member_end(&m), 0);
  munmap((void *)times, CHUNKS * sizeof *times);
}

/* One watches, and a post takes it off. Who was it and is no member any more is taken off, too. */
static void one_watches(void **state) {
  (void)state;
  uint32_t me = (uint32_t)family_index() + 1;
  pool->watcher = me;
  assert_int_equal(pool_post(pool, job_block), 0);
  assert_int_equal(pool->watcher, 0);
  pool_enlist(pool, 3, family_index());
  pool->watcher = me;
  pool_enlist(pool, 3, -1);
  assert_int_equal(pool->watcher, 0);
  _Atomic uint32_t *times = spec_page(CHUNKS * sizeof *times);
  struct member m[2];
  for (int i = 0; i < 2; i++) {
    m[i] = member_start(worker_run, (void *)times);
    wait_asleep(&m[i]);
    if (i == 0) pool->watcher = (uint32_t)m[0].slot + 1;
  }
  assert_int_equal(pool->watcher, m[0].slot + 1); /* the other one did not push it aside */
  for (int i = 0; i < 2; i++) {
    assert_int_equal(proc_signal(&m[i].proc, SIGKILL), 0);
    member_end(&m[i]);
  }
  withdraw();
  munmap((void *)times, CHUNKS * sizeof *times);
}

/* Workers that leave free what is litter and nothing else, while the parent takes jobs down. */
static void litter_about(void **state) {
  (void)state;
  _Atomic uint32_t *times = spec_page(CHUNKS * sizeof *times), *step = spec_page(sizeof *step);
  uint64_t before = heap_used();
  assert_int_equal(pool_post(pool, job_block), 0);
  struct member m[3] = {member_start(leaver_run, (void *)step)};
  pool_enlist(pool, 0, m[0].slot);
  await(step, 1);
  withdraw();
  for (uint32_t i = 1; i < 3; i++) {
    m[i] = member_start(worker_run, (void *)times);
    pool_enlist(pool, i, m[i].slot);
  }
  for (int i = 0; i < 20000; i++) {
    uint64_t block = job_new(1, family_ledger());
    assert_int_equal(pool_post(pool, block), 0);
    int slot[] = {m[1].slot, m[2].slot};
    assert_int_equal(job_wait(heap_payload(block), 0, slot, 2, CLOCK_NEVER), 1);
    pool_withdraw(pool, block);
    assert_true(pool->litter >= 1);
  }
  for (int i = 0; i < 3; i++) {
    proc_signal(&m[i].proc, SIGKILL);
    member_end(&m[i]);
    pool_enlist(pool, (uint32_t)i, -1);
  }
  pool_sweep(pool);
  assert_int_equal(pool->litter, 0);
  assert_true(heap_used() < before);
  munmap((void *)times, CHUNKS * sizeof *times);
  munmap((void *)step, sizeof *step);
}

/* Ends the chunk for which the parent sleeps, after all before it. Leaves what it slept for first,
   and how often it slept. */
static void end_by_halves(void *arg) {
  _Atomic uint32_t *seen = arg;
  for (uint32_t done = 0; done < CHUNKS; seen[1]++) {
    uint32_t waited;
    while ((waited = atomic_load(&job->waited)) <= done) futex_pause();
    if (done == 0) seen[0] = waited - 1;
    for (; done < waited; done++) {
      must(job_claim(job) == (int64_t)done);
      job_finish(pool, job, done, CHUNK_DONE);
    }
  }
  for (;;) pause();
}

/* Many chunks: who takes them in sleeps until half of those that are left are done, and is not late
   for one that is done though that far one is not. */
static void many_by_halves(void **state) {
  (void)state;
  _Atomic uint32_t *seen = spec_page(2 * sizeof *seen);
  struct member m = member_start(end_by_halves, (void *)seen);
  for (uint32_t i = 0; i < CHUNKS; i++)
    assert_int_equal(job_wait(job, i, &m.slot, 1, CLOCK_NEVER), 1);
  assert_int_equal(seen[0], CHUNKS / 2 - 1);
  assert_in_range(seen[1], 4, 50); /* 5, the last perhaps not counted yet; more where a slice of the
                                      sleep passes on the way */
  proc_signal(&m.proc, SIGKILL);
  assert_int_equal(member_end(&m), -SIGKILL);
  munmap((void *)seen, 2 * sizeof *seen);
}

/* One chunk ends, and no other. */
static void end_first(void *arg) {
  (void)arg;
  must(job_claim(job) == 0);
  while (atomic_load(&job->waited) == 0) futex_pause();
  job_finish(pool, job, 0, CHUNK_DONE);
  for (;;) pause();
}

static void the_first_of_many(void **state) {
  (void)state;
  struct member m = member_start(end_first, NULL);
  int64_t since = clock_now();
  assert_int_equal(job_wait(job, 0, &m.slot, 1, CLOCK_NEVER), 1);
  assert_true(clock_now() - since < 500 * SPEC_MS * spec_slower());
  proc_signal(&m.proc, SIGKILL);
  assert_int_equal(member_end(&m), -SIGKILL);
}

#define a_case(name) cmocka_unit_test_setup_teardown(name, job_begin, job_done)

int main(void) {
  const struct CMUnitTest cases[] = {
      a_case(a_new_job),          a_case(a_stopped_job),     a_case(posting),
      a_case(closed_drains),      a_case(each_chunk_once),   a_case(a_worker_dies),
      a_case(workers_are_killed), a_case(a_post_wakes),      a_case(places_in_turn),
      a_case(the_last_frees),     a_case(litter_about),      a_case(one_watches),
      a_case(many_by_halves),     a_case(the_first_of_many),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
