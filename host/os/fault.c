/* Faults: see fault.h. */
#include "os/fault.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK (64 << 10)
#define PATIENCE 1 /* s */

static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static void (*tell_of)(const struct fault *);
static pid_t watched;
static volatile sig_atomic_t dying; /* of this signal */
static _Alignas(4096) char stack[STACK];

void fault_prepare(void) {
  static int done;
  void *frame[1];
  if (!done) done = backtrace(frame, 1) >= 0;
}

static void let(int number) {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static void die(int number) {
  signal(number, SIG_DFL);
  raise(number);
  let(number); /* it is blocked while its handler runs */
}

static void give_up(int number) {
  (void)number;
  die(dying);
}

static void set_timer(void) {
  struct sigaction action = {.sa_handler = give_up};
  struct itimerval when = {.it_value.tv_sec = PATIENCE};
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &when, NULL);
  let(SIGALRM);
}

/* Where the code was, and where it would have returned to had it called what is no code. */
static void registers(const ucontext_t *context, void **at, void **back) {
#if defined(__x86_64__)
  *at = (void *)context->uc_mcontext.gregs[REG_RIP];
  *back = *at ? NULL : *(void **)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
  *at = (void *)context->uc_mcontext.pc;
  *back = *at ? NULL : (void *)context->uc_mcontext.regs[30];
#else
  *at = *back = NULL;
#endif
}

/* The first frames are the handler's own. */
static void find_frames(struct fault *fault, const ucontext_t *context) {
  void *all[FAULT_FRAMES + 4], *at, *back;
  registers(context, &at, &back);
  fault->frame[fault->frames++] = at;
  tell_of(fault);
  int n = backtrace(all, FAULT_FRAMES + 4), first = 0;
  while (first < n && all[first] != at) first++;
  if (first >= n - 1 && back) fault->frame[fault->frames++] = back;
  for (int i = first + 1; i < n && fault->frames < FAULT_FRAMES; i++)
    fault->frame[fault->frames++] = all[i];
  fault->whole = 1;
  tell_of(fault);
}

static void on_fault(int number, siginfo_t *info, void *context) {
  for (int i = 0; i < NUMBERS; i++) {
    struct sigaction now;
    if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_sigaction == on_fault)
      signal(numbers[i], SIG_DFL);
  }
  if (getpid() == watched && !dying) {
    struct fault fault = {.signal = number};
    dying = number;
    set_timer();
    if (info->si_code > 0)
      fault.address = (uint64_t)(uintptr_t)info->si_addr;
    else
      fault.sender = info->si_pid;
    find_frames(&fault, context);
  }
  die(number);
}

static void have_stack(void) {
  stack_t now, own = {.ss_sp = stack, .ss_size = sizeof stack};
  if (sigaltstack(NULL, &now) == 0 && now.ss_flags & SS_DISABLE) sigaltstack(&own, NULL);
}

void fault_watch(void (*tell)(const struct fault *)) {
  tell_of = tell;
  watched = getpid();
  have_stack();
  for (int i = 0; i < NUMBERS; i++) {
    struct sigaction now, ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
      sigaction(numbers[i], &ours, NULL);
  }
}

/* ---- text ---- */

void fault_say(struct fault_text *to, const char *text) {
  while (*text && to->size + 1 < to->room) to->text[to->size++] = *text++;
  to->text[to->size] = 0;
}

void fault_say_number(struct fault_text *to, uint64_t number, unsigned base) {
  char digits[32], *at = digits + sizeof digits - 1;
  *at = 0;
  do *--at = "0123456789abcdef"[number % base];
  while (number /= base);
  fault_say(to, base == 16 ? "0x" : "");
  fault_say(to, at);
}

void fault_say_place(struct fault_text *to, const void *address) {
  Dl_info info;
  const char *base = address;
  if (!dladdr(address, &info) || !info.dli_fname) {
    fault_say_number(to, (uint64_t)(uintptr_t)address, 16);
    return;
  }
  fault_say(to, info.dli_fname);
  fault_say(to, "(");
  if (info.dli_sname) {
    fault_say(to, info.dli_sname);
    base = info.dli_saddr;
  } else {
    base = info.dli_fbase;
  }
  fault_say(to, "+");
  fault_say_number(to, (uint64_t)((const char *)address - base), 16);
  fault_say(to, ")");
}
