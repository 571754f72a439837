/* A worker's work on one job: see run.h. */
#include "bind/run.h"

#include "bind/arena.h"
#include "bind/bind.h"
#include "bind/guard.h"
#include "bind/interrupt.h"
#include "bind/item.h"
#include "bind/joblog.h"
#include "bind/kept.h"
#include "bind/lines.h"
#include "bind/outcome.h"
#include "bind/process.h"
#include "bind/values.h"
#include "codec/brief.h"
#include "os/clock.h"
#include "shm/family.h"
#include "shm/job.h"

#include <errno.h>
#include <lauxlib.h>
#include <limits.h>

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
  int loaded, missing;             /* the function has been asked for; it could not be had */
  int calling;                     /* what is raised now is the task's */
  int plain;                       /* the item in hand is a call's arguments one by one */
  int encoded;                     /* the outcome in hand is in the arena already */
  int64_t since;                   /* when the chunk began */
  int64_t logged;                  /* when the item did, if there is a job log */
  int nested;                      /* this process has an item of another job in hand, which */
  uint64_t outer_item, outer_part; /* stands in its status: what dies here dies with that one */
  uint64_t part;                   /* as status.part, of this job's item */
  struct run *outer;               /* and where it was */
  int why;                         /* the item in hand was broken off: GUARD_ */
  int heavy;                       /* this process is too heavy for another item */
  uint64_t starter, last_start;    /* the item, from 1, that last started a process or pool */
  char call[JOBLOG_NAME];          /* for the job log */
};

/* A task may call a pool without workers, or its own. */
static _Thread_local struct run *innermost;

enum { RUN = 1, FUNCTION, REASON, ITEMS, TOP = ITEMS };
/* The stack of run_items; FUNCTION nil: it could not be had, for this REASON. ITEMS: inherited. */

/* The sender's globals count in a worker; where the job was made they are there. */
static unsigned globals_of(const struct run *run) {
  return run->pool ? CODEC_REPLACE_GLOBALS : 0;
}

/* (run) -> function, or nil and why not. */
static int load_function(lua_State *L) {
  const struct run *run = lua_touserdata(L, 1);
  const struct job *job = run->job;
  const char *message = region_at(job->function);
  codec_handles handles = bind_handles(NULL);
  if (run->pool) codec_restore_globals(L);
  if (run->pool && kept_push(L, message, job->function_size)) return 1;
  int rc = codec_decode(L, message, job->function_size, NULL, globals_of(run), &handles);
  if (rc == 0 && run->pool) kept_add(L, message, job->function_size);
  if (rc == 0) return 1;
  lua_pushnil(L);
  if (!codec_told(rc)) lua_pushliteral(L, "not enough memory");
  if (codec_told(rc)) lua_pushvalue(L, -2);
  return 2;
}

/* How many values the list has: its own field n says it, or its length does. */
static lua_Integer length(lua_State *L, int list) {
  int whole;
  lua_pushliteral(L, "n");
  int type = lua_rawget(L, list);
  lua_Integer n = lua_tointegerx(L, -1, &whole);
  if (type != LUA_TNIL && (type != LUA_TNUMBER || !whole || n < 0)) {
    const char *quote = type == LUA_TSTRING ? "\"" : "", *got = luaL_tolstring(L, -1, NULL);
    lua_pushfstring(L, "its field n: a whole number of at least 0 expected, got %s%s%s", quote, got,
                    quote);
    lua_error(L);
  }
  lua_pop(L, 1);
  return type == LUA_TNIL ? (lua_Integer)lua_rawlen(L, list) : n;
}

/* The list on top makes way for what is in it: how many values. */
static int spread(lua_State *L) {
  int list = lua_gettop(L);
  lua_Integer n = length(L, list);
  if (n > INT_MAX - 4 || !lua_checkstack(L, (int)n + 4)) {
    lua_pushliteral(L, "too many arguments");
    lua_error(L);
  }
  for (lua_Integer i = 1; i <= n; i++) lua_rawgeti(L, list, i);
  lua_remove(L, list);
  return (int)n;
}

/* All that the function returned, which lies above `base`, becomes the outcome; so much that there
 * is no more stack is the task's error. */
static void give_results(lua_State *L, struct run *run, int base) {
  int n = lua_gettop(L) - base;
  if (!lua_checkstack(L, 4)) {
    lua_settop(L, base);
    run->calling = 1;
    luaL_error(L, "too many results");
  }
  run->encoded = values_put(L, &run->arena, base + 1, n);
  if (run->encoded)
    lua_settop(L, base);
  else
    values_to_list(L, n);
}

/* Calls the function, which lies below its arguments: `values` of them, or the item in one value.
 * Leaves its result, or has it encoded already. */
static void call(lua_State *L, struct run *run, int values) {
  uint32_t mode = run->job->mode;
  int base = lua_gettop(L) - values - 1;
  run->calling = 1;
  if (mode == JOB_SPREAD || (mode == JOB_CALL && !run->plain)) values = spread(L);
  lua_call(L, values, mode == JOB_CALL ? LUA_MULTRET : mode != JOB_EACH);
  run->calling = 0;
  if (mode == JOB_CALL) give_results(L, run, base);
  if (mode == JOB_EACH) lua_pushnil(L);
}

/* The message handler of run_chunks. */
int run_on_error(lua_State *L) {
  return innermost->calling ? outcome_handler(L) : 1;
}

/* Pushes the item: how many values it is; or why there is none: -1. Raises when where the next one
 * begins is unknown, too. */
static int push_item(lua_State *L, struct run *run, uint64_t index) {
  if (run->job->inherited) {
    lua_geti(L, ITEMS, (lua_Integer)index);
    return 1;
  }
  run->plain = run->job->mode == JOB_CALL && values_begin(run->input, run->left);
  if (run->plain) return values_push(L, &run->input, &run->left);
  codec_handles handles = bind_handles(NULL);
  size_t head = item_head(run->input, run->left), used;
  run->input += head;
  run->left -= head;
  int rc = brief_decode(L, run->input, run->left, &used, globals_of(run), &handles);
  run->input += used;
  run->left -= used;
  if (rc != 0 && !codec_told(rc)) lua_pushliteral(L, "not enough memory");
  if (rc != 0 && used == 0) lua_error(L);
  return rc == 0 ? 1 : -1;
}

/* Says what kind of failure the record on top is, and which item's. */
static void mark_failure(lua_State *L, int status, int why) {
  if (why)
    guard_record(L, status, why);
  else if (status == LUA_ERRMEM)
    outcome_record(L, "memory");
  else if (status != LUA_ERRRUN)
    outcome_record(L, NULL);
  uint64_t part = innermost->part;
  if (part == 0) return;
  lua_pushinteger(L, (lua_Integer)part);
  lua_setfield(L, -2, "index");
}

/* Leaves a result, or the record of a failure: 0 or 1. The guard stays over it until it is encoded
 * (append). */
static int run_item(lua_State *L, struct run *run, uint64_t index) {
  lua_pushvalue(L, FUNCTION);
  run->why = 0;
  guard_begin(run->job);
  int values = push_item(L, run, index);
  if (values >= 0 && !run->missing) {
    guard_seed(run->job->base + index);
    call(L, run, values);
    return 0;
  }
  if (values >= 0) lua_pushvalue(L, REASON);
  outcome_record(L, NULL);
  run->why = guard_now.why;
  mark_failure(L, LUA_ERRRUN, run->why);
  return 1;
}

/* Makes the outcomes of `done` items known: what they have printed comes first, for this worker may
 * be killed before it prints more, then their bytes, then that they are there. */
static inline void show(const struct run *run, uint64_t done) {
  struct chunk *chunk = run->chunk;
  if (run->pool) lines_flush();
  atomic_store_explicit(&chunk->output_size, arena_size(&run->arena), memory_order_relaxed);
  atomic_store_explicit(&chunk->output, region_offset(run->arena.run), memory_order_relaxed);
  /* release: who sees the count sees the bytes */
  atomic_store_explicit(&chunk->done_items, done, memory_order_release);
}

/* One more; nobody else writes it. */
static inline void count(_Atomic uint64_t *items) {
  uint64_t n = atomic_load_explicit(items, memory_order_relaxed);
  atomic_store_explicit(items, n + 1, memory_order_relaxed);
}

static void publish(struct run *run, uint64_t done, int failed) {
  struct status *me = family_status();
  show(run, done);
  count(failed ? &me->failed : &me->done);
  if (failed && !run->job->collect) job_stop(run->pool, run->job);
}

/* The item has been broken off, though it had an outcome, or while that was encoded. */
static int retract(lua_State *L, struct run *run, size_t before, int why) {
  run->why = why;
  arena_rewind(&run->arena, before);
  lua_pushliteral(L, "");
  mark_failure(L, LUA_ERRMEM, why);
  return outcome_encode(L, &run->arena, 1);
}

/* Bytes of the outcomes that are known. */
static size_t published(const struct chunk *chunk) {
  if (atomic_load_explicit(&chunk->done_items, memory_order_relaxed) == 0) return 0;
  return atomic_load_explicit(&chunk->output_size, memory_order_relaxed);
}

static uint64_t done_items(const struct run *run) {
  return atomic_load_explicit(&run->chunk->done_items, memory_order_relaxed);
}

/* Of the job's items, from 1; 0: none. */
static uint64_t in_hand(const struct run *run) {
  return run->chunk ? run->chunk->first + done_items(run) : 0;
}

uint64_t run_number(void) {
  static _Atomic uint64_t numbers;
  uint64_t last = atomic_fetch_add(&numbers, 1);
  for (struct run *run = innermost; run; run = run->outer) {
    if (run->starter == in_hand(run)) continue;
    run->starter = in_hand(run);
    run->last_start = last;
  }
  return last + 1;
}

void run_forget(void) {
  innermost = NULL;
}

const char run_break_key;

static void break_off(lua_State *L, const struct run *run) {
  if (!run->starter || run->starter != in_hand(run)) return;
  process_break_off(L, run->last_start);
  if (!lua_checkstack(L, 2)) return;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &run_break_key);
  lua_pushinteger(L, (lua_Integer)run->last_start);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
}

/* Encodes what is on top as an outcome: 0 or 1 as outcome_encode, or -errno with nothing written.
 */
static int append(lua_State *L, struct run *run, int failed) {
  size_t before = published(run->chunk);
  int rc = run->encoded ? 0 : outcome_encode(L, &run->arena, failed), why = guard_end();
  run->encoded = 0;
  if (why && !run->why) rc = retract(L, run, before, why);
  if (why) break_off(L, run);
  int held = rc < 0 ? 0 : arena_hold(&run->arena);
  if (rc >= 0 && held >= 0) return rc;
  arena_rewind(&run->arena, before);
  return -ENOMEM;
}

static void log_item(const struct run *run, uint64_t done, const char *outcome) {
  joblog_end(run->logged, run->call, run->job->base + run->chunk->first + done, outcome);
}

/* Whether this worker has done its share when `done` items of the chunk are. Its share grows by an
 * item while a process lives that it would have to wait for. */
static int is_spent(struct run *run, uint64_t done) {
  if (!run->most || done < run->most) return 0;
  if (run->heavy || !process_has_living()) return 1;
  run->most = done + 1;
  return 0;
}

/* The outcome on top becomes that of the item in hand, which is the chunk's after `done` others:
 * 0, or the state in which the chunk ends there. */
static uint32_t finish_item(lua_State *L, struct run *run, uint64_t done, int failed) {
  const char *outcome = joblog_fd < 0 ? NULL : joblog_outcome(L, failed);
  int rc = append(L, run, failed);
  if (outcome && rc > failed) /* the result cannot be sent */
    outcome = run->why ? guard_kind(run->why) : "error";
  if (outcome) log_item(run, done, rc < 0 ? "memory" : outcome);
  if (rc < 0) return CHUNK_FULL;
  publish(run, ++done, rc);
  if (rc) lua_settop(L, TOP);
  if (guard_is_heavy(L) && run->pool) {
    run->most = done;
    run->heavy = 1;
  }
  return is_spent(run, done) && done < run->chunk->items ? CHUNK_CUT : 0;
}

static inline void take_in_hand(const struct run *run, struct status *me, uint64_t index) {
  if (!run->nested) atomic_store_explicit(&me->item, index, memory_order_relaxed);
}

void run_at(uint64_t part) {
  if (!innermost) return;
  innermost->part = part;
  if (!innermost->nested) atomic_store_explicit(&family_status()->part, part, memory_order_relaxed);
}

/* Whether nothing but the function stands between the job's items and their outcomes. */
static int is_bare(const struct run *run) {
  const struct job *job = run->job;
  return job->mode == JOB_ITEM && !job->timeout && !guard_now.time.outer && !run->missing &&
         !guard_now.limited && joblog_fd < 0;
}

/* The short way of brief values (codec/brief.h), for a job that is bare: works on items from the
   one after `done` others on, as long as they are such, or inherited, and their results such: how
   many have ended. *called: the result of the next is on top. Says of each what run_item and
   finish_item do. */
static uint64_t run_brief(lua_State *L, struct run *run, uint64_t done, int *called) {
  struct status *me = family_status();
  struct chunk *chunk = run->chunk;
  uint64_t most = run->most ? run->most : UINT64_MAX, items = chunk->items;
  run->why = 0;
  for (; done < items; done++) {
    uint64_t index = chunk->first + done;
    if (atomic_load_explicit(&run->job->stop, memory_order_relaxed)) break;
    take_in_hand(run, me, index);
    lua_pushvalue(L, FUNCTION);
    if (run->job->inherited) {
      lua_geti(L, ITEMS, (lua_Integer)index);
    } else {
      size_t used = brief_push(L, run->input, run->left);
      run->input += used;
      run->left -= used;
      if (used == 0) break;
    }
    guard_seed(run->job->base + index);
    run->calling = 1;
    lua_call(L, 1, 1);
    run->calling = 0;
    *called = done + 1 == most || !brief_put(L, -1, &run->arena.sink);
    if (*called) break;
    show(run, done + 1);
    count(&me->done);
    lua_pop(L, 1);
  }
  if (!*called) lua_settop(L, TOP);
  return done;
}

/* Works through the chunk, or what is left of it: the state it ends in. */
static uint32_t run_items(lua_State *L, struct run *run) {
  struct status *me = family_status();
  struct chunk *chunk = run->chunk;
  uint64_t done = atomic_load_explicit(&chunk->done_items, memory_order_relaxed);
  int bare = is_bare(run);
  lua_settop(L, TOP);
  for (uint32_t state; done < chunk->items; done++) {
    int called = 0, failed = 0;
    if (bare) done = run_brief(L, run, done, &called);
    if (!called) {
      if (done == chunk->items) break;
      if (atomic_load_explicit(&run->job->stop, memory_order_relaxed)) break;
      take_in_hand(run, me, chunk->first + done);
      guard_make_room(L);
      if (joblog_fd >= 0) run->logged = joblog_begin();
      failed = run_item(L, run, chunk->first + done);
    }
    state = finish_item(L, run, done, failed);
    if (state) return state;
  }
  return CHUNK_DONE;
}

/* The chunk that is claimed; its first item is in hand from here on. */
static void begin_chunk(struct run *run, int64_t number) {
  struct status *me = family_status();
  run->number = (uint32_t)number;
  run->chunk = &run->job->chunk[number];
  run->input = region_at(run->chunk->input);
  run->left = run->chunk->input_size;
  arena_begin(&run->arena);
  atomic_store_explicit(&me->since, (uint64_t)run->since, memory_order_relaxed);
  take_in_hand(run, me, run->chunk->first);
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
  run->part = 0;
  if (!run->nested)
    atomic_store_explicit(&me->busy, me->busy + run->chunk->busy, memory_order_relaxed);
  uint64_t done = done_items(run);
  job_finish(run->pool, run->job, run->number, state);
  run->chunk = NULL;
  run->over = is_spent(run, done);
  if (run->most && !run->over) run->most -= done;
}

/* (run, function, reason, items): works until no chunk is free, or this worker has done its share;
 * first on what is left of the chunk in hand. */
static int run_chunks(lua_State *L) {
  struct run *run = lua_touserdata(L, RUN);
  if (joblog_fd >= 0 && !*run->call) {
    lua_pushvalue(L, FUNCTION);
    joblog_call(L, run->call);
    lua_pop(L, 1);
  }
  do end_chunk(run, run_items(L, run));
  while (claim(run));
  return 0;
}

/* A job of this process's own, whose item left this record: if the process is interrupted, so is
 * the job, whatever becomes of failures. */
static void stop_interrupted(lua_State *L, const struct run *run) {
  if (run->pool || !lua_istable(L, -1)) return;
  lua_getfield(L, -1, "message");
  if (interrupt_is_told(L)) job_stop(NULL, run->job);
  lua_pop(L, 1);
}

/* (run, record, status): of a task that raised. */
static int fail_item(lua_State *L) {
  struct run *run = lua_touserdata(L, 1);
  int status = (int)lua_tointeger(L, 3);
  lua_settop(L, 2);
  stop_interrupted(L, run);
  run->why = guard_now.why;
  if (run->why || status == LUA_ERRMEM || atomic_load(&run->job->stop)) break_off(L, run);
  mark_failure(L, status, run->why);
  uint32_t state = finish_item(L, run, done_items(run), 1);
  if (state) end_chunk(run, state);
  return 0;
}

/* (run, message): the outcome of the item at which run_items was left -> the chunk's end. */
static int give_up_item(lua_State *L) {
  struct run *run = lua_touserdata(L, 1);
  uint64_t done = done_items(run);
  arena_rewind(&run->arena, published(run->chunk));
  outcome_record(L, "memory");
  if (run->why) mark_failure(L, LUA_ERRRUN, run->why);
  if (joblog_fd >= 0) {
    run->logged = (int64_t)family_status()->since;
    log_item(run, done, run->why ? guard_kind(run->why) : "memory");
  }
  if (append(L, run, 1) < 0) return lua_pushinteger(L, CHUNK_FULL), 1;
  publish(run, done + 1, 1);
  lua_pushinteger(L, done + 1 < run->chunk->items ? CHUNK_CUT : CHUNK_DONE);
  return 1;
}

/* The error on top left run_chunks, and is not a task's: the chunk in hand ends there. */
static void end_early(lua_State *L, struct run *run) {
  run->why = guard_end();
  break_off(L, run);
  lua_gc(L, LUA_GCCOLLECT);
  lua_pushcfunction(L, give_up_item);
  lua_insert(L, -2);
  lua_pushlightuserdata(L, run);
  lua_insert(L, -2);
  int known = lua_pcall(L, 2, 1, 0) == LUA_OK;
  end_chunk(run, known ? (uint32_t)lua_tointeger(L, -1) : CHUNK_FULL);
  lua_pop(L, 1);
}

/* What is on top left run_chunks. */
static void run_failed(lua_State *L, struct run *run, int status) {
  if (run->calling) {
    run->calling = 0;
    lua_pushcfunction(L, fail_item);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, run);
    lua_insert(L, -2);
    lua_pushinteger(L, status);
    if (lua_pcall(L, 3, 0, 0) == LUA_OK) return;
  }
  end_early(L, run);
}

/* Fills function and reason, behind the handler at `base`. LUA_OK, or the status of an error that
 * is on top. */
static int have_function(lua_State *L, int base, struct run *run) {
  if (run->loaded) return LUA_OK;
  lua_pushcfunction(L, load_function);
  lua_pushlightuserdata(L, run);
  int status = lua_pcall(L, 1, 2, 0);
  if (status != LUA_OK) return status;
  lua_replace(L, base + REASON - RUN);
  lua_replace(L, base + FUNCTION - RUN);
  run->missing = lua_isnil(L, base + FUNCTION - RUN);
  run->loaded = 1;
  return LUA_OK;
}

static int run_protected(lua_State *L, int base, struct run *run) {
  int status = have_function(L, base, run);
  if (status != LUA_OK) return status;
  lua_pushcfunction(L, run_chunks);
  lua_pushlightuserdata(L, run);
  for (int i = FUNCTION; i <= ITEMS; i++) lua_pushvalue(L, base + i - RUN);
  return lua_pcall(L, TOP, 0, base);
}

/* Nothing of the job stays in the worker. */
static void forget_function(lua_State *L, int base, const struct run *run) {
  if (run->job->inherited) return;
  for (int i = FUNCTION; i <= REASON; i++) {
    lua_pushnil(L);
    lua_replace(L, base + i - RUN);
  }
}

int run_job(lua_State *L, int base, struct pool *pool, uint64_t block, uint64_t *most) {
  struct status *me = family_status();
  struct run run = {.pool = pool,
                    .job = heap_payload(block),
                    .most = *most,
                    .nested = me->item != STATUS_NONE,
                    .outer_item = me->item,
                    .outer_part = me->part,
                    .outer = innermost,
                    .since = clock_now()};
  struct guard guard;
  run.loaded = run.job->inherited;
  arena_init(&run.arena, block);
  if (run.job->spare_size) arena_borrow(&run.arena);
  guard_open(L, &guard, run.job);
  innermost = &run;
  while (run.chunk || claim(&run)) {
    int status = run_protected(L, base, &run);
    if (status == LUA_OK) break;
    if (run.chunk)
      run_failed(L, &run, status);
    else
      lua_pop(L, 1);
  }
  innermost = run.outer;
  guard_close(L, &guard);
  forget_function(L, base, &run);
  arena_fini(&run.arena);
  *most = run.most;
  return run.over;
}
