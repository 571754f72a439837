/* What the crew of threads.h does with locks, semaphores, events, conditions, barriers, arrays,
   pipes and files. Who comes after another sees what that one did before: plain words show it. */
#ifndef SPEC_SHM_THREADS_SYNC_H
#define SPEC_SHM_THREADS_SYNC_H

#include "threads.h"

#include "shm/array.h"
#include "shm/barrier.h"
#include "shm/condition.h"
#include "shm/event.h"
#include "shm/file.h"
#include "shm/lock.h"
#include "shm/permits.h"
#include "shm/pipe.h"
#include "shm/semaphore.h"

static uint64_t sync_at;    /* the object in work */
static uint64_t plain_at;   /* a block of plain words beside it */
static _Atomic int working; /* of the crew */

/* As this thread sees them. */
static void *the_object(void) {
  return heap_payload(sync_at);
}

static uint64_t *plain(void) {
  return heap_payload(plain_at);
}

static void new_plain(void) {
  plain_at = heap_alloc(4096, BLOCK_DATA, family_ledger());
  assert_true(plain_at);
  memset(plain(), 0, 4096);
  working = CREW;
}

/* ---- locks and semaphores: whoever has it counts ---- */

static void hold_lock(int who) {
  struct lock *lock = the_object();
  for (int i = 0; i < 2000 * rounds; i++) {
    if (i % 7 == 0) { /* as a condition does */
      sure(lock_enter(lock, CLOCK_NEVER) == 0);
      ++*plain();
      lock_leave(lock);
      continue;
    }
    if (lock_acquire(lock, (uint64_t)who, i % 3 ? CLOCK_NEVER : 0) < 0)
      sure(lock_acquire(lock, (uint64_t)who, CLOCK_NEVER) == LOCK_OK);
    sure(lock_acquire(lock, (uint64_t)who, 0) == LOCK_OK); /* again */
    ++*plain();
    if (i % 5 == 0) sure(lock_unpark(lock, lock_park(lock)) == LOCK_OK);
    sure(lock_release(lock) == 0 && lock_is_held(lock) && lock_release(lock) == 0);
    (void)lock_is_held(lock);
  }
}

static void a_script_lock(void **state) {
  (void)state;
  uint64_t hold;
  new_plain();
  sync_at = lock_new(1, family_ledger(), &hold);
  crew_do(hold_lock);
  assert_int_equal(*plain(), 2000 * rounds * CREW);
  object_drop(hold);
  object_drop(plain_at);
}

static void take_turns(int who) {
  struct semaphore *s = the_object();
  for (int i = 0; i < 1000 * rounds; i++) {
    int64_t deadline = i % 3 ? CLOCK_NEVER : clock_now() + 20000;
    if (semaphore_acquire(s, deadline) < 0) continue;
    ++plain()[0];
    ++plain()[1 + who];
    sure(semaphore_release(s, 1) == 0 && semaphore_value(s) <= 1);
  }
}

static uint64_t counted(void) {
  uint64_t sum = 0;
  for (int i = 0; i < CREW; i++) sum += plain()[1 + i];
  return sum;
}

static void a_semaphore(void **state) {
  (void)state;
  uint64_t hold;
  new_plain();
  sync_at = semaphore_new(1, family_ledger(), &hold);
  crew_do(take_turns);
  assert_true(counted() > 0 && plain()[0] == counted());
  object_drop(hold);
  object_drop(plain_at);
}

/* Half of them give what the others take, some at a time. */
static void give_or_take(int who) {
  struct semaphore *s = the_object();
  for (int i = 0; i < 1200 * rounds; i++) {
    if (who % 2)
      sure(semaphore_acquire(s, CLOCK_NEVER) == 0);
    else if (i % 3 == 0)
      sure(semaphore_release(s, 3) == 0);
  }
}

static void permits_given(void **state) {
  (void)state;
  uint64_t hold;
  sync_at = semaphore_new(0, family_ledger(), &hold);
  crew_do(give_or_take);
  assert_int_equal(semaphore_value(the_object()), 0);
  object_drop(hold);
}

static void take_permits(int who) {
  struct permits *p = the_object();
  for (int i = 0; i < 1000 * rounds; i++) {
    int64_t deadline = i % 3 ? CLOCK_NEVER : clock_now() + 20000;
    if (permits_acquire(p, deadline) != PERMITS_OK) continue;
    ++plain()[0];
    ++plain()[1 + who];
    sure(permits_mine(p) == 1 && permits_value(p) == 0);
    sure(permits_release(p) == 0);
  }
  sure(permits_release(p) == -EPERM);
}

static void a_bounded_semaphore(void **state) {
  (void)state;
  uint64_t hold;
  new_plain();
  sync_at = permits_new(1, family_ledger(), &hold);
  crew_do(take_permits);
  assert_true(counted() > 0 && plain()[0] == counted());
  object_drop(hold);
  object_drop(plain_at);
}

/* ---- events ---- */

#define EVENTS (100 * rounds)

static uint64_t *events;

/* Each event is set by one of them, after its word was written. */
static void ring_and_hear(int who) {
  for (int i = 0; i < EVENTS; i++) {
    struct event *event = heap_payload(events[i]), *noise = heap_payload(sync_at);
    uint64_t *word = plain() + i % 512;
    uint32_t since = event_now(noise);
    if (i % CREW == who) {
      if (i >= 512) sure(*word == (uint64_t)i - 512);
      *word = (uint64_t)i;
      event_set(event);
    } else {
      sure(event_wait(event, 0, CLOCK_NEVER) == 0 && event_is_set(event));
      sure(*word == (uint64_t)i);
    }
    event_set(noise); /* set and cleared by all */
    (void)event_wait(noise, since, clock_now() + 10000);
    event_clear(noise);
  }
}

static void events_in_turn(void **state) {
  (void)state;
  uint64_t hold;
  uint64_t *holds = calloc((size_t)EVENTS, sizeof *holds);
  events = calloc((size_t)EVENTS, sizeof *events);
  new_plain();
  sync_at = event_new(family_ledger(), &hold);
  for (int i = 0; i < EVENTS; i++) assert_true(events[i] = event_new(family_ledger(), &holds[i]));
  crew_do(ring_and_hear);
  for (int i = 0; i < EVENTS; i++) object_drop(holds[i]);
  free(holds);
  free(events);
  object_drop(hold);
  object_drop(plain_at);
}

/* ---- conditions ---- */

/* plain: [0] tokens there, [1] tokens ever, [2] taken. */
static void pass_tokens(int who) {
  struct condition *c = the_object();
  struct lock *lock = condition_lock(c);
  int died;
  for (int i = 0; i < 300 * rounds; i++) {
    sure(lock_acquire(lock, (uint64_t)who, CLOCK_NEVER) == LOCK_OK);
    if (who % 2) {
      int64_t deadline = i % 4 ? CLOCK_NEVER : clock_now() + 50000;
      while (plain()[0] == 0) {
        if (condition_wait(sync_at, deadline, &died) < 0) deadline = CLOCK_NEVER;
        sure(!died && lock_is_mine(lock));
      }
      plain()[0]--;
      plain()[2]++;
    } else {
      plain()[0]++;
      plain()[1]++;
      sure(condition_notify(c, i % 10 ? 1 : 1000) >= 0);
    }
    sure(lock_release(lock) == 0);
  }
}

static void a_condition(void **state) {
  (void)state;
  uint64_t hold;
  new_plain();
  sync_at = condition_new(0, family_ledger(), &hold);
  crew_do(pass_tokens);
  assert_int_equal(plain()[0], 0);
  assert_int_equal(plain()[1], 300 * rounds * CREW / 2);
  assert_int_equal(plain()[2], plain()[1]);
  object_drop(hold);
  object_drop(plain_at);
}

/* ---- barriers ---- */

static void meet(struct barrier *b) {
  struct arrival a;
  int rc = barrier_meet(b, &a, CLOCK_NEVER);
  sure(rc == 1 || (rc == 0 && barrier_await(b, &a, CLOCK_NEVER) == BARRIER_PASSED));
}

/* As with an action. */
static void meet_and_act(struct barrier *b) {
  struct arrival a;
  sure(barrier_arrive(b, &a, CLOCK_NEVER) == 0);
  if (a.index == CREW)
    sure(barrier_end(b, &a, BARRIER_PASSED) == BARRIER_PASSED);
  else
    sure(barrier_await(b, &a, CLOCK_NEVER) == BARRIER_PASSED);
}

/* What each wrote before it came all may read behind the barrier. */
static void march(int who) {
  struct barrier *b = the_object();
  for (uint64_t i = 1; i <= (uint64_t)(100 * rounds); i++) {
    plain()[8 * who] = i;
    meet(b);
    for (int k = 0; k < CREW; k++) sure(plain()[8 * k] == i);
    sure(barrier_waiting(b) <= CREW && barrier_state(b) < BARRIER_TIMED_OUT);
    meet_and_act(b);
  }
}

static void a_barrier(void **state) {
  (void)state;
  uint64_t hold;
  new_plain();
  sync_at = barrier_new(CREW, family_ledger(), &hold);
  crew_do(march);
  object_drop(hold);
  object_drop(plain_at);
}

/* Rounds that break and begin anew: two come, others abort, reset, or lose patience. */
static void break_and_mend(int who) {
  struct barrier *b = the_object();
  for (int i = 0; i < 100 * rounds; i++) {
    struct arrival a;
    if (who == 0) {
      barrier_abort(b);
      continue;
    }
    if (who == 1) {
      barrier_reset(b);
      continue;
    }
    if (barrier_arrive(b, &a, clock_now() + SPEC_MS) < 0) continue;
    if (a.index == 3)
      barrier_end(b, &a, BARRIER_PASSED);
    else if (i % 3 == 0)
      barrier_give_up(b, &a);
    else
      sure(barrier_await(b, &a, clock_now() + SPEC_MS / 5) != -EINTR);
  }
}

static void a_barrier_that_breaks(void **state) {
  (void)state;
  uint64_t hold;
  sync_at = barrier_new(3, family_ledger(), &hold);
  crew_do(break_and_mend);
  barrier_reset(the_object());
  assert_int_equal(barrier_waiting(the_object()), 0);
  object_drop(hold);
}

/* ---- arrays ---- */

#define ELEMENTS 100

static const struct number *letter;

/* All count on the first elements, and look at and fill the rest. The sums and copies of bytes are
   vectors on purpose (array.c) and not looked at. */
static void work_on_array(int who) {
  struct span all = array_span(sync_at), rest = span_part(all, 10, ELEMENTS - 10);
  struct span half = span_part(rest, 0, 40), other = span_part(rest, 45, 40);
  uint64_t before, one = letter->is_float ? number_bits(1) : 1;
  for (int i = 0; i < 20 * rounds; i++) {
    int rc = span_apply(&all, (uint64_t)i % 10, number_add, one, &before);
    sure(rc == 0 || letter->bytes == 1);
    span_store(&rest, (uint64_t)(who + i) % rest.count, one);
    sure(span_load(&rest, (uint64_t)i % rest.count) <= one);
    (void)span_replace(&rest, 3, 0, one);
    if (i % 5 == 0) span_fill(&rest, i % 2 ? one : 0);
    if (letter->bytes == 1) continue;
    span_copy(&half, &other);
    sure(span_min(&rest) <= one && span_max(&rest) <= one); /* each at its own time */
    (void)span_sum(&rest);
  }
}

static void arrays(void **state) {
  (void)state;
  for (const char *at = "bhilfd"; *at; at++) {
    uint64_t hold;
    letter = number_of((uint32_t)*at);
    assert_non_null(letter);
    sync_at = array_new(letter, ELEMENTS, family_ledger(), &hold);
    crew_do(work_on_array);
    struct span counted = array_span(sync_at);
    counted.count = 10;
    uint64_t sum = span_sum(&counted), expected = (uint64_t)(20 * rounds * CREW);
    if (letter->bytes > 1)
      assert_true(sum == (letter->is_float ? number_bits((double)expected) : expected));
    object_drop(hold);
  }
}

/* ---- pipes ---- */

#define PAIRS (CREW / 2)

static uint64_t ends[CREW], end_holds[CREW];

/* Who has an even number speaks first, and goes when it has heard enough. */
static void talk(int who) {
  pipe_init();
  struct buffer into = {0};
  uint64_t block, n;
  const struct end *end = pipe_end(ends[who]);
  uint64_t in = end->in, out = end->out, hold = object_hold(ends[who], family_ledger());
  sure(hold);
  /* The one that the spec made the pipe with. */
  if (atomic_fetch_sub(&working, 1) == 1) atomic_store(&working, -1);
  while (atomic_load(&working) >= 0) sched_yield();
  object_drop(end_holds[who]);
  for (n = 0; who % 2 || n < (uint64_t)(300 * rounds); n++) {
    uint64_t got = n;
    if (who % 2 == 0) sure(queue_put(out, &n, sizeof n, CLOCK_NEVER) == 0);
    int rc = queue_get(in, &into, &block, CLOCK_NEVER);
    if (rc == -EPIPE) break;
    sure(rc == 0 && into.size == sizeof got);
    memcpy(&got, into.data, sizeof got);
    sure(got == n);
    if (who % 2) sure(queue_put(out, &got, sizeof got, CLOCK_NEVER) == 0);
    (void)pipe_is_lonely(ends[who], 1);
  }
  sure(n == (uint64_t)(300 * rounds));
  if (who % 2) sure(queue_put(out, &n, sizeof n, 0) == -EPIPE);
  object_drop(hold);
  free(into.data);
}

static void pipes(void **state) {
  (void)state;
  pipe_init();
  working = CREW;
  for (int i = 0; i < PAIRS; i++)
    assert_int_equal(pipe_new(1, family_ledger(), ends + 2 * i, end_holds + 2 * i), 0);
  crew_do(talk);
}

/* ---- files ---- */

static struct attachment *shared_file;

/* In the spec's build each thread has mappings of its own, as processes have; the attachment of
   the spec is shared as by the threads of a program. */
static void use_file(int who) {
  uint64_t hold = object_hold(sync_at, family_ledger());
  sure(hold);
  for (int i = 0; i < 100 * rounds; i++) {
    struct attachment *mine, *again;
    sure(file_attach(sync_at, &mine) == 0 && file_attach(sync_at, &again) == 0 && mine == again);
    sure(mine->map.base[who] == '0' + who && file_length(mine) == 10);
    for (int k = 0; k < 20; k++) sure(file_length(shared_file) == 10);
    file_detach(file_share(shared_file));
    file_detach(again);
    file_detach(mine);
  }
  object_drop(hold);
}

static void a_file(void **state) {
  (void)state;
  char path[64];
  uint64_t hold;
  snprintf(path, sizeof path, "/tmp/threads_spec.%d", (int)getpid());
  FILE *file = fopen(path, "we");
  assert_non_null(file);
  fputs("0123456789", file);
  fclose(file);
  assert_int_equal(
      file_new(path, FILEMAP_READ, FILEMAP_WHOLE, family_ledger(), &sync_at, &hold, &shared_file),
      0);
  crew_do(use_file);
  file_detach(shared_file);
  object_drop(hold);
  unlink(path);
}

#define SYNC_CASES                                                                                 \
  ON_BOTH(a_script_lock), ON_BOTH(a_semaphore), ON_BOTH(permits_given),                            \
      ON_BOTH(a_bounded_semaphore), ON_BOTH(events_in_turn), ON_BOTH(a_condition),                 \
      ON_BOTH(a_barrier), ON_BOTH(a_barrier_that_breaks), ON_BOTH(arrays), ON_BOTH(pipes),         \
      ON_BOTH(a_file)

#endif
