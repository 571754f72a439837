/* Stops a member at any chosen one of its instructions, to kill it there (x86-64, ptrace).

   Stepping from the start to every instruction would cost the square of their number, and a single
   step costs 20 us in a virtual machine. So the way is stepped through once and written down; later
   victims run to a point with a hardware breakpoint, which they meet as often as the first one had
   met it there, and are stepped the rest, whichever is cheaper. The repetitions of one instruction
   (rep movsb) count as one point. */
#ifndef SPEC_SHM_STEP_H
#define SPEC_SHM_STEP_H

#include "step_clock.h"

#if defined(__x86_64__)
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#define STEP_MOST 60000

struct point {
  uint64_t pc;
  uint32_t weight; /* single steps to the next point */
  uint32_t hits;   /* the breakpoint at `at` is met so often ... */
  uint32_t steps;  /* ... and then come so many single steps */
  uint64_t at;
};

struct way {
  int points;
  struct point point[STEP_MOST];
};

/* The stepped part lies between the two. */
static __attribute__((noinline)) void step_begin(void) {
  __asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) void step_end(void) {
  __asm__ volatile("" ::: "memory");
}

struct victim_job {
  void (*arm)(void); /* before the stepping; may be NULL */
  void (*act)(void);
  void (*after)(void); /* when it is let go; may be NULL */
  int woken;           /* its sleeps in `act` are ended by somebody */
};

/* One copy of it: the way is written down in its addresses. */
static __attribute__((noinline)) void victim_run(void *arg) {
  const struct victim_job *job = arg;
  if (job->arm) job->arm();
  must(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
  step_woken = job->woken;
  step_time = clock_now();
  raise(SIGSTOP);
  step_begin();
  job->act();
  step_end();
  step_time = 0;
  if (job->after) job->after();
}

static inline void step_register(pid_t pid, int number, uint64_t value) {
  size_t where = offsetof(struct user, u_debugreg) + (size_t)number * sizeof(uint64_t);
  assert_int_equal(ptrace(PTRACE_POKEUSER, pid, (void *)where, (void *)value), 0);
}

static inline uint64_t step_pc(pid_t pid) {
  struct user_regs_struct regs;
  assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &regs), 0);
  return regs.rip;
}

static inline void step_wait(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0) assert_int_equal(errno, EINTR);
  if (!WIFSTOPPED(status)) fail_msg("the victim ended by itself: status %x", status);
}

/* One instruction, or until the next breakpoint: where it stands then. */
static inline uint64_t step_on(pid_t pid, int how) {
  assert_int_equal(ptrace(how, pid, NULL, NULL), 0);
  step_wait(pid);
  return step_pc(pid);
}

/* A member that stands before its work. */
static inline struct member victim_start(struct victim_job *job) {
  struct member m = member_start(victim_run, job);
  step_wait(m.proc.pid); /* SIGSTOP */
  step_register(m.proc.pid, 1, (uint64_t)(uintptr_t)step_end);
  return m;
}

static inline void step_stop_at(pid_t pid, uint64_t pc) {
  step_register(pid, 0, pc);
  step_register(pid, 7, 1 | 4); /* both breakpoints, on execution */
}

/* How each point is reached best. */
static inline void way_plan(struct way *way) {
  for (int i = 0; i < way->points; i++) {
    struct point *p = &way->point[i], *before = p - 1;
    uint32_t met = 1;
    for (int j = 0; j < i; j++) met += way->point[j].pc == p->pc;
    p->at = p->pc;
    p->hits = met;
    p->steps = 0;
    if (i == 0 || before->hits + before->steps + before->weight >= met) continue;
    p->at = before->at;
    p->hits = before->hits;
    p->steps = before->steps + before->weight;
  }
}

/* Steps a victim through all its work, and leaves it at its end. */
static inline void way_explore(struct way *way, pid_t pid) {
  uint64_t end = (uint64_t)(uintptr_t)step_end;
  step_stop_at(pid, (uint64_t)(uintptr_t)step_begin);
  uint64_t pc = step_on(pid, PTRACE_CONT);
  for (way->points = 0; pc != end;) {
    assert_true(way->points < STEP_MOST);
    struct point *p = &way->point[way->points++];
    *p = (struct point){.pc = pc, .weight = 0};
    do {
      pc = step_on(pid, PTRACE_SINGLESTEP);
      p->weight++;
    } while (pc == p->pc);
  }
  way_plan(way);
}

/* Brings a fresh victim to a point: 1, or 0: it went another way and stands at its end. */
static inline int way_follow(const struct point *p, pid_t pid) {
  uint64_t end = (uint64_t)(uintptr_t)step_end;
  step_stop_at(pid, p->at);
  for (uint32_t i = 0; i < p->hits; i++)
    if (step_on(pid, PTRACE_CONT) == end) return 0;
  for (uint32_t i = 0; i < p->steps; i++)
    if (step_on(pid, PTRACE_SINGLESTEP) == end) return 0;
  return 1;
}

/* Lets it run on to its own end. */
static inline void way_leave(pid_t pid) {
  step_register(pid, 7, 0);
  assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
}

/* Why members cannot be stepped here; NULL: they can. */
static inline const char *step_obstacle(void) {
  if (SPEC_SANITIZED) return "instrumented code has too many instructions";
  pid_t pid = fork();
  if (pid == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) _exit(1);
    raise(SIGSTOP);
    _exit(0);
  }
  int status;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return "no child";
  if (!WIFSTOPPED(status)) return "ptrace is not permitted";
  size_t where = offsetof(struct user, u_debugreg);
  void *here = (void *)(uintptr_t)step_begin;
  long rc = ptrace(PTRACE_POKEUSER, pid, (void *)where, here);
  kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  return rc == 0 ? NULL : "no hardware breakpoints";
}

/* Stepping is five times as fast when both sides share one CPU. */
static inline void step_pin(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(sched_getcpu(), &set);
  sched_setaffinity(0, sizeof set, &set);
}

#endif
#endif
