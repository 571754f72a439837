/* Scenes of locks, semaphores and events (stepkill.h). */
#ifndef SPEC_SHM_SCENES_SYNC_H
#define SPEC_SHM_SCENES_SYNC_H

#include "stepkill.h"

#include <sched.h>

#include "os/futex.h"
#include "shm/event.h"
#include "shm/lock.h"
#include "shm/permits.h"
#include "shm/semaphore.h"

#define SCENE_WAIT (45 * SPEC_MS) /* less than a slice */

static uint64_t sync_object, sync_hold; /* the scene's object */
static struct member other;             /* somebody else at it */
static _Atomic uint32_t *sync_page;     /* [0] the other one is about to wait, [1] what it found, [2] it stands in line, [3] the victim */

static void *sync_at(void) {
  return heap_payload(sync_object);
}

static void sync_drop(void) {
  object_drop(sync_hold);
}

static void sync_start(member_run *run) {
  if (!sync_page) sync_page = spec_page(4096);
  sync_page[0] = sync_page[1] = sync_page[2] = 0;
  other = member_start(run, NULL);
}

static void other_must_end(int status) {
  assert_int_equal(proc_wait(&other.proc, spec_in(STEP_HANG)), 1);
  assert_int_equal(member_end(&other), status);
}

/* ---- locks ---- */

static void new_lock(void) {
  sync_object = lock_new(0, family_ledger(), &sync_hold);
  assert_true(sync_object);
}

static void new_rlock(void) {
  sync_object = lock_new(1, family_ledger(), &sync_hold);
  assert_true(sync_object);
}

static void lock_act(void) {
  must(lock_acquire(sync_at(), 1, CLOCK_NEVER) == LOCK_OK);
}

static void unlock_act(void) {
  must(lock_release(sync_at()) == 0);
}

static void again_act(void) {
  lock_act();
  unlock_act();
}

static int sync_found;

static void lock_early(void) {
  struct lock *lock = sync_at();
  sync_found = lock_acquire(lock, 1, spec_in(STEP_HANG));
  assert_true(sync_found >= 0);
  assert_int_equal(lock->depth, 1);
  assert_int_equal(lock_release(lock), 0);
  assert_int_equal(lock_acquire(lock, 1, 0), LOCK_OK); /* told once */
  assert_int_equal(lock_release(lock), 0);
}

static enum outcome lock_verify(void) {
  sync_drop();
  return sync_found == LOCK_DIED ? DONE : NOT_DONE;
}

static enum outcome unlock_verify(void) {
  sync_drop();
  return sync_found == LOCK_DIED ? NOT_DONE : DONE;
}

static enum outcome again_verify(void) {
  assert_int_equal(sync_found, LOCK_DIED);
  sync_drop();
  return EITHER;
}

static void locker_run(void *arg) {
  (void)arg;
  sync_page[0] = 1;
  int rc = lock_acquire(sync_at(), 1, CLOCK_NEVER);
  must(rc >= 0 && lock_release(sync_at()) == 0);
  _exit(rc == LOCK_DIED ? 10 : 0);
}

static void held_lock(void) {
  futex_spins(); /* asks the system once; not in the victim */
  new_lock();
  lock_act();
}

static void lock_wait_act(void) {
  must(lock_acquire(sync_at(), 1, clock_now() + SCENE_WAIT) == -ETIMEDOUT);
}

static void another_locker(void) {
  sync_start(locker_run);
  wait_asleep(&other);
}

static enum outcome lock_wait_verify(void) {
  unlock_act();
  other_must_end(0);
  sync_drop();
  return EITHER;
}

/* The other one waits until the victim has the lock, then for the lock. */
static void late_locker_run(void *arg) {
  while (!lock_is_held(sync_at())) sched_yield();
  locker_run(arg);
}

static void lock_and_locker(void) {
  new_lock();
  sync_start(late_locker_run);
}

static void lock_arm(void) {
  lock_act();
  while (!sync_page[0]) sched_yield();
  wait_asleep(&other);
}

static enum outcome unlock_to_verify(void) {
  assert_int_equal(proc_wait(&other.proc, spec_in(STEP_HANG)), 1);
  int status = member_end(&other);
  assert_true(status == 0 || status == 10);
  sync_drop();
  return status ? NOT_DONE : DONE;
}

static void lock_new_act(void) {
  must(lock_new(0, family_ledger(), &sync_hold));
}

/* ---- semaphores ---- */

static void new_semaphore(void) {
  sync_object = semaphore_new(1, family_ledger(), &sync_hold);
  assert_true(sync_object);
}

static void semaphore_act(void) {
  must(semaphore_acquire(sync_at(), CLOCK_NEVER) == 0);
}

static enum outcome semaphore_verify(void) {
  uint32_t value = semaphore_value(sync_at());
  assert_int_equal(semaphore_release(sync_at(), 1), 0);
  for (uint32_t i = 0; i <= value; i++) assert_int_equal(semaphore_acquire(sync_at(), 0), 0);
  assert_int_equal(semaphore_acquire(sync_at(), 0), -ETIMEDOUT);
  sync_drop();
  return value ? NOT_DONE : DONE;
}

static void taker_run(void *arg) {
  (void)arg;
  must(semaphore_acquire(sync_at(), CLOCK_NEVER) == 0);
}

static void semaphore_and_taker(void) {
  new_semaphore();
  semaphore_act();
  sync_start(taker_run);
  wait_asleep(&other);
}

static void semaphore_give_act(void) {
  must(semaphore_release(sync_at(), 1) == 0);
}

/* A permit that lies there must be taken without our help. */
static enum outcome semaphore_give_verify(void) {
  int helped = semaphore_value(sync_at()) == 0;
  if (helped) semaphore_give_act();
  other_must_end(0);
  int done = semaphore_value(sync_at()) == 1 || !helped;
  sync_drop();
  return done ? DONE : NOT_DONE;
}

static void semaphore_wait_act(void) {
  must(semaphore_acquire(sync_at(), clock_now() + SCENE_WAIT) == -ETIMEDOUT);
}

static void empty_semaphore(void) {
  new_semaphore();
  semaphore_act();
}

static void another_taker(void) {
  sync_start(taker_run);
  wait_asleep(&other);
}

static enum outcome semaphore_wait_verify(void) {
  semaphore_give_act();
  other_must_end(0);
  assert_int_equal(semaphore_value(sync_at()), 0);
  sync_drop();
  return EITHER;
}

/* ---- bounded semaphores ---- */

static void new_permits(void) {
  sync_object = permits_new(2, family_ledger(), &sync_hold);
  assert_true(sync_object);
}

static void permits_act(void) {
  must(permits_acquire(sync_at(), CLOCK_NEVER) >= 0);
}

static void permits_give_act(void) {
  must(permits_release(sync_at()) == 0);
}

/* Both can be had, one of them perhaps a dead one's. */
static void permits_early(void) {
  sync_found = 0;
  for (int i = 0; i < 2; i++) {
    int rc = permits_acquire(sync_at(), 0);
    assert_true(rc >= 0);
    sync_found += rc == PERMITS_DIED;
  }
  assert_int_equal(permits_acquire(sync_at(), 0), -ETIMEDOUT);
  permits_give_act();
  permits_give_act();
  assert_int_equal(permits_release(sync_at()), -EPERM);
  assert_int_equal(permits_value(sync_at()), 2);
}

static enum outcome permits_verify(void) {
  sync_drop();
  return sync_found ? DONE : NOT_DONE;
}

static enum outcome permits_give_verify(void) {
  sync_drop();
  return sync_found ? NOT_DONE : DONE;
}

static void hold_run(void *arg) {
  (void)arg;
  permits_act();
  permits_act();
}

/* Both are a dead process's. */
static void dead_permits(void) {
  new_permits();
  in_member(hold_run, NULL);
}

static enum outcome dead_permits_verify(void) {
  assert_int_equal(sync_found, 2);
  sync_drop();
  return EITHER;
}

static void holder_run(void *arg) {
  (void)arg;
  must(permits_acquire(sync_at(), CLOCK_NEVER) == PERMITS_OK);
}

static void held_permits(void) {
  new_permits();
  permits_act();
  permits_act();
}

static void permits_wait_act(void) {
  must(permits_acquire(sync_at(), clock_now() + SCENE_WAIT) == -ETIMEDOUT);
}

static void another_holder(void) {
  sync_start(holder_run);
  wait_asleep(&other);
}

static enum outcome permits_wait_verify(void) {
  permits_give_act();
  other_must_end(0);
  permits_give_act();
  sync_drop();
  return EITHER;
}

/* ---- events ---- */

static void new_event(void) {
  sync_object = event_new(family_ledger(), &sync_hold);
  assert_true(sync_object);
}

static void event_run(void *arg) {
  (void)arg;
  must(event_wait(sync_at(), 0, CLOCK_NEVER) == 0);
}

static void event_and_waiter(void) {
  new_event();
  sync_start(event_run);
  wait_asleep(&other);
}

static void event_act(void) {
  event_set(sync_at());
}

static enum outcome event_verify(void) {
  int set = event_is_set(sync_at());
  if (!set) event_act();
  other_must_end(0);
  sync_drop();
  return set ? DONE : NOT_DONE;
}

static void set_event(void) {
  new_event();
  event_act();
}

static void event_clear_act(void) {
  event_clear(sync_at());
}

static enum outcome event_clear_verify(void) {
  int set = event_is_set(sync_at());
  sync_drop();
  return set ? NOT_DONE : DONE;
}

static void event_wait_act(void) {
  must(event_wait(sync_at(), 0, clock_now() + SCENE_WAIT) == -ETIMEDOUT);
}

static void another_event_waiter(void) {
  sync_start(event_run);
  wait_asleep(&other);
}

static enum outcome event_wait_verify(void) {
  event_act();
  other_must_end(0);
  sync_drop();
  return EITHER;
}

/* ---- the table ---- */

static const struct scene sync_scenes[] = {
    {"lock", .prepare = new_lock, .act = lock_act, .early = lock_early, .verify = lock_verify},
    {"unlock", .prepare = new_lock, .arm = lock_act, .act = unlock_act, .early = lock_early,
     .verify = unlock_verify},
    {"unlock to a sleeper", .prepare = lock_and_locker, .arm = lock_arm, .act = unlock_act,
     .verify = unlock_to_verify},
    {"lock that waits", .prepare = held_lock, .act = lock_wait_act, .meanwhile = another_locker,
     .verify = lock_wait_verify, .every = 13},
    {"rlock again", .prepare = new_rlock, .arm = lock_act, .act = again_act, .early = lock_early,
     .verify = again_verify},
    {"lock_new", .act = lock_new_act, .every = 7},
    {"semaphore acquire", .prepare = new_semaphore, .act = semaphore_act,
     .verify = semaphore_verify},
    {"semaphore release to a sleeper", .prepare = semaphore_and_taker, .act = semaphore_give_act,
     .verify = semaphore_give_verify},
    {"semaphore that waits", .prepare = empty_semaphore, .act = semaphore_wait_act,
     .meanwhile = another_taker, .verify = semaphore_wait_verify, .every = 13},
    {"permit acquire", .prepare = new_permits, .act = permits_act, .early = permits_early,
     .verify = permits_verify},
    {"permit release", .prepare = new_permits, .arm = permits_act, .act = permits_give_act,
     .early = permits_early, .verify = permits_give_verify},
    {"permit of a dead one", .prepare = dead_permits, .act = permits_act, .early = permits_early,
     .verify = dead_permits_verify},
    {"permit that is waited for", .prepare = held_permits, .act = permits_wait_act,
     .meanwhile = another_holder, .verify = permits_wait_verify, .every = 13},
    {"event set", .prepare = event_and_waiter, .act = event_act, .verify = event_verify},
    {"event clear", .prepare = set_event, .act = event_clear_act, .verify = event_clear_verify},
    {"event that is waited for", .prepare = new_event, .act = event_wait_act,
     .meanwhile = another_event_waiter, .verify = event_wait_verify, .every = 13},
};

#endif
