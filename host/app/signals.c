/* SIGINT and SIGTERM: see signals.h. */
#include "app/signals.h"

#include <pthread.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 5 }; /* seconds */

static mph_host *host;
static volatile sig_atomic_t caught, sessions, reading, interrupted, over;
static volatile sig_atomic_t presses; /* of Ctrl-C, since the session last said signals_calm */
static timer_t timer;
static bool has_timer;

static void set_timer(int seconds) {
  struct itimerspec when = {.it_value.tv_sec = seconds};
  if (has_timer) timer_settime(timer, 0, &when, NULL);
}

static void die(int number) {
  signal(number, SIG_DFL);
  raise(number); /* delivered when the handler returns */
}

/* Code that runs in a coroutine has not the hook, code that catches all errors goes on: the one who
 * presses must be able to get out all the same. */
static void interrupt_session(void) {
  static const char warning[] = "\nmphost: the code goes on; Ctrl-C again ends mphost\n";
  presses++;
  if (presses > 2) return die(SIGINT);
  if (presses == 2 && write(STDERR_FILENO, warning, sizeof warning - 1) < 0) presses = 2;
  mph_interrupt(host);
}

static void on_signal(int number, siginfo_t *info, void *context) {
  (void)context;
  if (info->si_code == SI_TIMER) { /* nobody noticed */
    die(caught);
  } else if (number == SIGINT && reading) {
    interrupted = 1;
  } else if (number == SIGINT && sessions) {
    interrupt_session();
  } else {
    caught = number;
    if (!reading) mph_interrupt(host);
    signal(number, SIG_DFL);
    set_timer(PATIENCE);
  }
}

/* Without SA_RESTART: the system call that the code sleeps in must end for it to notice. */
static void watch(int number) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO}, old;
  if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
    sigaction(number, &action, NULL);
}

/* Around fork both wait: in the child our handler must never run. */
static sigset_t before_fork;

static void hold(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, &before_fork);
}

static void release(void) {
  sigprocmask(SIG_SETMASK, &before_fork, NULL);
}

static void unwatch_in_child(void) {
  static const int numbers[] = {SIGINT, SIGTERM};
  for (int i = 0; i < 2; i++) {
    struct sigaction old;
    if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_flags & SA_SIGINFO)
      signal(numbers[i], SIG_DFL);
  }
  caught = sessions = reading = 0;
  has_timer = false; /* a child does not inherit it */
  release();
}

void signals_watch(mph_host *h) {
  /* Its signal is told apart by its code; SIGALRM is the script's. */
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGTERM};
  host = h;
  has_timer = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
  watch(SIGINT);
  watch(SIGTERM);
  pthread_atfork(hold, release, unwatch_in_child);
}

int signals_caught(void) {
  return caught;
}

int signals_ended(bool well) {
  int died = caught;
  over = 1;
  if (!died) return 0;
  if (well && died == SIGINT) caught = 0;
  set_timer(caught ? PATIENCE : 0);
  return caught;
}

void signals_noticed(void *unused) {
  (void)unused;
  if (!over) set_timer(0);
}

void signals_die(int number) {
  sigset_t set;
  signal(number, SIG_DFL);
  sigemptyset(&set);
  sigaddset(&set, number);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  raise(number);
}

void signals_session(bool on) {
  sessions += on ? 1 : -1;
}

void signals_calm(void) {
  presses = 0;
}

bool signals_in_session(void) {
  return sessions > 0;
}

void signals_reading(bool on) {
  reading = on;
}

bool signals_take_interrupt(void) {
  bool was = interrupted;
  interrupted = 0;
  return was;
}

void signals_of_reader(sigset_t *set) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGURG, SIGWINCH};
  sigemptyset(set);
  for (int i = 0; i < 4; i++) sigaddset(set, numbers[i]);
}
