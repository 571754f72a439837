/* Cells: each operation is one step, and sleepers hear of changes. */
#include "support.h"

#include <math.h>

#include "shm/cell.h"

static uint64_t offset, hold;
static struct cell *cell;

static int cell_begin(void **state) {
  case_begin(state);
  offset = cell_new('j', 5, family_ledger(), &hold);
  assert_true(offset);
  cell = heap_payload(offset);
  return 0;
}

static int cell_done(void **state) {
  object_drop(hold);
  return case_end(state);
}

/* Adds; no value above 1000000 can be. */
static int add(uint32_t type, uint64_t before, uint64_t x, uint64_t *after) {
  if (type != 'j' || before + x > 1000000) return -ERANGE;
  *after = before + x;
  return 0;
}

static void reads_and_writes(void **state) {
  (void)state;
  assert_int_equal(cell_load(cell), 5);
  assert_int_equal(cell->type, 'j');
  cell_store(cell, 7);
  assert_int_equal(cell_swap(cell, UINT64_MAX), 7);
  assert_int_equal(cell_load(cell), UINT64_MAX);
  assert_int_equal(cell_replace(cell, 7, 8), 0);
  assert_int_equal(cell_load(cell), UINT64_MAX);
  assert_int_equal(cell_replace(cell, UINT64_MAX, 8), 1);
  assert_int_equal(cell_load(cell), 8);
}

static void compares_as_lua_does(void **state) {
  (void)state;
  assert_int_equal(cell_cas(cell, 4, 6), 0);
  assert_int_equal(cell_cas(cell, 5, 6), 1);
  assert_int_equal(cell_load(cell), 6);
  uint64_t other;
  struct cell *d = heap_payload(cell_new('d', number_bits(-0.0), family_ledger(), &other));
  uint64_t nan = number_bits(NAN), zero = number_bits(0.0), minus_zero = number_bits(-0.0);
  assert_int_equal(cell_wait(d, zero, 0), -ETIMEDOUT);
  assert_int_equal(cell_cas(d, zero, zero), 1);
  assert_int_equal(cell_wait(d, minus_zero, 0), -ETIMEDOUT);
  assert_int_equal(cell_load(d), zero);
  assert_int_equal(cell_cas(d, minus_zero, nan), 1);
  assert_int_equal(cell_cas(d, nan, zero), 0);
  assert_int_equal(cell_load(d), nan);
  assert_int_equal(cell_wait(d, nan, 0), 0);
  assert_int_equal(cell_replace(d, nan, zero), 1);
  object_drop(other);
}

static void applies_steps(void **state) {
  (void)state;
  uint64_t before = 99;
  assert_int_equal(cell_apply(cell, add, 10, &before), 0);
  assert_int_equal(before, 5);
  assert_int_equal(cell_load(cell), 15);
  assert_int_equal(cell_apply(cell, add, 1000000, &before), -ERANGE);
  assert_int_equal(cell_load(cell), 15);
}

static void adds_and_wraps(void **state) {
  (void)state;
  assert_int_equal(cell_add(cell, 10), 5);
  assert_int_equal(cell_add(cell, (uint64_t)-16), 15);
  assert_true(cell_load(cell) == (uint64_t)-1);
  assert_true(cell_add(cell, 1) == (uint64_t)-1);
  assert_int_equal(cell_load(cell), 0);
}

#define TIMES 100000

static void add_run(void *arg) {
  (void)arg;
  uint64_t before;
  for (int i = 0; i < TIMES; i += 2) {
    must(cell_apply(cell, add, 1, &before) == 0);
    cell_add(cell, 1);
  }
}

static void nothing_is_lost(void **state) {
  (void)state;
  struct member m[4];
  for (int i = 0; i < 4; i++) m[i] = member_start(add_run, NULL);
  for (int i = 0; i < 4; i++) assert_int_equal(member_end(&m[i]), 0);
  assert_int_equal(cell_load(cell), 5 + 4 * TIMES);
}

/* Each takes a number that nobody else took. */
static void take_run(void *arg) {
  _Atomic uint32_t *taken = arg;
  for (int i = 0; i < TIMES / 10; i++) {
    uint64_t old;
    do old = cell_load(cell);
    while (!cell_replace(cell, old, old + 1));
    atomic_fetch_add(&taken[old - 5], 1);
  }
}

static void one_replaces(void **state) {
  (void)state;
  _Atomic uint32_t *taken = spec_page(4 * TIMES / 10 * sizeof *taken);
  struct member m[4];
  for (int i = 0; i < 4; i++) m[i] = member_start(take_run, (void *)taken);
  for (int i = 0; i < 4; i++) assert_int_equal(member_end(&m[i]), 0);
  for (int i = 0; i < 4 * TIMES / 10; i++) assert_int_equal(taken[i], 1);
  munmap((void *)taken, 4 * TIMES / 10 * sizeof *taken);
}

/* Zeros of both signs come and go: a cas that is not done has found something else. */
static void zeros_run(void *arg) {
  uint64_t zero = number_bits(*(double *)arg);
  for (int i = 0; i < TIMES; i++) must(cell_cas(cell, zero, number_bits(-number_float(zero))) == 1);
}

static void a_zero_is_never_missed(void **state) {
  (void)state;
  uint64_t other;
  struct cell *before = cell;
  double plus = 0.0, minus = -0.0;
  cell = heap_payload(cell_new('d', number_bits(plus), family_ledger(), &other));
  struct member a = member_start(zeros_run, &plus), b = member_start(zeros_run, &minus);
  assert_int_equal(member_end(&a), 0);
  assert_int_equal(member_end(&b), 0);
  cell = before;
  object_drop(other);
}

static void waits_until_it_differs(void **state) {
  (void)state;
  assert_int_equal(cell_wait(cell, 4, 0), 0);
  assert_int_equal(cell_wait(cell, 5, 0), -ETIMEDOUT);
  int64_t until = clock_now() + 70 * SPEC_MS;
  assert_int_equal(cell_wait(cell, 5, until), -ETIMEDOUT);
  assert_in_range(clock_now(), until, until + 1000 * SPEC_MS);
}

static void wait_run(void *arg) {
  must(cell_wait(cell, 5, CLOCK_NEVER) == *(int *)arg);
}

static struct member sleeper(int *result) {
  struct member m = member_start(wait_run, result);
  wait_asleep(&m);
  return m;
}

static void every_write_wakes_all(void **state) {
  (void)state;
  int ok = 0;
  uint64_t before;
  for (int i = 0; i < 4; i++) {
    cell_store(cell, 5);
    struct member a = sleeper(&ok), b = sleeper(&ok);
    if (i == 0) cell_store(cell, 6);
    if (i == 1) cell_swap(cell, 6);
    if (i == 2) cell_replace(cell, 5, 6);
    if (i == 3) cell_apply(cell, add, 1, &before);
    assert_int_equal(proc_wait(&a.proc, spec_in(1000)), 1);
    assert_int_equal(proc_wait(&b.proc, spec_in(1000)), 1);
    assert_int_equal(member_end(&a), 0);
    assert_int_equal(member_end(&b), 0);
  }
}

/* A notification alone makes them look, and sleep again. */
static void notified_for_nothing(void **state) {
  (void)state;
  int ok = 0;
  struct member m = sleeper(&ok);
  for (int i = 0; i < 100; i++) cell_notify(cell);
  cell_store(cell, 5);
  assert_int_equal(proc_wait(&m.proc, clock_now() + 5 * SPEC_MS), 0);
  cell_store(cell, 6);
  assert_int_equal(member_end(&m), 0);
}

/* Two members hand a number to and fro; without wakes each turn would cost a slice of 50 ms. */
static void partner_run(void *arg) {
  (void)arg;
  for (uint64_t i = 100; i < 1100; i += 2) {
    while (cell_load(cell) != i) cell_wait(cell, i - 1, CLOCK_NEVER);
    cell_store(cell, i + 1);
  }
}

static void hand_over(void **state) {
  (void)state;
  cell_store(cell, 99);
  struct member m = member_start(partner_run, NULL);
  int64_t since = clock_now();
  for (uint64_t i = 100; i < 1100; i += 2) {
    cell_store(cell, i);
    while (cell_load(cell) == i) assert_int_equal(cell_wait(cell, i, CLOCK_NEVER), 0);
  }
  assert_true(clock_now() - since < 2000 * SPEC_MS * spec_slower());
  assert_int_equal(member_end(&m), 0);
}

static void interrupted_run(void *arg) {
  handle(SIGUSR1);
  wait_run(arg);
}

static void a_signal_ends_the_wait(void **state) {
  (void)state;
  int interrupted = -EINTR;
  struct member m = member_start(interrupted_run, &interrupted);
  wait_asleep(&m);
  assert_int_equal(proc_signal(&m.proc, SIGUSR1), 0);
  assert_int_equal(member_end(&m), 0);
}

#define a_case(name) cmocka_unit_test_setup_teardown(name, cell_begin, cell_done)

int main(void) {
  const struct CMUnitTest cases[] = {
      a_case(reads_and_writes),       a_case(applies_steps),        a_case(adds_and_wraps),
      a_case(nothing_is_lost),        a_case(one_replaces),         a_case(waits_until_it_differs),
      a_case(every_write_wakes_all),  a_case(notified_for_nothing), a_case(hand_over),
      a_case(a_signal_ends_the_wait), a_case(compares_as_lua_does), a_case(a_zero_is_never_missed),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
