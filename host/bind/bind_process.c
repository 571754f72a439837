/* core.fork: processes as Lua sees them. Policy (names, daemons, errors) is
 * lua/mphost/process.lua's. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "bind/autopsy.h"
#include "bind/bind.h"
#include "bind/child.h"
#include "bind/guard.h"
#include "bind/interrupt.h"
#include "bind/launch.h"
#include "bind/parcel.h"
#include "bind/process.h"
#include "bind/run.h"
#include "bind/work.h"
#include "codec/codec.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/latch.h"
#include "os/proc.h"
#include "os/reserve.h"
#include "shm/family.h"
#include "shm/job.h"
#include "shm/object.h"
#include "shm/pipe.h"

#define CLASS "mphost.core.Process"
#define LOOK 200000000  /* ns */
#define CHILD_ROOM 256  /* KB */
#define RESULT 16       /* bytes of a slot in a table's array */
#define OBEY 1000000000 /* ns until who was told to end, and did not, is killed */

struct process {
  proc proc;
  int slot;                     /* -1: reaped */
  int owner;                    /* family index of the process that started it */
  int daemon;                   /* at the state's end: killed, not joined */
  int lent;                     /* its descriptor is known to the program: it stays open */
  uint64_t left;                /* block with its result, in our ledger; 0: none */
  int returned;                 /* none, and it came to its end */
  uint64_t id;                  /* family.h */
  uint64_t number;              /* in the order of starts, 0: a pool's worker (process.h) */
  const void *state;            /* that has started it */
  int64_t told;                 /* when it was told to end, its item being broken off; 0: never */
  unsigned generation;          /* of whoever opened its descriptor */
  struct process *next, **link; /* all that have a number, or a descriptor open: a child closes its
                                   copies */
};

static struct process *opened;
static unsigned generation; /* forks between the program's first process and this one */
static int64_t press_at;    /* when process_press has to look, 0: never */

/* If there is a reason to. */
static void enlist(struct process *process) {
  if ((process->proc.pidfd < 0 && !process->number) || process->link) return;
  latch_lock();
  process->generation = generation;
  process->next = opened;
  process->link = &opened;
  if (opened) opened->link = &process->next;
  opened = process;
  latch_unlock();
}

/* In a child, those of its parent are closed and in no list. */
static void close_descriptor(struct process *process) {
  if (process->generation != generation) return;
  latch_lock();
  if (process->link) {
    *process->link = process->next;
    if (process->next) process->next->link = process->link;
    process->link = NULL;
  }
  latch_unlock();
  proc_close(&process->proc);
}

static void give_number(lua_State *L, struct process *process) {
  process->number = run_number();
  process->state = lua_topointer(L, LUA_REGISTRYINDEX);
  enlist(process);
}

/* Whether it is dead, also when it cannot be waited for yet. */
static int is_gone(struct process *process) {
  if (process->slot < 0) return 1;
  robust *life = &family_slot(process->slot)->life;
  return (atomic_load(&life->word) && robust_is_free(life)) || proc_wait(&process->proc, 0) == 1;
}

void process_break_off(lua_State *L, uint64_t last) {
  const void *state = lua_topointer(L, LUA_REGISTRYINDEX);
  int64_t now = clock_now();
  latch_lock();
  for (struct process *process = opened; process; process = process->next) {
    if (process->number <= last || process->state != state || is_gone(process)) continue;
    proc_signal(&process->proc, SIGTERM);
    if (!process->told) process->told = now;
    if (!press_at) press_at = now + OBEY;
  }
  latch_unlock();
}

void process_press(void) {
  int64_t now = press_at ? clock_now() : 0, next = 0;
  if (!press_at || now < press_at) return;
  latch_lock();
  for (struct process *process = opened; process; process = process->next) {
    if (!process->told || is_gone(process)) continue;
    if (now >= process->told + OBEY)
      proc_signal(&process->proc, SIGKILL);
    else if (!next || process->told + OBEY < next)
      next = process->told + OBEY;
  }
  press_at = next;
  latch_unlock();
}

int process_has_living(void) {
  int found = 0;
  latch_lock();
  for (struct process *process = opened; process && !found; process = process->next)
    found = !process->daemon && !is_gone(process);
  latch_unlock();
  return found;
}

static struct process *check(lua_State *L) {
  struct process *process = luaL_checkudata(L, 1, CLASS);
  if (process->owner != family_index())
    luaL_error(L, "a process can only be used by the one that started it");
  return process;
}

/* It has ended. The descriptor is closed, for each child inherits what is open, and objects of
 * processes that have ended may live long. */
static void reap(struct process *process) {
  if (!process->lent) close_descriptor(process);
  if (process->slot < 0) return;
  process->returned = family_returned(process->slot);
  process->left = family_reap(process->slot);
  process->slot = -1;
  family_scan();
}

/* Where there are no descriptors of processes the life lock tells of the end, which then is at
 * hand. */
static void await_death(lua_State *L, struct process *process, int64_t deadline) {
  robust *life = &family_slot(process->slot)->life;
  for (;;) {
    uint32_t word = atomic_load(&life->word);
    if (proc_wait(&process->proc, 0) || (word && robust_is_free(life))) return;
    if (deadline != CLOCK_NEVER && clock_now() >= deadline) return;
    int rc = futex_wait(&life->word, word, clock_slice(deadline));
    if (L) interrupt_again(L, rc);
  }
}

/* 1 ended, 0 running; goes on after signals, which may raise in L (NULL: not here). */
static int wait_in(lua_State *L, struct process *process, int64_t deadline) {
  int rc;
  if (process->proc.pidfd < 0 && deadline > clock_now() && !proc_wait(&process->proc, 0)) {
    int watched = proc_watch(&process->proc);
    enlist(process);
    if (!watched && process->slot >= 0) await_death(L, process, deadline);
  }
  for (;;) {
    int64_t look = clock_now() + LOOK; /* a signal may have come just before the wait began */
    rc = proc_wait(&process->proc, L && deadline > look ? look : deadline);
    if (rc == 0 && L && deadline > look) rc = -EINTR;
    if (!(L ? interrupt_again(L, rc) : rc == -EINTR)) break;
  }
  if (rc == 1) reap(process);
  if (L) interrupt_notice(L);
  return rc;
}

static int wait_for(struct process *process, int64_t deadline) {
  return wait_in(NULL, process, deadline);
}

/* A child's copies of its parent's descriptors, of which there may be many: written to is none, for
 * each would be the copy of a page. */
static void close_inherited(void) {
  for (struct process *process = opened; process; process = process->next)
    if (process->proc.pidfd >= 0) close(process->proc.pidfd);
  opened = NULL;
  press_at = 0;
  generation++;
}

/* The collector leaves the child alone until it has made something itself: what its parent had made
 * when the next step would have come is no garbage of the child's, and to walk over it copies the
 * pages. (A step of less than nothing is one that is due so much later: lua_gc adds it to what has
 * been allocated.) */
static void put_off_collection(lua_State *L) {
  lua_gc(L, LUA_GCSTEP, -(CHILD_ROOM + lua_gc(L, LUA_GCCOUNT) / 4));
}

/* The child: runs the body on a stack of its own, with its number if that is not 0, and never comes
 * back. */
static _Noreturn void run_child(lua_State *L, int slot, lua_Integer number) {
  if (family_enter(slot) < 0) _exit(127);
  interrupt_forget_all();
  close_inherited();
  put_off_collection(L);
  guard_forget(L);
  run_forget();
  lua_State *own = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, number);
  lua_xmove(L, own, 2);
  if (!number) lua_pop(own, 1);
  child_run(own, number != 0);
}

static struct process *new_process(lua_State *L, int daemon) {
  struct process *process = lua_newuserdatauv(L, sizeof *process, 0);
  *process = (struct process){.slot = -1, .owner = -1, .daemon = daemon, .proc.pidfd = -1};
  luaL_setmetatable(L, CLASS);
  return process;
}

/* What each child would do otherwise, copying the pages that it touches. */
static void prepare_children(lua_State *L) {
  bind_check_family(L);
  codec_prepare(L);
  autopsy_prepare();
}

/* Why a process could not be started, as -errno: for want of a place in the family, or else. */
struct refusal {
  int slot, fork;
};

static void began(struct process *process, int slot) {
  process->slot = slot;
  process->id = family_id_at(slot);
  process->owner = family_index();
  family_note_pid(slot, process->proc.pid);
  enlist(process);
}

/* Forks the process, whose body is at 1: 0, or why not. Raises nothing. */
static struct refusal start(lua_State *L, struct process *process, int bare, lua_Integer number) {
  int slot = family_claim();
  if (slot < 0) return (struct refusal){.slot = slot};
  int rc = bare ? proc_fork_bare(&process->proc) : proc_fork(&process->proc);
  if (rc == 0) run_child(L, slot, number);
  if (rc < 0)
    family_reap(slot);
  else
    began(process, slot);
  return (struct refusal){.fork = rc < 0 ? rc : 0};
}

/* Whose line counts is known further up. */
static void push_refusal(lua_State *L, struct refusal why) {
  if (why.slot)
    lua_pushstring(L, why.slot == -EAGAIN   ? "too many processes in this family"
                      : why.slot == -ENOMEM ? "not enough shared memory"
                                            : strerror(-why.slot));
  else
    lua_pushfstring(L, "cannot start a process: %s", strerror(-why.fork));
}

static int is_refused(struct refusal why) {
  return why.slot || why.fork;
}

/* fork(body, daemon): the new process. body() runs in the child and returns the exit code. */
static int process_fork(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 2);
  prepare_children(L);
  struct process *process = new_process(L, lua_toboolean(L, 2));
  struct refusal why = start(L, process, 0, 0);
  if (!is_refused(why)) return give_number(L, process), 1;
  push_refusal(L, why);
  return lua_error(L);
}

/* forks(body, first, last [, results [, lends]]): a list of new daemons without descriptors
   (os/proc.h); in each child body(number) runs. When no more can be started also why. Nothing
   happens between the forks: each page that is written there is copied. results: a table with room
   for so many is about to be made, which the children need not have. lends: messages tell the
   children of our globals later. */
static int process_forks(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_Integer first = luaL_checkinteger(L, 2), n = luaL_checkinteger(L, 3) - first + 1, i = 1;
  lua_Integer results = luaL_optinteger(L, 4, 0);
  int lends = lua_toboolean(L, 5);
  lua_settop(L, 1);
  prepare_children(L);
  lua_createtable(L, (int)n, 0);
  for (lua_Integer k = 1; k <= n; k++) {
    new_process(L, 1);
    lua_rawseti(L, 2, k);
  }
  if (lends) codec_lend_globals(L);
  if (results > 0 && results <= WORK_RESULTS) reserve_begin((size_t)results * RESULT);
  struct refusal why = {0};
  for (; i <= n; i++) {
    lua_rawgeti(L, 2, i);
    why = start(L, lua_touserdata(L, -1), 1, first + i - 1);
    lua_pop(L, 1);
    if (is_refused(why)) break;
  }
  reserve_end();
  if (lends) codec_lent_globals(L);
  for (lua_Integer k = i; k <= n; k++) {
    lua_pushnil(L);
    lua_rawseti(L, 2, k);
  }
  if (!is_refused(why)) return 1;
  push_refusal(L, why);
  return 2;
}

/* launch(record, daemon, helper, works): a process by the helper program of this path; nil: by the
 * zygote. It inherits nothing; record travels, and require(record.module)[record.entry](record)
 * runs there and returns the exit code. works: for a pool. */
static int process_launch(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *helper = luaL_optstring(L, 3, NULL);
  int works = lua_toboolean(L, 4);
  bind_check_family(L);
  struct process *process = new_process(L, lua_toboolean(L, 2));
  int rc = launch(L, 1, helper, &process->proc);
  if (rc == -EAGAIN) {
    lua_pushliteral(L, "too many processes in this family");
    return lua_error(L);
  }
  if (rc == -ENOMEM) return bind_fail(L, rc);
  if (rc < 0) {
    const char *why = rc == -EPIPE ? "the zygote is gone" : strerror(-rc);
    lua_pushfstring(L, "cannot start a process: %s%s%s", helper ? helper : "", helper ? ": " : "",
                    why);
    return lua_error(L);
  }
  began(process, rc);
  if (!works) give_number(L, process);
  return 1;
}

/* Code of the program's (a hook) that comes between two steps of who waits for it may close it. */
static int is_closed(lua_State *L) {
  const struct process *process = luaL_checkudata(L, 1, CLASS);
  return process->owner < 0;
}

/* wait([timeout]): true, or nil, message, "timeout". */
static int process_m_wait(lua_State *L) {
  if (is_closed(L)) return lua_pushboolean(L, 1), 1;
  struct process *process = check(L);
  if (!wait_in(L, process, bind_deadline(L, 2))) return bind_fail(L, -ETIMEDOUT);
  lua_pushboolean(L, 1);
  return 1;
}

/* status(): nil while it runs; the exit code or -signal, whether it dumped core; "unknown" when
 * somebody else reaped it. */
static int process_m_status(lua_State *L) {
  struct process *process = check(L);
  if (!wait_for(process, 0)) return 0;
  if (process->proc.status == PROC_UNKNOWN)
    lua_pushliteral(L, "unknown");
  else
    lua_pushinteger(L, process->proc.status);
  lua_pushboolean(L, process->proc.core);
  return 2;
}

/* To one that has ended, or whose object is closed: nil, message, "gone". */
static int process_m_signal(lua_State *L) {
  struct process *process = luaL_checkudata(L, 1, CLASS);
  if (process->owner < 0) return bind_fail(L, -ESRCH);
  check(L);
  int rc = proc_signal(&process->proc, (int)luaL_checkinteger(L, 2));
  if (rc < 0) return bind_fail(L, rc);
  lua_pushboolean(L, 1);
  return 1;
}

/* Whether it is dead, also when it cannot be waited for yet; what it had is still as it left it. */
static int process_m_is_gone(lua_State *L) {
  if (is_closed(L)) return lua_pushboolean(L, 1), 1;
  lua_pushboolean(L, is_gone(check(L)));
  return 1;
}

/* Whether it was told to end, the item that started it being broken off. */
static int process_m_is_told(lua_State *L) {
  lua_pushboolean(L, check(L)->told != 0);
  return 1;
}

static int process_m_pid(lua_State *L) {
  lua_pushinteger(L, check(L)->proc.pid);
  return 1;
}

static int process_m_slot(lua_State *L) {
  lua_pushinteger(L, check(L)->slot);
  return 1;
}

/* progress(): index of the item in its hand or nil, items done, failed, seconds since it began that
 * chunk. All 0 once it has ended. */
static int process_m_progress(lua_State *L) {
  struct process *process = check(L);
  struct status none = {.item = STATUS_NONE};
  struct status *status = process->slot < 0 ? &none : &family_slot(process->slot)->status;
  uint64_t item = atomic_load(&status->item), since = atomic_load(&status->since);
  if (item == STATUS_NONE || !atomic_load(&status->job))
    lua_pushnil(L);
  else
    lua_pushinteger(L, (lua_Integer)item);
  lua_pushinteger(L, (lua_Integer)atomic_load(&status->done));
  lua_pushinteger(L, (lua_Integer)atomic_load(&status->failed));
  lua_pushnumber(L, since ? (lua_Number)(clock_now() - (int64_t)since) / 1e9 : 0);
  return 4;
}

/* sentinel(): the descriptor, or nil and why there is none. Of one that has ended: one that is
 * readable. */
static int process_m_sentinel(lua_State *L) {
  struct process *process = check(L);
  int fd = proc_descriptor(&process->proc);
  process->lent = 1;
  enlist(process);
  if (fd >= 0) return lua_pushinteger(L, fd), 1;
  lua_pushnil(L);
  lua_pushstring(L, fd == -ENOSYS ? "this kernel has no pidfd" : strerror(-fd));
  return 2;
}

/* take(): what it left (core.leave), once; true when it came to its end and there was nothing to
 * leave; else nothing. */
static int process_m_take(lua_State *L) {
  struct process *process = check(L);
  uint64_t left = process->left;
  if (!left) return process->returned ? lua_pushboolean(L, 1), 1 : 0;
  process->left = 0;
  parcel_unpack(L, left, 0);
  return 1;
}

/* crash(): what it said when it died of a fault, as a traceback, and the first line of it; nothing
 * when it said nothing. */
static int process_m_crash(lua_State *L) {
  return autopsy_push(L, check(L)->id);
}

static void let_go(struct process *process) {
  if (process->left) object_drop(process->left);
  process->left = 0;
  process->owner = -1;
}

/* Ends it by SIGTERM, and by SIGKILL when it does not obey. */
static void end(struct process *process) {
  proc_signal(&process->proc, SIGTERM);
  if (!wait_for(process, clock_now() + OBEY)) proc_signal(&process->proc, SIGKILL);
  wait_for(process, CLOCK_NEVER);
}

/* Waits for it, in a finalizer, where nothing can be raised: who is interrupted ends it. */
static void see_off(lua_State *L, struct process *process) {
  while (!wait_for(process, clock_slice(CLOCK_NEVER)))
    if (interrupt_is_asked(L)) return end(process);
}

/* Collected while it runs only when the state ends: daemons are killed, others waited for. */
static int process_close(lua_State *L) {
  struct process *process = luaL_checkudata(L, 1, CLASS);
  if (process->owner == family_index() && process->owner >= 0) {
    if (process->daemon && !wait_for(process, 0)) proc_signal(&process->proc, SIGKILL);
    see_off(L, process);
    let_go(process);
  }
  close_descriptor(process);
  return 0;
}

/* leave([value]): what this process leaves to its parent; no value: that there is nothing. Raises
 * when it cannot be sent. */
static int process_leave(lua_State *L) {
  if (lua_isnone(L, 1)) return family_return(), 0;
  struct parcel *parcel = parcel_open(L);
  size_t size = parcel_encode(L, parcel, 1);
  uint64_t block = parcel_block(parcel, size);
  parcel_close(parcel);
  if (!block) return bind_fail(L, -ENOMEM);
  object_move(block, &family_slot(family_index())->outbox);
  return 0;
}

/* raise(number): that signal for this process. */
static int process_raise(lua_State *L) {
  lua_pushboolean(L, kill(getpid(), (int)luaL_checkinteger(L, 1)) == 0);
  return 1;
}

/* doze(list, timeout): sleeps until something may have happened to one of the processes, queues or
   pools (that are watched) in it, a slice at most: true when one of the processes is dead. */
static int process_doze(lua_State *L) {
  _Atomic uint32_t *words[FUTEX_MANY];
  uint32_t expected[FUTEX_MANY];
  int n = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  int64_t deadline = clock_slice(bind_deadline(L, 2));
  for (lua_Integer i = 1; n < FUTEX_MANY && lua_geti(L, 1, i) != LUA_TNIL; i++) {
    struct process *process = luaL_testudata(L, -1, CLASS);
    struct handle *queue = luaL_testudata(L, -1, bind_queue_class);
    struct handle *pipe = luaL_testudata(L, -1, bind_pipe_class);
    struct handle *pool = luaL_testudata(L, -1, bind_pool_class);
    lua_pop(L, 1);
    if (pool && pool->object) {
      words[n] = &((struct pool *)heap_payload(pool->object))->waited;
      expected[n++] = 1;
      continue;
    }
    if (pipe && pipe->object && pipe_end(pipe->object)->in) {
      words[n] = queue_watch(pipe_end(pipe->object)->in);
      if (queue_is_ready(pipe_end(pipe->object)->in)) return 0;
      expected[n++] = 1;
    } else if (queue && queue->object) {
      words[n] = queue_watch(queue->object);
      if (queue_is_ready(queue->object)) return 0;
      expected[n++] = 1;
    } else if (process && process->slot >= 0) {
      robust *life = &family_slot(process->slot)->life;
      words[n] = &life->word;
      expected[n] = atomic_load(&life->word);
      if (expected[n++] && robust_is_free(life)) return lua_pushboolean(L, 1), 1;
    }
  }
  int rc = n ? futex_wait_many(words, expected, n, deadline) : clock_sleep_until(deadline);
  if (!interrupt_again(L, rc)) interrupt_notice(L);
  return 0;
}

void bind_process(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"wait", process_m_wait},
      {"status", process_m_status},
      {"signal", process_m_signal},
      {"pid", process_m_pid},
      {"sentinel", process_m_sentinel},
      {"take", process_m_take},
      {"crash", process_m_crash},
      {"slot", process_m_slot},
      {"is_gone", process_m_is_gone},
      {"progress", process_m_progress},
      {"is_told", process_m_is_told},
      {"close", process_close},
      {NULL, NULL},
  };
  static const luaL_Reg functions[] = {{"fork", process_fork},     {"forks", process_forks},
                                       {"launch", process_launch}, {"leave", process_leave},
                                       {"raise", process_raise},   {"doze", process_doze},
                                       {"unwind", child_unwind},   {NULL, NULL}};
  bind_class(L, CLASS, methods, process_close);
  luaL_setfuncs(L, functions, 0);
}
