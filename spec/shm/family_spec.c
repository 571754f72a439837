/* The family: slots are claimed, entered, reaped and found again, whoever dies. */
#include "support.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "memory.h"

static int high(void) {
  return (int)((struct slots *)region_at(REGION_SLOTS))->high;
}

static void enter_run(void *arg) {
  int slot = *(int *)arg;
  must(family_index() > 0 && (slot < 0 || family_index() == slot));
  must(family_slot(family_index())->state == SLOT_LIVE);
  must(family_ledger() == &family_slot(family_index())->ledger);
  must(family_status()->item == STATUS_NONE && family_status()->job == 0);
  must(!robust_is_free(&family_slot(family_index())->life));
  must(family_open() == 0 && family_index() > 0); /* it is in one already */
}

static void a_life(void **state) {
  (void)state;
  int any = -1;
  assert_int_equal(family_index(), 0);
  struct member m = member_start(enter_run, &any);
  uint64_t gen = family_slot(m.slot)->gen;
  assert_int_equal(proc_wait(&m.proc, CLOCK_NEVER), 1);
  assert_int_equal(family_slot(m.slot)->state, SLOT_LIVE); /* until it is reaped */
  assert_int_equal(robust_is_free(&family_slot(m.slot)->life), 1);
  assert_int_equal(member_end(&m), 0);
  assert_int_equal(family_slot(m.slot)->state, SLOT_FREE);
  assert_int_equal(family_slot(m.slot)->gen, gen + 1);
}

static void slots_come_again(void **state) {
  (void)state;
  int slot = family_claim(), was = high();
  assert_true(slot > 0);
  family_reap(slot);
  for (int i = 0; i < 1000; i++) {
    int a = family_claim(), b = family_claim();
    assert_int_equal(a, slot);
    assert_true(b > a);
    family_reap(a);
    family_reap(b);
  }
  assert_in_range(high(), was, was + 1);
}

static void as_many_as_there_are(void **state) {
  (void)state;
  int n = count_members(), slot;
  while ((slot = family_claim()) >= 0) n++;
  assert_int_equal(slot, -EAGAIN);
  assert_int_equal(n, FAMILY_MOST);
  for (int i = 1; i < n; i++) family_reap(i);
}

static void no_memory_for_holds(void **state) {
  (void)state;
  uint64_t hold, object = object_new(10, BLOCK_VALUE, family_ledger(), &hold);
  no_memory = 1;
  int n = 0;
  while (object_hold(object, family_ledger())) n++; /* there are no free blocks of this size now */
  int rc = family_claim();
  no_memory = 0;
  assert_int_equal(rc, -ENOMEM);
  assert_int_equal(count_members(), 1);
  assert_int_equal(block_at(object)->refs, n + 1);
  while (family_ledger()->next != region_offset(family_ledger()))
    object_drop(family_ledger()->next - offsetof(struct block, link));
}

/* ---- holds ---- */

static uint64_t object[3], hold[3];

static void heir_run(void *arg) {
  (void)arg;
  for (int i = 0; i < 3; i++) {
    uint64_t mine = family_inherited(hold[i]);
    must(mine && mine != hold[i] && block_at(mine)->refs == object[i]);
    must(block_at(object[i])->refs == 2);
    if (i == 1) object_drop(mine);
  }
  must(family_inherited(hold[1]) == 0);
  must(family_inherited(12345) == 0);
}

static void children_have_copies_of_holds(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) object[i] = object_new(10, BLOCK_VALUE, family_ledger(), &hold[i]);
  uint64_t data = heap_alloc(100, BLOCK_DATA, family_ledger()); /* blocks are not copied */
  in_member(heir_run, NULL);
  object_drop(data);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(block_at(object[i])->refs, 1);
    object_drop(hold[i]);
  }
}

static void result_run(void *arg) {
  (void)arg;
  uint64_t block = heap_alloc(100, BLOCK_DATA, family_ledger());
  must(heap_alloc(100, BLOCK_DATA, family_ledger()));
  strcpy(heap_payload(block), "a result");
  object_move(block, &family_slot(family_index())->outbox);
  raise(SIGKILL);
}

static void the_outbox_comes_to_the_parent(void **state) {
  (void)state;
  struct member m = member_start(result_run, NULL);
  assert_int_equal(proc_wait(&m.proc, CLOCK_NEVER), 1);
  uint64_t block = member_reap(&m);
  assert_true(block);
  assert_string_equal(heap_payload(block), "a result");
  assert_int_equal(block_at(block)->link.prev, region_offset(family_ledger()));
  object_drop(block);
}

static void return_run(void *arg) {
  if (arg) family_return();
  raise(SIGKILL);
}

/* Killed right before it says so, and right after; the slot's next process has not said so. */
static void the_end_is_known(void **state) {
  (void)state;
  for (int returned = 1; returned >= 0; returned--) {
    struct member m = member_start(return_run, returned ? &m : NULL);
    assert_int_equal(proc_wait(&m.proc, CLOCK_NEVER), 1);
    assert_int_equal(family_returned(m.slot), returned);
    assert_int_equal(member_reap(&m), 0);
  }
}

/* ---- the late, the orphans, the strangers ---- */

/* The family gave the slot up before the child came: it must leave. */
static void late_comer_leaves(void **state) {
  (void)state;
  int slot = family_claim();
  family_reap(slot);
  proc child;
  if (proc_fork(&child) == 0)
    _exit(family_enter(slot) == -ESTALE && family_open() == -EPERM ? 0 : 1);
  assert_int_equal(proc_wait(&child, CLOCK_NEVER), 1);
  assert_int_equal(child.status, 0);
  proc_close(&child);
  int again = family_claim(); /* another's now */
  assert_int_equal(again, slot);
  family_reap(again);
}

static void sleep_run(void *arg) {
  (void)arg;
  for (;;) pause();
}

static void parent_run(void *arg) {
  struct member m = member_start(sleep_run, NULL);
  must(heap_alloc(5000, BLOCK_DATA, family_ledger()));
  must(family_claim() > 0); /* a slot whose child will never be forked */
  *(volatile pid_t *)arg = m.proc.pid;
  for (;;) pause();
}

/* The child's own child dies with it, and so does the claim of one that never was: a scan finds
 * both. */
static void orphans_are_found(void **state) {
  (void)state;
  volatile pid_t *pid = spec_page(sizeof *pid);
  struct member m = member_start(parent_run, (void *)pid);
  while (!*pid) sched_yield();
  assert_int_equal(family_scan(), 0); /* they live */
  assert_int_equal(count_members(), 4);
  member_kill(&m);
  int found = 0;
  while (found < 2) found += family_scan(); /* the grandchild's death may take a moment */
  assert_int_equal(count_members(), 1);
  assert_int_equal(family_scan(), 0);
  munmap((void *)pid, sizeof *pid);
}

/* Whom somebody else forked is no member: nothing of the family's may be set up anew. */
static int stranger(int generations) {
  pid_t pid = fork();
  if (pid == 0) {
    must(generations == 1 || stranger(generations - 1) == 0);
    must(family_index() == -1);
    must(family_open() == -EPERM);
    _exit(0);
  }
  int status;
  return waitpid(pid, &status, 0) == pid ? status : -1;
}

static void strangers_stay_out(void **state) {
  (void)state;
  uint64_t one = object_new(10, BLOCK_VALUE, family_ledger(), &hold[0]);
  assert_true(one);
  assert_int_equal(stranger(1), 0);
  assert_int_equal(stranger(3), 0);
  assert_int_equal(block_at(one)->refs, 1);
  object_drop(hold[0]);
}

static void name_run(void *arg) {
  *(uint64_t *)arg = family_id();
  must(family_lives(family_id()));
}

static void pause_run(void *arg) {
  name_run(arg);
  for (;;) pause();
}

/* A name is of one process only, also when its slot comes again, and lives as long as that. */
static void names_live_and_die(void **state) {
  (void)state;
  uint64_t *name = spec_page(4096), first;
  assert_int_equal(family_lives(family_id()), 1);
  struct member m = member_start(pause_run, name);
  while (!*(volatile uint64_t *)name) sched_yield();
  first = *name;
  assert_int_equal(family_lives(first), 1);
  assert_int_equal(proc_signal(&m.proc, SIGKILL), 0);
  assert_int_equal(proc_wait(&m.proc, CLOCK_NEVER), 1);
  assert_int_equal(family_lives(first), 0); /* dead, and not reaped yet */
  member_end(&m);
  in_member(name_run, name);
  assert_int_not_equal(*name, first);
  assert_int_equal(*name & UINT16_MAX, first & UINT16_MAX);
  assert_int_equal(family_lives(first), 0);
  assert_int_not_equal(family_id(), first);
  munmap(name, 4096);
}

static int rings_within(int epoll, int ms) {
  struct epoll_event event;
  return epoll_wait(epoll, &event, 1, ms);
}

static int has_rung(int epoll) {
  return rings_within(epoll, 0);
}

/* Event loops learn of all that come; who dies is known by the number in its slot. */
static void arrivals_are_counted_and_rung_for(void **state) {
  (void)state;
  uint64_t *name = spec_page(4096), gen, again;
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, region_bell, &event), 0);
  has_rung(epoll);
  uint32_t before = family_arrivals();
  in_member(name_run, name);
  assert_int_equal(has_rung(epoll), 0); /* nobody has asked */
  assert_int_equal(family_arrivals(), before + 1);
  family_observe(1);
  struct member m = member_start(pause_run, name);
  while (family_arrivals() == before + 1) sched_yield();
  assert_int_equal(family_pid(m.slot, &gen), m.proc.pid);
  assert_true(m.slot < family_high());
  assert_int_equal(rings_within(epoll, 5000), 1); /* it rings after it is counted */
  family_note_pid(m.slot, m.proc.pid);            /* as its parent says, too */
  assert_int_equal(family_pid(m.slot, &gen), m.proc.pid);
  assert_int_equal(has_rung(epoll), 1);
  family_observe(-1);
  assert_int_equal(proc_signal(&m.proc, SIGKILL), 0);
  member_end(&m);
  assert_int_equal(family_pid(m.slot, &again), 0);
  assert_int_not_equal(again, gen);
  family_note_pid(m.slot, 0);
  assert_int_equal(has_rung(epoll), 0);
  close(epoll);
  munmap(name, 4096);
}

/* ---- load ---- */

static void brood_run(void *arg) {
  int depth = *(int *)arg - 1;
  if (depth == 0) return;
  struct member a = member_start(brood_run, &depth), b = member_start(brood_run, &depth);
  must(member_end(&a) == 0);
  must(member_end(&b) == 0);
}

static void a_tree_of_processes(void **state) {
  (void)state;
  int depth = 5;
  uint64_t one = object_new(10, BLOCK_VALUE, family_ledger(), &hold[0]);
  in_member(brood_run, &depth);
  assert_int_equal(block_at(one)->refs, 1);
  object_drop(hold[0]);
}

static void breed_run(void *arg) {
  (void)arg;
  int depth = 2;
  for (;;) in_member(brood_run, &depth);
}

static void parents_are_killed(void **state) {
  (void)state;
  uint64_t one = object_new(10, BLOCK_VALUE, family_ledger(), &hold[0]);
  for (int i = 0; i < 60; i++) {
    struct member m = member_start(breed_run, NULL);
    for (int k = 0; k < i * 20; k++) sched_yield();
    member_kill(&m);
    while (count_members() > 1) family_scan();
  }
  assert_int_equal(block_at(one)->refs, 1);
  object_drop(hold[0]);
}

int main(void) {
  const struct CMUnitTest cases[] = {
      spec_case(no_memory_for_holds),
      spec_case(a_life),
      spec_case(slots_come_again),
      spec_case(as_many_as_there_are),
      spec_case(children_have_copies_of_holds),
      spec_case(the_outbox_comes_to_the_parent),
      spec_case(the_end_is_known),
      spec_case(late_comer_leaves),
      spec_case(orphans_are_found),
      spec_case(a_tree_of_processes),
      spec_case(parents_are_killed),
      spec_case(strangers_stay_out),
      spec_case(names_live_and_die),
      spec_case(arrivals_are_counted_and_rung_for),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
