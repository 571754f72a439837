/* core.work: a worker's loop. One item: decode in place, call, encode into the job's own memory; no
   system call on the way.

     work -> run_job -> [protected] run_chunks: claim, run_items: decode, call, encode, publish
                     <- an error that left it (no memory): the item's outcome, the chunk ends there

   A task's own errors stay in the inner call. What is raised around it, in decoding and encoding,
   is Lua's memory error: then nobody knows where the next item begins, so the chunk is cut there
   and the parent gives out the rest anew. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "bind/arena.h"
#include "bind/bind.h"
#include "bind/guard.h"
#include "bind/interrupt.h"
#include "bind/joblog.h"
#include "bind/outcome.h"
#include "bind/work.h"
#include "codec/number.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "shm/family.h"
#include "shm/job.h"

struct run {
  struct pool *pool; /* NULL: in the process that made the job */
  struct job *job;
  struct chunk *chunk;
  struct arena arena;
  const char *input;
  size_t left;
  uint32_t number;
  uint64_t most;                   /* items until this worker is to leave; 0: no limit */
  int over;                        /* they are done */
  int64_t since;                   /* when the chunk began */
  uint64_t outer_item, outer_part; /* what this process had in hand before */
  int why;                         /* the item in hand was broken off: GUARD_ */
  char call[JOBLOG_NAME];          /* for the job log */
};

enum { RUN = 1, HANDLER, FUNCTION, REASON, ITEMS, TOP = ITEMS };
/* The stack of run_items; FUNCTION nil: it could not be had, for this REASON. ITEMS: inherited. */

/* The sender's globals count in a worker; where the job was made they are there. */
static unsigned globals_of(const struct run *run) {
  return run->pool ? CODEC_REPLACE_GLOBALS : 0;
}

/* (run) -> function, or nil and why not. */
static int load_function(lua_State *L) {
  const struct run *run = lua_touserdata(L, 1);
  const struct job *job = run->job;
  codec_handles handles = bind_handles(NULL);
  if (run->pool) codec_restore_globals(L);
  int rc = codec_decode(L, region_at(job->function), job->function_size, NULL, globals_of(run),
                        &handles);
  if (rc == 0) return 1;
  lua_pushnil(L);
  if (rc != -EBADMSG) lua_pushliteral(L, "not enough memory");
  if (rc == -EBADMSG) lua_pushvalue(L, -2);
  return 2;
}

/* Calls the function, which lies on top with its item above it: the status of the call. One value
 * takes their place. */
static int call_spread(lua_State *L, uint32_t mode) {
  int list = lua_gettop(L);
  lua_Integer n = lua_getfield(L, list, "n") == LUA_TNUMBER ? lua_tointeger(L, -1)
                                                            : (lua_Integer)lua_rawlen(L, list);
  lua_pop(L, 1);
  if (n > 200000 || !lua_checkstack(L, (int)n + 4)) {
    lua_pushliteral(L, "too many arguments");
    outcome_record(L, NULL);
    return LUA_ERRRUN;
  }
  lua_pushvalue(L, list - 1);
  for (lua_Integer i = 1; i <= n; i++) lua_rawgeti(L, list, i);
  int status = lua_pcall(L, (int)n, mode == JOB_CALL ? LUA_MULTRET : 1, HANDLER);
  if (status == LUA_OK && mode == JOB_CALL) {
    int results = lua_gettop(L) - list;
    lua_createtable(L, results, 1);
    lua_insert(L, list + 1);
    for (int i = results; i >= 1; i--) lua_rawseti(L, list + 1, i);
    lua_pushinteger(L, results);
    lua_setfield(L, list + 1, "n");
  }
  lua_replace(L, list - 1);
  lua_settop(L, list - 1);
  return status;
}

static int call(lua_State *L, uint32_t mode) {
  if (mode == JOB_SPREAD || mode == JOB_CALL) return call_spread(L, mode);
  int status = lua_pcall(L, 1, mode != JOB_EACH, HANDLER);
  if (status == LUA_OK && mode == JOB_EACH) lua_pushnil(L);
  return status;
}

/* Pushes the item, or why there is none: 1 or 0. Raises when where the next one begins is unknown,
 * too. */
static int push_item(lua_State *L, struct run *run, uint64_t index) {
  if (run->job->inherited) {
    lua_geti(L, ITEMS, (lua_Integer)index);
    return 1;
  }
  size_t used = number_push(L, run->input, run->left);
  if (used) {
    run->input += used;
    run->left -= used;
    return 1;
  }
  codec_handles handles = bind_handles(NULL);
  int rc = codec_decode(L, run->input, run->left, &used, globals_of(run), &handles);
  run->input += used;
  run->left -= used;
  if (rc != 0 && rc != -EBADMSG) lua_pushliteral(L, "not enough memory");
  if (rc != 0 && used == 0) lua_error(L);
  return rc == 0;
}

/* Says what kind of failure the record on top is, and which item's. */
static void mark_failure(lua_State *L, const struct job *job, int status, int why) {
  if (why)
    guard_record(L, job, status, why);
  else if (status == LUA_ERRMEM)
    outcome_record(L, "memory");
  else if (status != LUA_ERRRUN)
    outcome_record(L, NULL);
  uint64_t part = atomic_load_explicit(&family_status()->part, memory_order_relaxed);
  if (part == 0) return;
  lua_pushinteger(L, (lua_Integer)part);
  lua_setfield(L, -2, "index");
}

/* Leaves a result, or the record of a failure: 0 or 1. The guard stays over it until it is encoded
 * (append). */
static int run_item(lua_State *L, struct run *run, uint64_t index) {
  lua_settop(L, TOP);
  lua_pushvalue(L, FUNCTION);
  run->why = 0;
  guard_begin(run->job);
  int status = LUA_OK, there = push_item(L, run, index);
  if (there && lua_isnil(L, FUNCTION)) {
    lua_pushvalue(L, REASON);
    there = 0;
  }
  if (there) {
    guard_seed(run->job->base + index);
    status = call(L, run->job->mode);
  } else {
    outcome_record(L, NULL);
    status = LUA_ERRRUN;
  }
  if (status == LUA_OK) return 0;
  run->why = guard_now.why;
  mark_failure(L, run->job, status, run->why);
  return 1;
}

/* Makes one outcome known: its bytes first, then that it is there. */
static void publish(struct run *run, uint64_t done, int failed) {
  struct status *me = family_status();
  struct chunk *chunk = run->chunk;
  atomic_store_explicit(&chunk->output_size, arena_size(&run->arena), memory_order_relaxed);
  chunk->output = region_offset(run->arena.run);
  /* release: who sees the count sees the bytes */
  atomic_store_explicit(&chunk->done_items, done, memory_order_release);
  _Atomic uint64_t *count = failed ? &me->failed : &me->done;
  atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
                        memory_order_relaxed);
  if (failed && !run->job->collect) job_stop(run->pool, run->job);
}

/* The item has been broken off, though it had an outcome, or while that was encoded. */
static int retract(lua_State *L, struct run *run, size_t before, int why) {
  run->why = why;
  arena_rewind(&run->arena, before);
  lua_pushliteral(L, "");
  mark_failure(L, run->job, LUA_ERRMEM, why);
  return outcome_encode(L, &run->arena, 1);
}

/* Encodes what is on top as an outcome: 0 or 1 as outcome_encode, or -errno with nothing written.
 */
static int append(lua_State *L, struct run *run, int failed) {
  size_t before = atomic_load_explicit(&run->chunk->done_items, memory_order_relaxed) == 0
                      ? 0
                      : atomic_load_explicit(&run->chunk->output_size, memory_order_relaxed);
  int rc = outcome_encode(L, &run->arena, failed), why = guard_end();
  if (why && !run->why) rc = retract(L, run, before, why);
  int held = rc < 0 ? 0 : arena_hold(&run->arena);
  if (rc >= 0 && held >= 0) return rc;
  arena_rewind(&run->arena, before);
  return -ENOMEM;
}

/* run_item and append; with a line for the job log. */
static int log_item(lua_State *L, struct run *run, uint64_t index) {
  int64_t start = joblog_begin();
  int failed = run_item(L, run, index);
  const char *outcome = joblog_outcome(L, failed);
  int rc = append(L, run, failed);
  if (rc < 0) outcome = "memory";
  if (rc > failed) /* the result cannot be sent */
    outcome = run->why ? guard_kind(run->why) : "error";
  joblog_end(start, run->call, run->job->base + index, outcome);
  return rc;
}

/* Works through the chunk: the state it ends in. */
static uint32_t run_items(lua_State *L, struct run *run) {
  struct status *me = family_status();
  struct chunk *chunk = run->chunk;
  run->input = region_at(chunk->input);
  run->left = chunk->input_size;
  arena_begin(&run->arena);
  for (uint64_t i = 0; i < chunk->items; i++) {
    if (atomic_load_explicit(&run->job->stop, memory_order_relaxed)) break;
    atomic_store_explicit(&me->item, chunk->first + i, memory_order_relaxed);
    guard_make_room(L);
    int failed = joblog_fd < 0 ? append(L, run, run_item(L, run, chunk->first + i))
                               : log_item(L, run, chunk->first + i);
    if (failed < 0) return CHUNK_FULL;
    publish(run, i + 1, failed);
    if (guard_is_heavy(L) && run->pool) run->most = i + 1;
    if (i + 1 == run->most && i + 1 < chunk->items) return CHUNK_CUT;
  }
  return CHUNK_DONE;
}

/* The chunk that is claimed; its first item is in hand from here on. */
static void begin_chunk(struct run *run, int64_t number) {
  struct status *me = family_status();
  run->number = (uint32_t)number;
  run->chunk = &run->job->chunk[number];
  atomic_store_explicit(&me->since, (uint64_t)run->since, memory_order_relaxed);
  atomic_store_explicit(&me->item, run->chunk->first, memory_order_relaxed);
}

/* Whether there was a chunk to be had. */
static int claim(struct run *run) {
  int64_t number = run->over ? -1 : job_claim(run->job);
  if (number >= 0) begin_chunk(run, number);
  return number >= 0;
}

static void end_chunk(struct run *run, uint32_t state) {
  struct status *me = family_status();
  int64_t now = clock_now();
  run->chunk->busy = (uint64_t)(now - run->since);
  run->since = now;
  atomic_store_explicit(&me->item, run->outer_item, memory_order_relaxed);
  atomic_store_explicit(&me->part, run->outer_part, memory_order_relaxed);
  atomic_store_explicit(&me->busy, me->busy + run->chunk->busy, memory_order_relaxed);
  uint64_t done = atomic_load_explicit(&run->chunk->done_items, memory_order_relaxed);
  job_finish(run->pool, run->job, run->number, state);
  run->chunk = NULL;
  if (run->most) run->over = run->most <= done;
  if (run->most && !run->over) run->most -= done;
}

/* Fills function and reason. */
static void have_function(lua_State *L, struct run *run) {
  lua_pushcfunction(L, load_function);
  lua_pushlightuserdata(L, run);
  lua_call(L, 1, 2);
  lua_replace(L, REASON);
  lua_replace(L, FUNCTION);
}

/* (run, handler, function, reason, items): works until no chunk is free, or this worker has done
 * its share. */
static int run_chunks(lua_State *L) {
  struct run *run = lua_touserdata(L, RUN);
  int loaded = run->job->inherited != 0;
  while (claim(run)) {
    if (!loaded) have_function(L, run);
    loaded = 1;
    if (joblog_fd >= 0 && !*run->call) {
      lua_pushvalue(L, FUNCTION);
      joblog_call(L, run->call);
      lua_pop(L, 1);
    }
    end_chunk(run, run_items(L, run));
  }
  return 0;
}

/* (run, message): the outcome of the item at which run_items was left -> the chunk's end. */
static int give_up_item(lua_State *L) {
  struct run *run = lua_touserdata(L, 1);
  uint64_t done = atomic_load_explicit(&run->chunk->done_items, memory_order_relaxed);
  if (done == 0) arena_begin(&run->arena);
  outcome_record(L, "memory");
  if (run->why) mark_failure(L, run->job, LUA_ERRRUN, run->why);
  if (joblog_fd >= 0)
    joblog_end((int64_t)family_status()->since, run->call,
               run->job->base + run->chunk->first + done,
               run->why ? guard_kind(run->why) : "memory");
  if (append(L, run, 1) < 0) return lua_pushinteger(L, CHUNK_FULL), 1;
  publish(run, done + 1, 1);
  lua_pushinteger(L, done + 1 < run->chunk->items ? CHUNK_CUT : CHUNK_DONE);
  return 1;
}

/* The error on top left run_chunks: the chunk in hand ends there. */
static void end_early(lua_State *L, struct run *run) {
  run->why = guard_end();
  lua_gc(L, LUA_GCCOLLECT);
  lua_pushcfunction(L, give_up_item);
  lua_insert(L, -2);
  lua_pushlightuserdata(L, run);
  lua_insert(L, -2);
  int known = lua_pcall(L, 2, 1, 0) == LUA_OK;
  end_chunk(run, known ? (uint32_t)lua_tointeger(L, -1) : CHUNK_FULL);
  lua_pop(L, 1);
}

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

/* Works on the job until no chunk is free or *most items are done, which it counts down: whether
   they are. The stack has handler, f, nil, items at `base`; f and items of an inherited job. */
static int run_job(lua_State *L, int base, struct pool *pool, uint64_t block, uint64_t *most) {
  struct status *me = family_status();
  struct run run = {.pool = pool,
                    .job = heap_payload(block),
                    .most = *most,
                    .outer_item = me->item,
                    .outer_part = me->part,
                    .since = clock_now()};
  struct guard guard;
  arena_init(&run.arena, block);
  if (run.job->spare_size) arena_borrow(&run.arena);
  guard_open(L, &guard, run.job);
  for (;;) {
    lua_pushcfunction(L, run_chunks);
    lua_pushlightuserdata(L, &run);
    for (int i = 0; i < 4; i++) lua_pushvalue(L, base + i);
    if (lua_pcall(L, 5, 0, 0) == LUA_OK) break;
    if (!run.chunk && !claim(&run)) { /* it found no memory to begin: nor would it the next time */
      lua_pop(L, 1);
      break;
    }
    end_early(L, &run);
  }
  guard_close(L, &guard);
  if (pool) forget_interrupts();
  arena_fini(&run.arena);
  *most = run.most;
  return run.over;
}

static void worker_stack(lua_State *L, int f, int items) {
  luaL_checkstack(L, 24, NULL);
  lua_pushcfunction(L, outcome_handler);
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
    if (!job && getppid() != parent) break;
    if (!job) continue;
    int over = run_job(L, 5, pool, job, &most);
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
  atomic_store_explicit(&family_status()->part, index, memory_order_relaxed);
  guard_seed(index);
  guard_restart_clock();
  return 0;
}

/* number(): one for the next call that the item in hand makes of the pool it works for, the same
   wherever it runs; nil: there is no item in hand. */
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

void bind_worker(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"work", worker_work},   {"work_here", worker_work_here}, {"at", worker_at},
      {"limit", worker_limit}, {"nice", worker_nice},           {"pin", worker_pin},
      {"weigh", worker_weigh}, {"number", worker_number},       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  lua_pushinteger(L, WORK_SIGNAL);
  lua_setfield(L, -2, "stop_signal");
  guard_find_random(L);
}
