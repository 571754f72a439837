/* Futexes: who sleeps, until when, and who is woken; also between processes. */
#include "support.h"

#include "os/futex.h"

static _Atomic uint32_t *word; /* shared */

static int words_begin(void **state) {
  if (!word) word = spec_page(4096);
  memset((void *)word, 0, 4096);
  return case_begin(state);
}

static void differs(void **state) {
  (void)state;
  word[0] = 5;
  assert_int_equal(futex_wait(&word[0], 4, CLOCK_NEVER), -EAGAIN);
  _Atomic uint32_t *words[] = {&word[0], &word[1]};
  assert_int_equal(futex_wait_many(words, (uint32_t[]){5, 1}, 2, CLOCK_NEVER), -EAGAIN);
  assert_int_equal(futex_wait_many(words, (uint32_t[]){4}, 1, CLOCK_NEVER), -EAGAIN);
}

static void deadline(void **state) {
  (void)state;
  _Atomic uint32_t *words[] = {&word[0], &word[1], &word[2]};
  uint32_t zeros[3] = {0};
  for (int n = 0; n <= 3; n++) {
    int64_t until = clock_now() + 20 * SPEC_MS;
    int rc = n ? futex_wait_many(words, zeros, n, until) : futex_wait(&word[0], 0, until);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_in_range(clock_now(), until, until + 1000 * SPEC_MS);
  }
  int64_t before = clock_now();
  assert_int_equal(futex_wait(&word[0], 0, 0), -ETIMEDOUT);
  assert_int_equal(futex_wait_many(words, zeros, 3, before - 1), -ETIMEDOUT);
  assert_true(clock_now() - before < 1000 * SPEC_MS);
}

static void nobody_to_wake(void **state) {
  (void)state;
  assert_int_equal(futex_wake(&word[0], INT32_MAX), 0);
}

/* Starts a child that sleeps on words first ... first + n - 1 and exits with 0 when woken. */
static pid_t sleeper(int first, int n) {
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid) {
    wait_pid_asleep(pid);
    return pid;
  }
  _Atomic uint32_t *words[FUTEX_MANY];
  uint32_t expected[FUTEX_MANY] = {0};
  handle(SIGUSR1);
  for (int i = 0; i < n; i++) words[i] = &word[first + i];
  int rc = n == 0 ? futex_wait(&word[first], 0, CLOCK_NEVER)
                  : futex_wait_many(words, expected, n, CLOCK_NEVER);
  _exit(-rc);
}

static int end_of(pid_t pid) {
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void wakes_so_many(void **state) {
  (void)state;
  pid_t pid[5];
  for (int i = 0; i < 5; i++) pid[i] = sleeper(0, 0);
  assert_int_equal(futex_wake(&word[1], INT32_MAX), 0); /* another word */
  assert_int_equal(futex_wake(&word[0], 2), 2);
  assert_int_equal(futex_wake(&word[0], INT32_MAX), 3);
  assert_int_equal(futex_wake(&word[0], INT32_MAX), 0);
  for (int i = 0; i < 5; i++) assert_int_equal(end_of(pid[i]), 0);
}

/* Any one of the words wakes, the first, the last, and with as many as there may be. */
static void any_of_many(void **state) {
  (void)state;
  static const int count[] = {1, 2, 3, 127, FUTEX_MANY};
  for (size_t i = 0; i < sizeof count / sizeof *count; i++) {
    for (int which = 0; which<count[i]; which += count[i]> 3 ? count[i] - 1 : 1) {
      pid_t pid = sleeper(0, count[i]);
      int64_t since = clock_now();
      while (futex_wake(&word[which], 1) == 0 && clock_now() - since < 10 * SPEC_MS) {
      }
      assert_int_equal(end_of(pid), 0);
      assert_true(clock_now() - since < 1000 * SPEC_MS * spec_slower());
    }
  }
}

static void a_handler_ends_it(void **state) {
  (void)state;
  for (int n = 0; n <= 2; n++) {
    pid_t pid = sleeper(0, n);
    assert_int_equal(kill(pid, SIGUSR1), 0);
    assert_int_equal(end_of(pid), EINTR);
  }
}

/* A change without a wake is seen at the next look, not before: hence the slices. */
static void a_change_needs_a_wake(void **state) {
  (void)state;
  pid_t pid = sleeper(0, 0);
  atomic_store(&word[0], 1);
  assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
  assert_int_equal(futex_wake(&word[0], 1), 1);
  assert_int_equal(end_of(pid), 0);
}

/* Two processes hand a number to and fro: no wake is lost. */
#define TURNS 5000

static void turns(uint32_t parity) {
  for (uint32_t i = 0; i < TURNS; i++) {
    for (uint32_t now; (now = atomic_load(&word[0])) % 2 != parity;)
      futex_wait(&word[0], now, CLOCK_NEVER);
    atomic_fetch_add(&word[0], 1);
    futex_wake(&word[0], 1);
  }
}

static void to_and_fro(void **state) {
  (void)state;
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    turns(1);
    _exit(0);
  }
  turns(0);
  assert_int_equal(end_of(pid), 0);
  assert_int_equal(word[0], 2 * TURNS);
}

static void spinning(void **state) {
  (void)state;
  assert_true(futex_spins() >= 0);
  assert_int_equal(futex_spins(), futex_spins());
  futex_pause();
}

#define a_case(name) cmocka_unit_test_setup_teardown(name, words_begin, case_end)

int main(void) {
  const struct CMUnitTest cases[] = {
      a_case(differs),
      a_case(deadline),
      a_case(nobody_to_wake),
      a_case(wakes_so_many),
      a_case(any_of_many),
      a_case(a_handler_ends_it),
      a_case(a_change_needs_a_wake),
      a_case(to_and_fro),
      a_case(spinning),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
