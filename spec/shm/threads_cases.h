/* What the crew of threads.h does: every operation of shm, many at a time. */
#ifndef SPEC_SHM_THREADS_CASES_H
#define SPEC_SHM_THREADS_CASES_H

#include "threads.h"

/* The least pseudo random number: each thread has its own. */
static uint32_t draw(uint32_t *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return *seed >> 8;
}

/* ---- queue ---- */

#define MESSAGES (1504 * rounds) /* of each producer; more than fill the first ring */
#define MOST_MESSAGES 400000
#define PRODUCERS (CREW / 2)

static uint64_t q, thing;
static _Atomic int producing;
static _Atomic uint8_t seen[PRODUCERS][MOST_MESSAGES];
static int most_bytes, every_block, redeliver, batch;

static void send(int who, int i) {
  static _Thread_local char bytes[QUEUE_INLINE];
  uint64_t number = (uint64_t)who << 32 | (uint32_t)i;
  size_t size = 8 + (size_t)(i * 37 + who) % (size_t)(most_bytes - 7);
  if (batch) {
    static _Thread_local char many[8 * 8];
    uint32_t sizes[8];
    size_t done;
    for (int k = 0; k < 8; k++) {
      number = (uint64_t)who << 32 | (uint32_t)(i * 8 + k);
      message_fill(many + 8 * k, sizes[k] = 8, number);
    }
    sure(queue_put_many(q, many, sizes, 8, &done, CLOCK_NEVER) == 0 && done == 8);
    return;
  }
  if (every_block == 0 || i % every_block) {
    message_fill(bytes, size, number);
    sure(queue_put(q, bytes, size, CLOCK_NEVER) == 0);
    return;
  }
  uint64_t block = heap_alloc(size, BLOCK_DATA, family_ledger());
  sure(block);
  block_at(block)->note = size;
  message_fill(heap_payload(block), size, number);
  sure(object_hold(thing, &block_at(block)->owned));
  sure(queue_put_block(q, block, CLOCK_NEVER) == 0);
}

static void see(const char *bytes, size_t size, int64_t *last) {
  sure(message_whole(bytes, size));
  uint64_t number = message_number(bytes, size);
  int who = (int)(number >> 32), i = (int)(uint32_t)number;
  sure(who < PRODUCERS && i > last[who]);
  last[who] = i;
  atomic_fetch_add_explicit(&seen[who][i], 1, memory_order_relaxed);
}

static int receive_many(struct buffer *into, int64_t *last) {
  uint64_t block;
  int n = queue_get_many(q, into, 5, &block, CLOCK_NEVER);
  if (n == -EPIPE) return 0;
  sure(n > 0 && !block);
  const struct record *record = (const struct record *)into->data;
  for (int i = 0; i < n; i++, record = record_next(record))
    see((const char *)(record + 1), record->size, last);
  return n;
}

/* One message; 0: closed and empty. */
static int receive(struct buffer *into, int64_t *last) {
  uint64_t block;
  int rc = queue_get(q, into, &block, CLOCK_NEVER);
  if (rc == -EPIPE) return 0;
  sure(rc == 0);
  const char *bytes = block ? heap_payload(block) : into->data;
  size_t size = block ? block_at(block)->note : into->size;
  see(bytes, size, last);
  if (block && !redeliver) object_drop(block);
  return 1;
}

/* The first half produces, the rest consumes; the last producer closes. */
static void pass_messages(int who) {
  if (who < PRODUCERS) {
    for (int i = 0; i < (batch ? MESSAGES / 8 : MESSAGES); i++) send(who, i);
    if (atomic_fetch_sub(&producing, 1) == 1) queue_close(q);
    return;
  }
  struct buffer into = {0};
  int64_t last[PRODUCERS] = {-1, -1, -1};
  for (int n; (n = batch ? receive_many(&into, last) : receive(&into, last));) {
    while (n--) sure(queue_task_done(q) == 0);
    sure(queue_length(q) <= (uint64_t)MESSAGES * PRODUCERS);
  }
  sure(queue_wait_done(q, CLOCK_NEVER) == 0);
  free(into.data);
}

static void run_queue(uint64_t capacity, int most, int blocks) {
  uint64_t hold, thing_hold;
  assert_true(MESSAGES <= MOST_MESSAGES);
  q = queue_new(capacity, redeliver, family_ledger(), &hold);
  thing = object_new(10, BLOCK_VALUE, family_ledger(), &thing_hold);
  assert_true(q && thing);
  most_bytes = most;
  every_block = blocks;
  producing = PRODUCERS;
  memset((void *)seen, 0, sizeof seen);
  crew_do(pass_messages);
  for (int who = 0; who < PRODUCERS; who++)
    for (int i = 0; i < MESSAGES; i++) assert_int_equal(seen[who][i], 1);
  assert_int_equal(queue_length(q), 0);
  object_drop(hold);
  object_drop(thing_hold);
}

static void a_queue_that_grows(void **state) {
  (void)state;
  run_queue(0, 200, 0);
}

static void a_narrow_queue(void **state) {
  (void)state;
  run_queue(3, 60, 0);
}

static void blocks_in_a_queue(void **state) {
  (void)state;
  run_queue(50, 2000, 3);
}

static void batches(void **state) {
  (void)state;
  batch = 1;
  run_queue(20, 8, 0);
  batch = 0;
}

static void a_queue_that_redelivers(void **state) {
  (void)state;
  redeliver = 1;
  run_queue(50, 200, 1);
  redeliver = 0;
}

/* ---- locks ---- */

static robust *lock;
static uint64_t *counter;

static void count_under_lock(int who) {
  uint32_t seed = (uint32_t)who;
  for (int i = 0; i < 4000 * rounds; i++) {
    robust *mine = region_at(region_offset(lock)); /* as this thread sees it */
    uint64_t *mine_too = region_at(region_offset(counter));
    int rc = draw(&seed) % 4 ? robust_lock_until(mine, CLOCK_NEVER) : robust_trylock(mine);
    if (rc == -EBUSY) rc = robust_lock_until(mine, clock_now() + 60000 * SPEC_MS);
    sure(rc == ROBUST_OK);
    ++*mine_too;
    robust_unlock(mine);
  }
}

static void a_lock(void **state) {
  (void)state;
  uint64_t block = heap_alloc(256, BLOCK_DATA, family_ledger());
  lock = heap_payload(block);
  counter = (uint64_t *)(lock + 1);
  robust_init(lock);
  *counter = 0;
  crew_do(count_under_lock);
  assert_int_equal(*counter, 4000 * rounds * CREW);
  object_drop(block);
}

/* ---- cells ---- */

static uint64_t cell;

static int step_plus(uint32_t type, uint64_t before, uint64_t x, uint64_t *after) {
  (void)type;
  *after = before + x;
  return 0;
}

static void work_on_cell(int who) {
  struct cell *c = heap_payload(cell);
  for (int i = 0; i < 3000 * rounds; i++) {
    uint64_t before;
    sure(cell_apply(c, step_plus, 1, &before) == 0);
    if (i % 50 == who) sure(cell_wait(c, before, CLOCK_NEVER) == 0);
    if (i % 100 == 0) cell_notify(c);
    if (i % 3) continue;
    do before = cell_load(c);
    while (!cell_replace(c, before, before + 1));
  }
}

static void a_cell(void **state) {
  (void)state;
  uint64_t hold;
  cell = cell_new('j', 0, family_ledger(), &hold);
  crew_do(work_on_cell);
  assert_int_equal(cell_load(heap_payload(cell)), 4000 * rounds * CREW);
  object_drop(hold);
}

/* ---- dict ---- */

#define KEYS 40

static uint64_t dict;

/* Counts on keys of all, and sets, deletes and looks at others; tables grow meanwhile. */
static void work_on_dict(int who) {
  static _Thread_local char room[DICT_COPY];
  static const char text[300] = "any bytes";
  uint32_t seed = (uint32_t)who;
  struct buffer snapshot = {0};
  for (int i = 0; i < 500 * rounds; i++) {
    struct dict_value one = {.kind = DICT_NUMBER, .word = 1}, before;
    struct dict_key key = {.kind = DICT_INTEGER, .word = (uint64_t)i % KEYS};
    sure(dict_add(dict, &key, &one, &before) == 0);
    key.word = 1000 + draw(&seed) % 300;
    struct dict_value bytes = {
        .kind = DICT_BYTES, .bytes = text, .size = draw(&seed) % sizeof text};
    if (draw(&seed) % 3 == 0) bytes.kind = DICT_NOTHING;
    sure(dict_put(dict, &key, &bytes, NULL) >= 0);
    if (dict_get(dict, &key, &before, room, NULL)) sure(memcmp(room, text, before.size) == 0);
    if (i % 50 == 0) sure(dict_snapshot(dict, &snapshot, 0) == 0 && dict_length(dict) >= 1);
  }
  free(snapshot.data);
}

static void a_dict(void **state) {
  (void)state;
  uint64_t hold, sum = 0;
  char room[DICT_COPY];
  dict = dict_new(family_ledger(), &hold);
  assert_true(dict);
  crew_do(work_on_dict);
  for (uint64_t i = 0; i < KEYS; i++) {
    struct dict_value value;
    assert_int_equal(
        dict_get(dict, &(struct dict_key){.kind = DICT_INTEGER, .word = i}, &value, room, NULL), 1);
    sum += value.word;
  }
  assert_int_equal(sum, 500 * rounds * CREW);
  object_drop(hold);
}

/* ---- heap and objects ---- */

static void alloc_and_drop(int who) {
  enum { KEEP = 8 };
  uint64_t kept[KEEP] = {0};
  uint32_t seed = (uint32_t)who;
  for (int i = 0; i < 500 * rounds; i++) {
    int at = (int)(draw(&seed) % KEEP);
    if (kept[at]) {
      sure(*(uint64_t *)heap_payload(kept[at]) == kept[at] + (uint64_t)who);
      object_drop(kept[at]);
    }
    size_t size = 8 + draw(&seed) % (i % 100 == 0 ? (size_t)3 << 20 : 5000);
    sure(kept[at] = heap_alloc(size, BLOCK_DATA, family_ledger()));
    sure(heap_room(kept[at]) >= size);
    *(uint64_t *)heap_payload(kept[at]) = kept[at] + (uint64_t)who;
    if (i % 100 == 1) (void)heap_used();
  }
  for (int at = 0; at < KEEP; at++)
    if (kept[at]) object_drop(kept[at]);
}

static void the_heap(void **state) {
  (void)state;
  crew_do(alloc_and_drop);
}

/* Holds on one object of all, each in turn also handed on inside of a block of its own. */
static void hold_and_drop(int who) {
  uint64_t hold[4];
  (void)who;
  for (int i = 0; i < 300 * rounds; i++) {
    for (int k = 0; k < 4; k++) sure(hold[k] = object_hold(thing, family_ledger()));
    uint64_t block = heap_alloc(100, BLOCK_DATA, family_ledger());
    sure(block);
    object_move(hold[0], &block_at(block)->owned);
    sure(object_hold(thing, &block_at(block)->owned));
    object_drop(block);
    for (int k = 1; k < 4; k++) object_drop(hold[k]);
    uint64_t own_hold, own = object_new(50, BLOCK_VALUE, family_ledger(), &own_hold);
    sure(own);
    object_drop(own_hold);
  }
}

static void an_object(void **state) {
  (void)state;
  uint64_t hold;
  thing = object_new(10, BLOCK_VALUE, family_ledger(), &hold);
  crew_do(hold_and_drop);
  assert_int_equal(block_at(thing)->refs, 1);
  object_drop(hold);
}

/* ---- slots ---- */

/* Slots are claimed with copies of holds and given up, while others look for orphans. */
static void claim_and_reap(int who) {
  uint64_t hold, own = object_new(50, BLOCK_VALUE, family_ledger(), &hold);
  sure(own);
  for (int i = 0; i < 200 * rounds; i++) {
    if (who % 3 == 0) {
      family_bury();
      (void)family_scan(); /* what a live member has claimed is no orphan */
      continue;
    }
    int index = family_claim();
    sure(index > 0);
    sure(family_reap(index) == 0);
  }
  sure(block_at(own)->refs == 1);
  object_drop(hold);
}

static void slots_come_and_go(void **state) {
  (void)state;
  crew_do(claim_and_reap);
}

/* ---- pools ---- */

#define CHUNKS 200
#define JOBS (5 * rounds)

static uint64_t pool_at;
static uint64_t totals[CREW];

static void work_for_pool(int who) {
  struct pool *pool = heap_payload(pool_at);
  uint64_t cursor = 0;
  for (int closed = 0; !closed;) {
    uint64_t offset = pool_enter(pool, &cursor, &closed, clock_now() + CLOCK_SLICE);
    if (!offset) continue;
    struct job *job = heap_payload(offset);
    for (int64_t i; (i = job_claim(job)) >= 0;) {
      uint64_t *result = heap_payload(job->chunk[i].output);
      *result = job->chunk[i].first * 2;
      totals[who] += job->chunk[i].first;
      atomic_store_explicit(&job->chunk[i].done_items, 1, memory_order_release);
      job_finish(pool, job, (uint32_t)i, CHUNK_DONE);
    }
    pool_leave(pool);
  }
}

static void run_job(struct pool *pool) {
  uint64_t block = job_new(CHUNKS, family_ledger());
  sure(block);
  struct job *job = heap_payload(block);
  for (uint32_t i = 0; i < CHUNKS; i++) {
    job->chunk[i].first = i;
    uint64_t output = heap_alloc(8, BLOCK_DATA, &block_at(block)->owned);
    sure(output);
    atomic_store(&job->chunk[i].output, output);
  }
  sure(pool_post(pool, block) == 0);
  for (uint32_t i = 0; i < CHUNKS; i++) {
    sure(job_wait(job, i, crew_slot + 1, CREW - 1, CLOCK_NEVER) == 1);
    sure(*(uint64_t *)heap_payload(job->chunk[i].output) == 2 * i);
  }
  pool_withdraw(pool, block);
}

/* The first of the crew is the parent. */
static void pool_roles(int who) {
  if (who > 0) {
    work_for_pool(who);
    return;
  }
  struct pool *pool = heap_payload(pool_at);
  for (int i = 1; i < CREW; i++) pool_enlist(pool, (uint32_t)i - 1, crew_slot[i]);
  for (int i = 0; i < JOBS; i++) run_job(pool);
  pool_close(pool);
}

static void a_pool(void **state) {
  (void)state;
  uint64_t hold, sum = 0;
  pool_at = pool_new(CREW, family_ledger(), &hold);
  assert_true(pool_at);
  memset(totals, 0, sizeof totals);
  crew_do(pool_roles);
  for (int i = 0; i < CREW; i++) sum += totals[i];
  assert_int_equal(sum, (uint64_t)JOBS * CHUNKS * (CHUNKS - 1) / 2);
  object_drop(hold);
}

/* The deadline grows with the rounds. */
static int begin_on(void **state, int mappings) {
  two_mappings = mappings;
  int rc = case_begin(state);
  alarm(SPEC_SECONDS * spec_slower() * (1 + (unsigned)rounds / 3));
  return rc;
}

static int one_begin(void **state) {
  return begin_on(state, 0);
}

static int two_begin(void **state) {
  return begin_on(state, 1);
}

#define ON_BOTH(name)                                                                              \
  {#name ", one mapping", name, one_begin, case_end, NULL}, {                                      \
#name ", two mappings", name, two_begin, case_end, NULL                                        \
  }

#define THREAD_CASES                                                                               \
  ON_BOTH(a_queue_that_grows), ON_BOTH(a_narrow_queue), ON_BOTH(blocks_in_a_queue),                \
      ON_BOTH(batches), ON_BOTH(a_queue_that_redelivers), ON_BOTH(a_lock), ON_BOTH(a_cell),        \
      ON_BOTH(a_dict), ON_BOTH(the_heap), ON_BOTH(an_object), ON_BOTH(slots_come_and_go),          \
      ON_BOTH(a_pool)

#endif
