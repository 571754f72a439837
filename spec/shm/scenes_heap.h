/* The operations of heap, objects, cells and the family that members are killed in (stepkill.h). */
#ifndef SPEC_SHM_SCENES_HEAP_H
#define SPEC_SHM_SCENES_HEAP_H

#include "scenes.h"

/* ---- the journal ---- */

#define WORDS 10

static void words_begin(void) {
  thing = heap_alloc(WORDS * sizeof(uint64_t), BLOCK_DATA, family_ledger());
  assert_true(thing);
  memset(heap_payload(thing), 0, WORDS * sizeof(uint64_t));
}

static void words_act(void) {
  uint64_t *word = heap_payload(thing);
  journal_lock();
  for (int i = 0; i < WORDS; i++) journal_set(&word[i], journal_get(&word[i]) + 1);
  journal_commit();
  journal_unlock();
}

static uint64_t words_found; /* by the next transaction, in the first word; UINT64_MAX: torn */

static void words_early(void) {
  uint64_t *word = heap_payload(thing);
  journal_lock();
  words_found = journal_get(&word[0]);
  for (int i = 1; i < WORDS; i++)
    if (journal_get(&word[i]) != words_found) words_found = UINT64_MAX;
  journal_unlock();
}

static enum outcome words_verify(void) {
  assert_in_range(words_found, 0, 1);
  object_drop(thing);
  return words_found ? DONE : NOT_DONE;
}

/* ---- heap, objects, cells, family ---- */

static void alloc_act(void) {
  mine = heap_alloc(5000, BLOCK_DATA, family_ledger());
  must(mine);
}

static enum outcome alloc_verify(void) {
  uint64_t a = heap_alloc(5000, BLOCK_DATA, family_ledger());
  uint64_t b = heap_alloc(5000, BLOCK_DATA, family_ledger());
  assert_true(a && b && a != b);
  memset(heap_payload(a), 1, heap_room(a));
  memset(heap_payload(b), 2, heap_room(b));
  object_drop(a);
  object_drop(b);
  return EITHER;
}

/* Keeps blocks until the free list of their class is empty: the victim's comes from the top, and
   being as large as what is committed at a time (heap.c) it has to be committed. */
static void hoard(void) {
  static uint64_t newest;
  uint64_t block;
  do assert_true(block = heap_alloc((256 << 10) - HEAP_HEADER, BLOCK_DATA, family_ledger()));
  while (block < newest);
  newest = block;
  spec_base = heap_used();
}

static void alloc_fresh_act(void) {
  must(heap_alloc((256 << 10) - HEAP_HEADER, BLOCK_DATA, family_ledger()));
}

/* Free blocks with pages, and a request that no memory is enough for. */
static void free_some(void) {
  uint64_t block[3];
  for (int i = 0; i < 3; i++) {
    assert_true(block[i] = heap_alloc(10000, BLOCK_DATA, family_ledger()));
    memset(heap_payload(block[i]), i, 10000);
  }
  for (int i = 0; i < 3; i++) object_drop(block[i]);
  spec_base = heap_used();
}

static void reclaim_act(void) {
  must(heap_alloc(region.size, BLOCK_DATA, family_ledger()) == 0);
}

static enum outcome reclaim_verify(void) {
  free_some();
  return EITHER;
}

/* An object with two blocks and a hold on a queue of its own: a member's is the last hold on it. */
static void lone_thing(void) {
  new_thing();
  new_queue();
  struct link *owned = &block_at(thing)->owned;
  assert_true(heap_alloc(300, BLOCK_DATA, owned) && heap_alloc(70, BLOCK_DATA, owned));
  assert_true(object_hold(q, owned));
}

static void drop_arm(void) {
  must(mine = family_inherited(thing_hold));
}

static void drop_act(void) {
  object_drop(mine);
}

static enum outcome drop_verify(void) {
  assert_int_equal(block_at(thing)->refs, 1);
  object_drop(thing_hold);
  drop_queue();
  return EITHER;
}

/* The victim's hold is the last: what the object owns goes with it, also the last hold on a queue.
 */
static void drop_last_arm(void) {
  must(thing = object_new(100, BLOCK_VALUE, family_ledger(), &mine));
  must(heap_alloc(300, BLOCK_DATA, &block_at(thing)->owned));
  must(q = queue_new(0, 0, family_ledger(), &q_hold));
  must(object_hold(q, &block_at(thing)->owned));
  object_drop(q_hold);
}

/* The victim has a message that brings a hold. */
static void message_arm(void) {
  must(mine = heap_alloc(SMALL, BLOCK_DATA, family_ledger()));
  must(object_hold(thing, &block_at(mine)->owned));
}

static void take_hold_act(void) {
  must(object_take_hold(mine, thing, 1, family_ledger()));
}

static enum outcome take_hold_verify(void) {
  assert_int_equal(block_at(thing)->refs, 1);
  object_drop(thing_hold);
  return EITHER;
}

static void new_act(void) {
  must(object_new(200, BLOCK_VALUE, family_ledger(), &mine));
}

static int add(uint32_t type, uint64_t before, uint64_t x, uint64_t *after) {
  (void)type;
  *after = before + x;
  return 0;
}

static void new_cell(void) {
  thing = cell_new('j', 5, family_ledger(), &thing_hold);
  assert_true(thing);
}

static void apply_act(void) {
  uint64_t before;
  must(cell_apply(heap_payload(thing), add, 10, &before) == 0);
}

static void add_act(void) {
  cell_add(heap_payload(thing), 10);
}

static void cas_act(void) {
  must(cell_cas(heap_payload(thing), 5, 15));
}

static enum outcome apply_verify(void) {
  uint64_t before;
  assert_int_equal(cell_apply(heap_payload(thing), add, 1, &before), 0);
  assert_true(before == 5 || before == 15);
  assert_int_equal(cell_load(heap_payload(thing)), before + 1);
  object_drop(thing_hold);
  return before == 15 ? DONE : NOT_DONE;
}

static void cell_waiter_run(void *arg) {
  (void)arg;
  must(cell_wait(heap_payload(thing), 5, CLOCK_NEVER) == 0);
}

static void sleeping_on_cell(void) {
  new_cell();
  helper = member_start(cell_waiter_run, NULL);
  wait_asleep(&helper);
}

static enum outcome cell_woken_verify(void) {
  int done = cell_load(heap_payload(thing)) == 15;
  if (!done) cell_store(heap_payload(thing), 6);
  assert_int_equal(proc_wait(&helper.proc, spec_in(STEP_HANG)), 1);
  assert_int_equal(member_end(&helper), 0);
  object_drop(thing_hold);
  return done ? DONE : NOT_DONE;
}

static void claim_act(void) {
  must(family_claim() > 0);
}

static enum outcome claim_verify(void) {
  assert_int_equal(count_members(), spec_members); /* the slot that its dead claimer left is free */
  int slot = family_claim();
  assert_true(slot > 0);
  family_reap(slot);
  object_drop(thing_hold);
  drop_queue();
  return EITHER;
}

/* The victim has a child that left something, and reaps it. */
static struct member grandchild;

static void leaver_run(void *arg) {
  (void)arg;
  uint64_t block = heap_alloc(100, BLOCK_DATA, family_ledger());
  must(block && heap_alloc(300, BLOCK_DATA, family_ledger()));
  object_move(block, &family_slot(family_index())->outbox);
}

static void reap_arm(void) {
  grandchild = member_start(leaver_run, NULL);
  must(proc_wait(&grandchild.proc, CLOCK_NEVER) == 1);
}

static void reap_act(void) {
  must(family_reap(grandchild.slot));
}

static enum outcome reap_verify(void) {
  assert_int_equal(count_members(), spec_members);
  return EITHER;
}

/* The victim finds the slot that its dead child had claimed for a child of its own. */
static void claimer_run(void *arg) {
  (void)arg;
  must(family_claim() > 0);
}

static void scan_arm(void) {
  new_thing();
  in_member(claimer_run, NULL);
}

static void scan_act(void) {
  must(family_scan() == 1);
}

/* ---- memory that goes back to the system ---- */

#define LARGE ((size_t)2 << 20)

/* No large free block keeps its pages from now on. */
static void fill_warm(void) {
  static int filled;
  if (filled++) return;
  uint64_t block = heap_alloc(HEAP_WARM - HEAP_HEADER, BLOCK_DATA, family_ledger());
  assert_true(block);
  object_drop(block);
}

static void large_arm(void) {
  must(mine = heap_alloc(LARGE, BLOCK_DATA, family_ledger()));
}

static void large_act(void) {
  must(heap_alloc(LARGE, BLOCK_DATA, family_ledger()));
}

static enum outcome large_verify(void) {
  uint64_t block = heap_alloc(LARGE, BLOCK_DATA, family_ledger());
  assert_true(block);
  memset(heap_payload(block), 1, heap_room(block));
  object_drop(block);
  return EITHER;
}

/* ---- the tables ---- */

static const struct scene heap_scenes[] = {
    {"journal_commit", .prepare = words_begin, .act = words_act, .early = words_early,
     .verify = words_verify},
    {"heap_alloc", .act = alloc_act, .verify = alloc_verify},
    {"heap_alloc of fresh memory", .prepare = hoard, .act = alloc_fresh_act, .every = 7},
    {"heap_alloc without memory", .prepare = free_some, .act = reclaim_act,
     .verify = reclaim_verify},
    {"object_new", .act = new_act},
    {"object_take_hold", .prepare = new_thing, .arm = message_arm, .act = take_hold_act,
     .verify = take_hold_verify},
    {"object_drop", .prepare = lone_thing, .arm = drop_arm, .act = drop_act, .verify = drop_verify},
    {"object_drop of the last hold", .arm = drop_last_arm, .act = drop_act},
    {"cell_apply", .prepare = new_cell, .act = apply_act, .verify = apply_verify},
    {"cell_apply for a sleeper", .prepare = sleeping_on_cell, .act = apply_act,
     .verify = cell_woken_verify},
    {"cell_add for a sleeper", .prepare = sleeping_on_cell, .act = add_act,
     .verify = cell_woken_verify},
    {"cell_cas for a sleeper", .prepare = sleeping_on_cell, .act = cas_act,
     .verify = cell_woken_verify},
    {"family_claim", .prepare = lone_thing, .act = claim_act, .verify = claim_verify},
    {"family_reap", .arm = reap_arm, .act = reap_act, .verify = reap_verify, .every = 7},
    {"family_scan", .arm = scan_arm, .act = scan_act, .verify = reap_verify, .every = 7},
};

/* These take 256 MB of memory. */
static const struct scene large_scenes[] = {
    {"heap_alloc of memory given back", .prepare = fill_warm, .act = large_act,
     .verify = large_verify},
    {"object_drop that gives memory back", .prepare = fill_warm, .arm = large_arm, .act = drop_act,
     .verify = large_verify},
};

#endif
