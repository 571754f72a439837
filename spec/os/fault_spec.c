/* What a process does that dies of a fault: it tells, and dies of it. A sanitizer has handlers of
   its own for all of the signals but SIGABRT. */
#include "support.h"

#include <sys/wait.h>

#include "os/fault.h"

#if defined(__SANITIZE_ADDRESS__)
static const int numbers[] = {SIGABRT};
#else
static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
#endif
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static struct told {
  int times, signal, frames, whole;
  pid_t sender;
  uint64_t address;
  char place[200];
} * told;
static int number;

static void tell(const struct fault *fault) {
  struct fault_text text = {.text = told->place, .room = sizeof told->place};
  told->times++;
  told->signal = fault->signal;
  told->frames = fault->frames;
  told->whole = fault->whole;
  told->sender = fault->sender;
  told->address = fault->address;
  fault_say_place(&text, fault->frame[fault->frames - 1]);
}

/* cmocka has its own handlers. */
static void watch(void (*how)(const struct fault *)) {
  for (int i = 0; i < NUMBERS; i++) signal(numbers[i], SIG_DFL);
  fault_prepare();
  fault_watch(how);
}

static void die_of_it(void) {
  watch(tell);
  raise(number);
}

static void tells_once_where_and_once_all_and_dies(void **state) {
  (void)state;
  for (int i = 0; i < NUMBERS; i++) {
    memset(told, 0, sizeof *told);
    number = numbers[i];
    assert_int_equal(in_child(die_of_it), -number);
    assert_int_equal(told->times, 2);
    assert_int_equal(told->signal, number);
    assert_int_equal(told->whole, 1);
    assert_true(told->frames > 3);
    assert_int_not_equal(told->sender, 0);
  }
}

static void use_nothing(void) {
  watch(tell);
  volatile uintptr_t address = 24;
  *(volatile int *)address = 1;
}

static void tells_the_address(void **state) {
  (void)state;
  if (NUMBERS == 1) skip();
  assert_int_equal(in_child(use_nothing), -SIGSEGV);
  assert_int_equal(told->address, 24);
  assert_int_equal(told->sender, 0);
}

static void tell_badly(const struct fault *fault) {
  tell(fault);
  raise(SIGFPE);
}

static void die_in_it(void) {
  watch(tell_badly);
  raise(SIGABRT);
}

static void is_ended_by_a_fault_in_the_telling(void **state) {
  (void)state;
  memset(told, 0, sizeof *told);
  if (NUMBERS == 1) skip(); /* the sanitizer's own report */
  assert_int_equal(in_child(die_in_it), -SIGFPE);
  assert_int_equal(told->times, 1);
}

static void tell_for_ever(const struct fault *fault) {
  (void)fault;
  for (;;) pause();
}

static void hang_in_it(void) {
  watch(tell_for_ever);
  raise(SIGABRT);
}

static void is_ended_when_the_telling_does_not_end(void **state) {
  (void)state;
  int64_t before = clock_now();
  assert_int_equal(in_child(hang_in_it), -SIGABRT);
  assert_true(clock_now() - before > 900 * SPEC_MS);
}

static void have_a_handler(void) {
  handle(SIGABRT);
  fault_watch(tell);
  raise(SIGABRT);
}

static void leaves_the_handlers_of_others(void **state) {
  (void)state;
  memset(told, 0, sizeof *told);
  assert_int_equal(in_child(have_a_handler), 0);
  assert_int_equal(told->times, 0);
}

static void fork_a_stranger(void) {
  watch(tell);
  pid_t pid = fork();
  if (pid == 0) raise(SIGABRT);
  int status;
  must(waitpid(pid, &status, 0) == pid);
  must(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void does_not_watch_children(void **state) {
  (void)state;
  memset(told, 0, sizeof *told);
  assert_int_equal(in_child(fork_a_stranger), 0);
  assert_int_equal(told->times, 0);
}

static void says_what_there_is_room_for(void **state) {
  (void)state;
  char bytes[12];
  struct fault_text text = {.text = bytes, .room = sizeof bytes};
  fault_say(&text, "at ");
  fault_say_number(&text, 255, 16);
  fault_say_number(&text, 90, 10);
  fault_say(&text, ", and more");
  assert_string_equal(bytes, "at 0xff90, ");
}

int main(void) {
  told = spec_page(sizeof *told);
  const struct CMUnitTest tests[] = {
      os_case(tells_once_where_and_once_all_and_dies),
      os_case(tells_the_address),
      os_case(is_ended_by_a_fault_in_the_telling),
      os_case(is_ended_when_the_telling_does_not_end),
      os_case(leaves_the_handlers_of_others),
      os_case(does_not_watch_children),
      os_case(says_what_there_is_room_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
