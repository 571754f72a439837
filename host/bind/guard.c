/* One item's time and random numbers: see guard.h. */
#include "bind/guard.h"

#include <errno.h>
#include <lauxlib.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bind/interrupt.h"
#include "bind/outcome.h"
#include "os/clock.h"
#include "os/memory.h"
#include "shm/family.h"

#define HOOK_COUNT 10000 /* instructions from one look at the clock to the next */
#define RANDOM_WORDS 4
#define LATE_SIGNAL SIGSTKFLT /* no kernel sends it */
#define LATE_AGAIN 10000000   /* ns until an item that has not noticed is signalled again */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

struct guard_now guard_now;
static pid_t worker; /* whose timers these are */
static timer_t timer, late_timer;
static int has_timer, has_late_timer, late_is_set;
static lua_State *running;           /* the job's */
static volatile sig_atomic_t called; /* the item has been signalled and has not noticed yet */
static const char random_key;        /* its address: the registry's userdata */

static void look(lua_State *L, lua_Debug *ar);

/* Whether the item is late and has not been told so. */
static int is_late(int64_t now) {
  return guard_now.time.deadline && now >= guard_now.time.deadline && !guard_now.why;
}

/* What the item sleeps in ends, ours by futex_disturbed, and `look` comes next; a hook that is the
 * program's stays. One that comes after the item's end finds another deadline, or none. */
static void on_late(int number) {
  (void)number;
  int kept = errno;
  if (worker == getpid() && running && is_late(clock_now())) {
    lua_Hook hook = lua_gethook(running);
    called = 1;
    futex_disturbed = 1;
    if (!hook || hook == look) lua_sethook(running, look, INTERRUPT_EVENTS, 1);
  }
  errno = kept;
}

/* Without SA_RESTART: it is there to end system calls. */
static int watch_late(void) {
  struct sigaction action = {.sa_handler = on_late}, old;
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = LATE_SIGNAL};
  sigset_t set;
  if (sigaction(LATE_SIGNAL, NULL, &old) != 0) return 0;
  if (old.sa_handler != SIG_DFL && old.sa_handler != on_late) return 0;
  sigaction(LATE_SIGNAL, &action, NULL);
  sigemptyset(&set);
  sigaddset(&set, LATE_SIGNAL);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
  return timer_create(CLOCK_MONOTONIC, &event, &late_timer) == 0;
}

void guard_armed(void) {
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
  worker = getpid();
  has_timer = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
  has_late_timer = watch_late();
  late_is_set = 0;
}

static struct timespec timespec_of(int64_t ns) {
  return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

/* at 0: never. */
static void set_late_timer(int64_t at) {
  if (!has_late_timer || worker != getpid()) return;
  struct itimerspec spec = {.it_value = timespec_of(at)};
  if (at) spec.it_interval = timespec_of(LATE_AGAIN);
  late_is_set = at != 0;
  timer_settime(late_timer, TIMER_ABSTIME, &spec, NULL);
}

/* The item has noticed, or is over: what was done to wake it is undone. */
static void calm(void) {
  if (!called) return;
  called = 0;
  interrupt_calm();
  if (lua_gethook(running) == look) lua_sethook(running, look, LUA_MASKCOUNT, HOOK_COUNT);
}

static _Atomic int64_t doom; /* when this process dies of guard_doom, 0: it does not */

/* At the item's deadline or at the doom, whichever comes first; again when the doom came between.
 */
static void set_timer(void) {
  if (!has_timer || worker != getpid()) return;
  int64_t doomed;
  do {
    doomed = atomic_load(&doom);
    int64_t at = guard_now.time.deadline ? guard_now.time.deadline + GUARD_GRACE : 0;
    if (doomed && (!at || doomed < at)) at = doomed;
    struct itimerspec spec = {.it_value = timespec_of(at)};
    timer_settime(timer, TIMER_ABSTIME, &spec, NULL);
  } while (atomic_load(&doom) != doomed);
}

void guard_doom(void) {
  if (atomic_load(&doom)) return;
  atomic_store(&doom, clock_now() + GUARD_GRACE);
  set_timer();
}

void guard_spare(void) {
  if (!atomic_exchange(&doom, 0)) return;
  set_timer();
}

/* At an item's end the late timer is left as it is, which saves a system call: the next item sets
 * it anew, or guard_close ends it, and nothing sleeps in between. */
static void set_deadline(int64_t at, uint64_t limit) {
  guard_now.time.limit = limit;
  if (at == guard_now.time.deadline) return;
  guard_now.time.deadline = at;
  atomic_store_explicit(&family_status()->deadline, (uint64_t)at, memory_order_relaxed);
  set_timer();
  if (at) set_late_timer(at);
  calm();
}

struct quota {
  lua_Alloc alloc;
  void *context;
  size_t used, most;
};

static void *alloc_within(void *context, void *block, size_t old, size_t new) {
  struct quota *quota = context;
  if (!block) old = 0; /* then it is a type */
  if (new > old && quota->used + (new - old) > quota->most) return NULL;
  void *made = quota->alloc(quota->context, block, old, new);
  if (made || new == 0) quota->used = quota->used - old + new;
  return made;
}

static struct quota quota; /* of the one state that a worker has */
static int64_t weighed;    /* when this process was last looked at */

uint64_t guard_weigh(int slot, pid_t pid, uint64_t limit) {
  uint64_t burden = atomic_load(&family_slot(slot)->burden), has = memory_private(pid);
  return has > burden + limit + GUARD_SLACK(limit) ? has - burden : 0;
}

int guard_look_heavy(lua_State *L) {
  int64_t now = clock_tick();
  if (now < weighed + GUARD_WEIGH) return 0;
  weighed = now;
  if (!guard_weigh(family_index(), 0, quota.most)) return 0;
  lua_gc(L, LUA_GCCOLLECT);
  malloc_trim(0);
  return guard_weigh(family_index(), 0, quota.most) != 0;
}

static void be_late(int64_t now) {
  guard_now.why = GUARD_LATE; /* before that is undone: from here on on_late does nothing */
  guard_now.late = guard_now.time.limit;
  guard_now.time.outer_late = guard_now.time.outer && now >= guard_now.time.outer;
  set_late_timer(0);
  calm();
}

static void look(lua_State *L, lua_Debug *ar) {
  (void)ar;
  int64_t now = guard_now.time.deadline ? clock_now() : 0;
  if (guard_now.time.deadline && now >= guard_now.time.deadline)
    be_late(now);
  else if (guard_is_heavy(L))
    guard_now.why = GUARD_HEAVY;
  else
    return;
  weighed =
      0; /* the item's end looks again; not Lua's own words: those are another kind of error */
  luaL_error(L, guard_now.why == GUARD_LATE ? "timeout" : "too much memory");
}

/* In a blocking call that has ended: once, for what the task does then, to close what is
 * its own, may sleep. */
static void look_asleep(lua_State *L) {
  int64_t now = guard_now.time.deadline ? clock_now() : 0;
  if (!is_late(now)) return;
  be_late(now);
  luaL_error(L, "timeout");
}

void guard_make_room(lua_State *L) {
  if (quota.most && quota.used > quota.most / 2) lua_gc(L, LUA_GCCOLLECT);
}

void guard_limit(lua_State *L, size_t bytes) {
  void *context;
  lua_Alloc alloc = lua_getallocf(L, &context);
  if (alloc == alloc_within) {
    quota.most = bytes;
    return;
  }
  size_t used = (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB);
  quota = (struct quota){.alloc = alloc, .context = context, .used = used, .most = bytes};
  guard_now.limited = 1;
  memory_keep_none();
  uint64_t has = memory_private(0);
  atomic_store(&family_slot(family_index())->burden, has > used ? has - used : 0);
  lua_setallocf(L, alloc_within, &quota);
}

void guard_open(lua_State *L, struct guard *before, const struct job *job) {
  *before = (struct guard){.time = guard_now.time, .why = guard_now.why};
  guard_now.time.outer = before->time.deadline;
  guard_now.time.outer_limit = before->time.limit;
  guard_now.time.outer_late = 0;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &random_key);
  guard_now.random = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (guard_now.random) memcpy(before->random, guard_now.random, sizeof before->random);
  before->seed = guard_now.seed;
  before->index = guard_now.index;
  before->calls = guard_now.calls;
  guard_now.seed = job->seed;
  before->timeout = guard_now.timeout;
  guard_now.timeout = job->timeout;
  before->running = running;
  running = L;
  interrupt_look = look_asleep;
  before->hook = lua_gethook(L);
  before->mask = lua_gethookmask(L);
  before->count = lua_gethookcount(L);
  if (job->timeout || guard_now.time.outer || guard_now.limited)
    lua_sethook(L, look, LUA_MASKCOUNT, HOOK_COUNT);
}

void guard_close(lua_State *L, const struct guard *before) {
  if (guard_now.random) memcpy(guard_now.random, before->random, sizeof before->random);
  int late = guard_now.time.outer_late;
  set_deadline(before->time.deadline, before->time.limit);
  if (late_is_set && !before->time.deadline) set_late_timer(0);
  lua_sethook(L, before->hook, before->mask, before->count);
  running = before->running;
  guard_now.time = before->time;
  guard_now.why = before->why;
  if (late) be_late(clock_now());
  guard_now.seed = before->seed;
  guard_now.index = before->index;
  guard_now.calls = before->calls;
  guard_now.timeout = before->timeout;
}

static void set_clock(uint64_t timeout) {
  int64_t own = clock_now() + (int64_t)timeout, outer = guard_now.time.outer;
  if (outer && outer <= own)
    set_deadline(outer, guard_now.time.outer_limit);
  else
    set_deadline(own, timeout);
}

void guard_start_clock(uint64_t timeout) {
  guard_now.why = 0;
  set_clock(timeout);
}

void guard_restart_clock(void) {
  if (guard_now.timeout && guard_now.time.deadline) set_clock(guard_now.timeout);
}

void guard_forget(lua_State *L) {
  guard_now.time = (struct guard_time){0};
  guard_now.index = guard_now.calls = 0;
  guard_now.timeout = 0;
  guard_now.why = 0;
  calm();
  running = NULL;
  if (!guard_now.limited && lua_gethook(L) == look) lua_sethook(L, NULL, 0, 0);
}

int guard_take_why(void) {
  int why = guard_now.why;
  guard_now.why = 0;
  return why;
}

int guard_stop_clock(void) {
  set_deadline(guard_now.time.outer, guard_now.time.outer_limit);
  return guard_take_why();
}

const char *guard_kind(int why) {
  return why == GUARD_LATE ? "timeout" : "memory";
}

void guard_record(lua_State *L, int status, int why) {
  if (status != LUA_ERRRUN) {
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    outcome_record(L, NULL);
  }
  if (why == GUARD_LATE)
    lua_pushfstring(L, "timed out after %f s", (lua_Number)guard_now.late / 1e9);
  else
    lua_pushliteral(L, "not enough memory: the process has more than its limit");
  lua_setfield(L, -2, "message");
  lua_pushstring(L, guard_kind(why));
  lua_setfield(L, -2, "kind");
}

/* xoshiro256**, as lmathlib.c has it: what math.random(0) must say for this state. */
static uint64_t expected_next(const uint64_t *s) {
  uint64_t x = s[1] * 5;
  return (x << 7 | x >> 57) * 9;
}

static int is_generator(lua_State *L, const uint64_t *state) {
  uint64_t expected = expected_next(state);
  lua_pushvalue(L, -2);
  lua_pushinteger(L, 0);
  lua_call(L, 1, 1);
  int same = (uint64_t)lua_tointeger(L, -1) == expected;
  lua_pop(L, 1);
  return same;
}

void guard_find_random(lua_State *L) {
  int top = lua_gettop(L);
  if (lua_getglobal(L, "math") == LUA_TTABLE && lua_getfield(L, -1, "random") == LUA_TFUNCTION &&
      lua_iscfunction(L, -1) && lua_getupvalue(L, -1, 1) && lua_type(L, -1) == LUA_TUSERDATA &&
      lua_rawlen(L, -1) == RANDOM_WORDS * sizeof(uint64_t) &&
      is_generator(L, lua_touserdata(L, -1)))
    lua_rawsetp(L, LUA_REGISTRYINDEX, &random_key);
  lua_settop(L, top);
}
