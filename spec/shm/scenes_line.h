/* Scenes of conditions and barriers (stepkill.h). */
#ifndef SPEC_SHM_SCENES_LINE_H
#define SPEC_SHM_SCENES_LINE_H

#include "scenes_sync.h"

#include "shm/barrier.h"
#include "shm/condition.h"

/* ---- conditions ---- */

static struct member second; /* behind the other one */

static struct condition *cond(void) {
  return sync_at();
}

static struct lock *cond_lock(void) {
  return condition_lock(cond());
}

static void cond_acquire(void) {
  must(lock_acquire(cond_lock(), 1, spec_in(STEP_HANG)) >= 0);
}

static void cond_release(void) {
  must(lock_release(cond_lock()) == 0);
}

static void new_condition(void) {
  futex_spins();
  sync_object = condition_new(0, family_ledger(), &sync_hold);
  assert_true(sync_object);
}

static void waiter_run(void *arg) {
  (void)arg;
  int died;
  cond_acquire();
  must(condition_wait(sync_object, CLOCK_NEVER, &died) == 0);
  must(lock_is_mine(cond_lock()));
  cond_release();
}

/* So many stand in the line, the dead among them. */
static int in_line(void) {
  int n = 0;
  for (int i = 0; i < CONDITION_PART; i++) n += cond()->first.waiter[i].owner != 0;
  return n;
}

static int line_notified(void) {
  int n = 0;
  for (int i = 0; i < CONDITION_PART; i++) {
    const struct waiter *w = &cond()->first.waiter[i];
    n += w->owner != 0 && w->state == 3;
  }
  return n;
}

/* A member that stands in the line and sleeps. */
static struct member waiter_start(void) {
  int before = in_line();
  struct member m = member_start(waiter_run, NULL);
  while (in_line() == before) sched_yield();
  wait_asleep(&m);
  return m;
}

static int cond_notify(uint32_t n) {
  cond_acquire();
  int made = condition_notify(cond(), n);
  cond_release();
  return made;
}

static void ends_well(struct member *m) {
  assert_int_equal(proc_wait(&m->proc, spec_in(STEP_HANG)), 1);
  assert_int_equal(member_end(m), 0);
}

static void cond_wait_act(void) {
  int died;
  must(condition_wait(sync_object, clock_now() + SCENE_WAIT, &died) == -ETIMEDOUT);
}

/* Nobody stands in the line but the dead. */
static enum outcome cond_wait_verify(void) {
  assert_int_equal(cond_notify(5), 0);
  assert_int_equal(in_line(), 0);
  sync_drop();
  return EITHER;
}

/* While the victim has given the lock back: another one joins the line, and one is notified. The
 * victim stands still, so the notification is never its own to keep. */
static int was_notified, was_locked;

static void notify_meanwhile(void) {
  was_notified = 0;
  was_locked = lock_acquire(cond_lock(), 1, 0) < 0;
  if (was_locked) return;
  cond_release();
  other = waiter_start();
  was_notified = cond_notify(1);
  assert_int_equal(was_notified, 1);
}

static enum outcome passed_on_verify(void) {
  if (!was_locked) ends_well(&other);
  assert_int_equal(cond_notify(5), 0);
  assert_int_equal(in_line(), 0);
  sync_drop();
  return EITHER;
}

/* Whether the victim sleeps in the kernel, or is no more. */
static int victim_is_away(void) {
  char path[64], line[512];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)sync_page[3]);
  FILE *file = fopen(path, "re");
  if (!file) return 1;
  const char *got_line = fgets(line, sizeof line, file);
  fclose(file);
  const char *end = got_line ? strrchr(line, ')') : NULL;
  return !end || strchr("SZX", end[2]);
}

/* The other one lets the victim fall asleep, notifies it, and stands in the line behind it. */
static void notifier_run(void *arg) {
  (void)arg;
  int died;
  while (!lock_is_held(cond_lock())) sched_yield();
  sync_page[0] = 1;
  must(lock_acquire(cond_lock(), 1, CLOCK_NEVER) >= 0);
  while (!victim_is_away()) sched_yield();
  sync_page[1] = (uint32_t)condition_notify(cond(), 1);
  sync_page[2] = 1;
  must(condition_wait(sync_object, CLOCK_NEVER, &died) == 0);
  cond_release();
}

static void condition_and_notifier(void) {
  new_condition();
  sync_start(notifier_run);
}

static void cond_arm(void) {
  sync_page[3] = (uint32_t)getpid();
  cond_acquire();
  while (!sync_page[0]) sched_yield();
  wait_asleep(&other);
}

static void cond_wait_for_it_act(void) {
  int died;
  must(condition_wait(sync_object, CLOCK_NEVER, &died) == 0);
}

/* Once it has notified the other one stands in the line before anything dies: what a dead one did
   not take goes to it, and not to nobody. */
static void let_other_join(void) {
  if (line_notified() == 0 && !sync_page[1]) return;
  while (cond()->tickets < 2) sched_yield();
  wait_asleep(&other);
}

/* The victim kept its notification, or there was none: the other one needs another. */
static enum outcome notified_verify(void) {
  while (!sync_page[2]) sched_yield();
  cond_acquire(); /* the other one stands in the line now */
  cond_release();
  int kept = line_notified() == 0 && in_line() > 0 && cond_notify(1) == 1 && sync_page[1];
  ends_well(&other);
  assert_int_equal(cond_notify(5), 0);
  assert_int_equal(in_line(), 0);
  sync_drop();
  return kept ? DONE : NOT_DONE;
}

static void two_in_line(void) {
  new_condition();
  other = waiter_start();
  second = waiter_start();
}

static void notify_act(void) {
  must(condition_notify(cond(), 1) == 1);
}

static enum outcome notify_verify(void) {
  int helped = line_notified() == 0 && in_line() == 2 && cond_notify(1) == 1;
  ends_well(&other); /* the first in line */
  assert_int_equal(proc_wait(&second.proc, 0), 0);
  assert_int_equal(cond_notify(1), 1);
  ends_well(&second);
  sync_drop();
  return helped ? NOT_DONE : DONE;
}

/* The first in line has been notified and is dead; the second must have it. */
static void dead_and_second(void) {
  two_in_line();
  proc_signal(&second.proc, SIGSTOP); /* it does not help itself */
  cond_acquire();
  assert_int_equal(condition_notify(cond(), 1), 1);
  member_kill(&other);
  cond_release();
}

static void bury_act(void) {
  must(condition_notify(cond(), 0) == 0);
}

static void let_second_go(void) {
  proc_signal(&second.proc, SIGCONT);
}

static enum outcome bury_verify(void) {
  ends_well(&second);
  assert_int_equal(cond_notify(5), 0);
  assert_int_equal(in_line(), 0);
  sync_drop();
  return EITHER;
}

static void condition_new_act(void) {
  must(condition_new(0, family_ledger(), &sync_hold));
}

/* ---- barriers ---- */

static struct barrier *bar(void) {
  return sync_at();
}

static void new_barrier(void) {
  futex_spins();
  sync_object = barrier_new(2, family_ledger(), &sync_hold);
  assert_true(sync_object);
}

/* Ends with the round's ending. */
static void party_run(void *arg) {
  (void)arg;
  struct arrival a;
  must(barrier_arrive(bar(), &a, CLOCK_NEVER) == 0);
  must(a.index == 1);
  _exit(barrier_await(bar(), &a, CLOCK_NEVER));
}

static void barrier_and_party(void) {
  new_barrier();
  sync_start(party_run);
  while (barrier_waiting(bar()) == 0) sched_yield();
  wait_asleep(&other);
}

static void arrive_last(void) {
  struct arrival a;
  must(barrier_arrive(bar(), &a, CLOCK_NEVER) == 0);
  must(a.index == 2);
  must(barrier_end(bar(), &a, BARRIER_PASSED) == BARRIER_PASSED);
}

/* Decides by coming. */
static void meet_last(void) {
  struct arrival a;
  must(barrier_meet(bar(), &a, CLOCK_NEVER) == 1);
}

/* It had not come: then we do. It had come and not decided: the other one finds that by itself. */
static enum outcome arrive_verify(void) {
  int done = (bar()->last & 255) == BARRIER_PASSED, gone = 0;
  if (!done && (bar()->last & 255) == BARRIER_RESET) {
    if (barrier_waiting(bar()) == 2)
      gone = 1;
    else
      arrive_last();
  } else if (!done) {
    gone = 1;
  }
  other_must_end(gone ? BARRIER_GONE : BARRIER_PASSED);
  assert_int_equal(barrier_state(bar()) == BARRIER_GONE, gone);
  sync_drop();
  return done ? DONE : NOT_DONE;
}

static void barrier_wait_act(void) {
  struct arrival a;
  must(barrier_arrive(bar(), &a, CLOCK_NEVER) == 0);
  must(barrier_await(bar(), &a, clock_now() + SCENE_WAIT) == -ETIMEDOUT);
}

/* Whatever it left: after a reset the barrier is as new. */
static enum outcome barrier_wait_verify(void) {
  int state = barrier_state(bar());
  assert_true(state == BARRIER_RESET || state == BARRIER_GONE || state == BARRIER_TIMED_OUT);
  assert_int_equal(barrier_waiting(bar()), 0);
  barrier_reset(bar());
  sync_start(party_run);
  while (barrier_waiting(bar()) == 0) sched_yield();
  arrive_last();
  other_must_end(BARRIER_PASSED);
  sync_drop();
  return EITHER;
}

static void abort_act(void) {
  barrier_abort(bar());
}

static enum outcome abort_verify(void) {
  int done = barrier_state(bar()) == BARRIER_ABORTED;
  if (!done) abort_act();
  other_must_end(BARRIER_ABORTED);
  sync_drop();
  return done ? DONE : NOT_DONE;
}

static void reset_act(void) {
  barrier_reset(bar());
}

static enum outcome reset_verify(void) {
  int done = bar()->last >> 8 == 1;
  if (!done) reset_act();
  other_must_end(BARRIER_RESET);
  assert_int_equal(barrier_state(bar()), BARRIER_RESET);
  sync_drop();
  return done ? DONE : NOT_DONE;
}

static void barrier_new_act(void) {
  must(barrier_new(3, family_ledger(), &sync_hold));
}

/* ---- the table ---- */

static const struct scene line_scenes[] = {
    {"condition wait", .prepare = new_condition, .arm = cond_acquire, .act = cond_wait_act,
     .verify = cond_wait_verify, .every = 7},
    {"condition wait, notified where it stands", .prepare = new_condition, .arm = cond_acquire,
     .act = cond_wait_act, .meanwhile = notify_meanwhile, .verify = passed_on_verify, .every = 11},
    {"condition wait that is notified", .prepare = condition_and_notifier, .arm = cond_arm,
     .act = cond_wait_for_it_act, .meanwhile = let_other_join, .verify = notified_verify,
     .every = 7, .woken = 1},
    {"notify", .prepare = two_in_line, .arm = cond_acquire, .act = notify_act,
     .verify = notify_verify, .every = 5},
    {"notification that is passed on", .prepare = dead_and_second, .arm = cond_acquire,
     .act = bury_act, .early = let_second_go, .verify = bury_verify, .every = 3},
    {"condition_new", .act = condition_new_act, .every = 11},
    {"barrier, the last party", .prepare = barrier_and_party, .act = arrive_last,
     .verify = arrive_verify, .every = 5},
    {"barrier, the last party, without an action", .prepare = barrier_and_party, .act = meet_last,
     .verify = arrive_verify, .every = 5},
    {"barrier, a party that waits", .prepare = new_barrier, .act = barrier_wait_act,
     .verify = barrier_wait_verify, .every = 11},
    {"barrier abort", .prepare = barrier_and_party, .act = abort_act, .verify = abort_verify,
     .every = 3},
    {"barrier reset", .prepare = barrier_and_party, .act = reset_act, .verify = reset_verify,
     .every = 5},
    {"barrier_new", .act = barrier_new_act, .every = 7},
};

#endif
