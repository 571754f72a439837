/* What the specs of shm share: cases with a deadline that leave nothing behind, members of the
   family that run a function, messages whose wholeness shows, and a walk over the whole heap.

   Order of the includes in a spec: this header first, it brings cmocka's. A failed assertion jumps
   to the runner, so a child must not use one: it uses must(), and its parent looks at its status.
 */
#ifndef SPEC_SHM_SUPPORT_H
#define SPEC_SHM_SUPPORT_H

#include "../support/spec.h"

#include "os/proc.h"
#include "shm/family.h"
#include "shm/heap.h"
#include "shm/journal.h"
#include "shm/object.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SPEC_SANITIZED 1
#else
#define SPEC_SANITIZED 0
#endif

/* In a child: ends it with a line that says why. */
#define must(condition)                                                                            \
  do {                                                                                             \
    if (!(condition)) must_fail(#condition, __FILE__, __LINE__);                                   \
  } while (0)

static pid_t spec_pid; /* a must() of the spec itself fails its case */

static inline _Noreturn void must_fail(const char *what, const char *file, int line) {
  if (getpid() == spec_pid) _fail(file, line);
  fprintf(stderr, "%s:%d: child: %s (errno %d)\n", file, line, what, errno);
  _exit(70);
}

/* ---- the whole heap ---- */

#define WALK_MOST 100000

struct walk {
  uint64_t used;
  int holds, refs, objects;
  uint64_t object[WALK_MOST];
};

static inline void walk_list(struct walk *w, struct link *head);

static inline void walk_object(struct walk *w, struct block *object) {
  for (int i = 0; i < w->objects; i++)
    if (w->object[i] == region_offset(object)) return;
  assert_true(w->objects < WALK_MOST);
  w->object[w->objects++] = region_offset(object);
  w->refs += (int)object->refs;
  w->used += object->size;
  walk_list(w, &object->owned);
}

static inline void walk_list(struct walk *w, struct link *head) {
  for (struct link *at = head;;) {
    struct link *next = region_at(at->next);
    assert_int_equal(next->prev, region_offset(at)); /* no list is torn */
    if (next == head) return;
    struct block *block = region_at(at->next - offsetof(struct block, link));
    w->used += block->size;
    assert_int_not_equal(block->kind, BLOCK_FREE);
    if (block->kind == BLOCK_HOLD) {
      w->holds++;
      walk_object(w, region_at(block->refs));
    }
    walk_list(w, &block->owned);
    at = next;
  }
}

/* All that is in use hangs on living processes, and every object's count is right. Only while the
   other members are quiet. */
static inline void check_heap(void) {
  static struct walk w;
  w.used = 0;
  w.holds = w.refs = w.objects = 0;
  uint64_t used = heap_used(); /* carries out what a dead one committed */
  const struct slots *slots = region_at(REGION_SLOTS);
  for (int i = 0; i < (int)slots->high; i++) {
    if (family_slot(i)->state == SLOT_FREE) continue;
    walk_list(&w, &family_slot(i)->ledger);
    walk_list(&w, &family_slot(i)->outbox);
  }
  assert_int_equal(w.holds, w.refs);
  assert_int_equal(w.used, used);
}

/* Slots that are taken by anybody. */
static inline int count_members(void) {
  const struct slots *slots = region_at(REGION_SLOTS);
  int n = 0;
  for (int i = 0; i < (int)slots->high; i++) n += family_slot(i)->state != SLOT_FREE;
  return n;
}

/* ---- cases ---- */

static uint64_t spec_base; /* heap_used() when the case began */
static int spec_members;   /* and taken slots: a failed case before this one may have left some */

static inline int case_begin(void **state) {
  (void)state;
  alarm(SPEC_SECONDS * spec_slower());
  spec_pid = getpid();
  assert_int_equal(family_open(), 0);
  spec_base = heap_used();
  spec_members = count_members();
  return 0;
}

static inline int case_end(void **state) {
  (void)state;
  check_heap();
  assert_int_equal(heap_used(), spec_base);
  assert_int_equal(count_members(), spec_members);
  alarm(0);
  return 0;
}

#define spec_case(name) cmocka_unit_test_setup_teardown(name, case_begin, case_end)

/* ---- members ---- */

typedef void member_run(void *arg);

struct member {
  proc proc;
  int slot;
};

/* Starts a child of the family that runs the function and exits with 0. */
static inline struct member member_start(member_run *run, void *arg) {
  struct member m = {.slot = family_claim()};
  assert_true(m.slot > 0);
  int forked = proc_fork(&m.proc);
  assert_true(forked >= 0);
  if (forked) return m;
  must(family_enter(m.slot) == 0);
  run(arg);
  _exit(0);
}

/* After its end: what it had is given up. */
static inline uint64_t member_reap(struct member *m) {
  proc_close(&m->proc);
  return family_reap(m->slot);
}

/* Waits for its end and reaps it: its status. */
static inline int member_end(struct member *m) {
  int rc;
  do rc = proc_wait(&m->proc, CLOCK_NEVER);
  while (rc == -EINTR);
  member_reap(m);
  return m->proc.status;
}

static inline void member_kill(struct member *m) {
  assert_int_equal(proc_signal(&m->proc, SIGKILL), 0);
  assert_int_equal(member_end(m), -SIGKILL);
}

/* Runs the function in a member and waits for it. */
static inline void in_member(member_run *run, void *arg) {
  struct member m = member_start(run, arg);
  assert_int_equal(member_end(&m), 0);
}

/* Waits until it really waits. */
static inline void wait_asleep(const struct member *m) {
  wait_pid_asleep(m->proc.pid);
}

/* ---- messages: eight bytes of number, then bytes that follow from it ---- */

static inline void message_fill(char *bytes, size_t size, uint64_t number) {
  uint64_t x = number * 0x9e3779b97f4a7c15u + size;
  for (size_t i = 0; i < size; i++) bytes[i] = (char)(x >> (i % 8 * 8)) + (char)i;
  if (size >= sizeof number) memcpy(bytes, &number, sizeof number);
}

static inline uint64_t message_number(const char *bytes, size_t size) {
  uint64_t number = UINT64_MAX;
  if (size >= sizeof number) memcpy(&number, bytes, sizeof number);
  return number;
}

/* Whether it is what message_fill wrote for the number that it bears. */
static inline int message_whole(const char *bytes, size_t size) {
  uint64_t number = message_number(bytes, size), x = number * 0x9e3779b97f4a7c15u + size;
  for (size_t i = sizeof number; i < size; i++)
    if (bytes[i] != (char)((char)(x >> (i % 8 * 8)) + (char)i)) return 0;
  return size >= sizeof number;
}

#endif
