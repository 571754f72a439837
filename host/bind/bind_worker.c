/* core.work: a worker's loop over jobs (run.h), and what it can be told. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "bind/bind.h"
#include "bind/guard.h"
#include "bind/interrupt.h"
#include "bind/outcome.h"
#include "bind/process.h"
#include "bind/run.h"
#include "bind/work.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "shm/family.h"
#include "shm/job.h"

/* An interruption is of the task in hand. */
static struct {
  lua_State *L, *main;
  pid_t pid;
  uint64_t item;               /* the last one interrupted, in the order of its work, from 1 */
  volatile sig_atomic_t asked; /* since the job began */
} target;

/* The job in hand is over: what came too late for its tasks is not for the next one's. */
static void forget_interrupts(void) {
  if (!target.asked) return;
  target.asked = 0;
  guard_spare();
  interrupt_forget(target.main);
}

static void worker_stack(lua_State *L, int f, int items) {
  luaL_checkstack(L, 24, NULL);
  lua_pushcfunction(L, run_on_error);
  lua_pushvalue(L, f);
  lua_pushnil(L);
  lua_pushvalue(L, items);
}

/* Once: what the task does then, to close what is its own, is not interrupted. */
static void interrupt_task(const struct status *me) {
  uint64_t item = 1 + atomic_load_explicit(&me->done, memory_order_relaxed) +
                  atomic_load_explicit(&me->failed, memory_order_relaxed);
  target.asked = 1;
  if (item == target.item) return;
  target.item = item;
  interrupt_ask_in(target.L, target.main);
}

static int has_item(const struct status *me) {
  return atomic_load_explicit(&me->item, memory_order_relaxed) != STATUS_NONE;
}

/* SIGINT (Ctrl-C is for all processes of a terminal) interrupts the task in hand, so that what it
   has to close is closed. Who has nothing in hand has nothing to stop. */
static void on_interrupt(int number) {
  if (target.pid == getpid() && has_item(family_status())) return interrupt_task(family_status());
  signal(number, SIG_DFL);
  raise(number); /* delivered when this handler returns */
}

/* WORK_SIGNAL: a job is stopped, for nobody wants it any more, and its maker saw this process in it
   (crew.give_up). If it has gone on to another meanwhile, or is between two items, there is nothing
   to interrupt: it looks at `stop` before the next. Else the task is interrupted, and the process
   dies if it does not come back (guard_doom). */
static void on_stop(int number) {
  (void)number;
  if (target.pid != getpid()) return;
  int kept = errno;
  const struct status *me = family_status();
  uint64_t job = atomic_load(&me->job);
  if (job && has_item(me) && atomic_load(&((struct job *)heap_payload(job))->stop)) {
    guard_doom();
    interrupt_task(me);
  }
  errno = kept;
}

static void watch_interrupts(lua_State *L) {
  struct sigaction action = {.sa_handler = on_interrupt}, old;
  struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
  sigset_t set;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  target.L = L;
  target.main = lua_tothread(L, -1);
  target.pid = getpid();
  target.item = 0;
  lua_pop(L, 1);
  if (sigaction(SIGINT, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
    sigaction(SIGINT, &action, NULL);
  sigaction(WORK_SIGNAL, &stop, NULL);
  sigemptyset(&set);
  sigaddset(&set, WORK_SIGNAL);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* work(pool, most [, f, items]): runs jobs until the pool is closed and nothing is posted, or
   `most` items (0: no limit) are done. f and items: of the jobs that this process inherited. */
static int worker_work(lua_State *L) {
  struct pool *pool = heap_payload(handle_check(L, 1, bind_pool_class)->object);
  uint64_t most = (uint64_t)luaL_optinteger(L, 2, 0), cursor = 0;
  pid_t parent = getppid();
  guard_armed();
  watch_interrupts(L);
  lua_settop(L, 4);
  worker_stack(L, 3, 4);
  atomic_store(&family_status()->since, (uint64_t)clock_now());
  for (int closed = 0; !closed;) {
    uint64_t job = pool_enter(pool, &cursor, &closed, clock_now() + 20 * (int64_t)CLOCK_SLICE);
    process_press();
    if (!job && getppid() != parent) break;
    if (!job) continue;
    int over = run_job(L, 5, pool, job, &most);
    forget_interrupts();
    pool_leave(pool);
    if (over) break;
  }
  return 0;
}

/* work_here(job): the whole of a job of this process's own. */
static int worker_work_here(lua_State *L) {
  uint64_t most = 0, block = bind_job_block(L, 1);
  lua_settop(L, 1);
  lua_pushnil(L);
  worker_stack(L, 2, 2);
  uint64_t since = family_status()->since;
  run_job(L, 3, NULL, block, &most);
  family_status()->since = since;
  return 0;
}

/* at(index): the item in this worker's hand stands for several; it is at this one now. */
static int worker_at(lua_State *L) {
  uint64_t index = (uint64_t)luaL_checkinteger(L, 1);
  run_at(index);
  guard_seed(index);
  guard_restart_clock();
  return 0;
}

/* number(): one for the next call that the item in hand makes of the pool it works for, or for the
   next process or pool that it starts, the same wherever it runs; nil: there is no item in hand. */
static int worker_number(lua_State *L) {
  if (!guard_now.index) return 0;
  lua_pushinteger(L, (lua_Integer)guard_number());
  return 1;
}

/* limit(bytes): from now on this state's allocator refuses to have more; its owner collects then,
   and raises "not enough memory" if that is of no use. */
static int worker_limit(lua_State *L) {
  guard_limit(L, (size_t)luaL_checkinteger(L, 1));
  return 0;
}

/* weigh(slot, pid, limit): bytes that this worker has, if they are more than its limit allows. */
static int worker_weigh(lua_State *L) {
  lua_Integer slot = luaL_checkinteger(L, 1), limit = luaL_checkinteger(L, 3);
  luaL_argcheck(L, slot >= 0 && slot < (lua_Integer)FAMILY_MOST, 1, "no such slot");
  uint64_t has = guard_weigh((int)slot, (pid_t)luaL_checkinteger(L, 2), (uint64_t)limit);
  if (!has) return 0;
  lua_pushinteger(L, (lua_Integer)has);
  return 1;
}

/* nice(n) */
static int worker_nice(lua_State *L) {
  errno = 0;
  lua_pushboolean(L, nice((int)luaL_checkinteger(L, 1)) != -1 || errno == 0);
  return 1;
}

/* pin(n): to the n-th (from 0, round and round) of the CPUs that it may use. */
static int worker_pin(lua_State *L) {
  lua_pushboolean(L, cpu_pin((int)luaL_checkinteger(L, 1)) == 0);
  return 1;
}

/* start_number(): of a pool that is made, run_number's. */
static int worker_start_number(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)run_number());
  return 1;
}

/* on_break_off(f): f(last) is called when an item is broken off that has started what has numbers
   behind the last. */
static int worker_on_break_off(lua_State *L) {
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &run_break_key);
  return 0;
}

/* text(value): what was raised, as text, whatever its __tostring does. */
static int worker_text(lua_State *L) {
  luaL_checkany(L, 1);
  outcome_text(L, 1);
  return 1;
}

void bind_worker(lua_State *L) {
  static const luaL_Reg functions[] = {{"work", worker_work},
                                       {"work_here", worker_work_here},
                                       {"at", worker_at},
                                       {"limit", worker_limit},
                                       {"nice", worker_nice},
                                       {"pin", worker_pin},
                                       {"weigh", worker_weigh},
                                       {"number", worker_number},
                                       {"text", worker_text},
                                       {"start_number", worker_start_number},
                                       {"on_break_off", worker_on_break_off},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  lua_pushinteger(L, WORK_SIGNAL);
  lua_setfield(L, -2, "stop_signal");
  guard_find_random(L);
}
