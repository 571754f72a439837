/* core.pool and core.job: the parent's side of a pool. Which job when, what becomes of lost items,
 * is lua/mphost/pool.lua's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bind/arena.h"
#include "bind/bind.h"
#include "bind/interrupt.h"
#include "bind/outcome.h"
#include "os/clock.h"
#include "shm/family.h"
#include "shm/job.h"
#include "shm/object.h"

#define CLASS "mphost.core.Job"
#define SHAPE "mphost.core.Shape"
#define CHUNKS 1024          /* about as many are made of a long list */
#define MOST_ITEMS INT32_MAX /* of a chunk */

struct work {
  uint64_t block; /* the job; 0: freed */
  uint32_t next;  /* first chunk not collected yet */
  uint64_t count; /* outcomes in those before */
};

struct shape {
  uint32_t mode, collect, inherited;
  lua_Integer chunk, workers;
  uint64_t seed, timeout, base;
};

/* pool(workers) */
static int pool_create(lua_State *L) {
  lua_Integer workers = luaL_checkinteger(L, 1);
  luaL_argcheck(L, workers >= 0 && workers <= (lua_Integer)FAMILY_MOST, 1, "too many");
  struct handle *handle = handle_new(L, bind_pool_class);
  uint64_t hold, pool = pool_new((uint32_t)workers, family_ledger(), &hold);
  if (!pool) return bind_fail(L, -ENOMEM);
  handle_open(L, handle, pool, hold);
  return 1;
}

static struct pool *check_pool_at(lua_State *L, int arg) {
  return heap_payload(handle_check(L, arg, bind_pool_class)->object);
}

static struct pool *check_pool(lua_State *L) {
  return check_pool_at(L, 1);
}

static struct work *check_work(lua_State *L, int arg) {
  struct work *work = luaL_checkudata(L, arg, CLASS);
  luaL_argcheck(L, work->block != 0, arg, "the job is over");
  return work;
}

uint64_t bind_job_block(lua_State *L, int arg) {
  return check_work(L, arg)->block;
}

static struct job *job_of(const struct work *work) {
  return heap_payload(work->block);
}

/* post(job): true, or nil when too many jobs are posted. */
static int pool_m_post(lua_State *L) {
  int rc = pool_post(check_pool(L), check_work(L, 2)->block);
  if (rc < 0) return bind_fail(L, rc);
  lua_pushboolean(L, 1);
  return 1;
}

static int pool_m_stop(lua_State *L) {
  pool_close(check_pool(L));
  return 0;
}

/* Wakes all workers that sleep though there may be work. */
static int pool_m_nudge(lua_State *L) {
  pool_nudge(check_pool(L));
  return 0;
}

/* watch(): from now on the end of any chunk wakes who sleeps in core.doze. */
static int pool_m_watch(lua_State *L) {
  atomic_store(&check_pool(L)->waited, 1);
  return 0;
}

/* listen(): the end of the next chunk rings the bell: for event loops. */
static int pool_m_listen(lua_State *L) {
  pool_listen(check_pool(L));
  return 0;
}

/* enlist(number, slot or nil): that worker has this slot, or none any more. */
static int pool_m_enlist(lua_State *L) {
  struct pool *pool = check_pool(L);
  uint32_t number = (uint32_t)luaL_checkinteger(L, 2) - 1;
  pool_enlist(pool, number, (int)luaL_optinteger(L, 3, -1));
  if (lua_isnoneornil(L, 3)) pool_sweep(pool);
  return 0;
}

/* ---- making a job ---- */

/* How many items the next chunk gets: a fixed number, or a quarter of each worker's share of what
   is left, but not more than `most`: the last ones are single, so nobody ends late. */
struct cut {
  lua_Integer fixed, workers, most;
};

static lua_Integer chunk_size(lua_Integer left, const struct cut *cut) {
  lua_Integer size = cut->fixed > 0 ? cut->fixed : left / (4 * cut->workers);
  if (size > cut->most) size = cut->most;
  if (size < 1) size = 1;
  return size < left ? size : left;
}

static uint32_t count_chunks(lua_Integer items, const struct cut *cut) {
  uint32_t n = 0;
  for (lua_Integer left = items; left > 0; n++) left -= chunk_size(left, cut);
  return n;
}

static int raise_arena(lua_State *L, struct arena *arena, struct work *work, int rc) {
  arena_fini(arena);
  object_drop(work->block);
  work->block = 0;
  if (rc == -EINVAL) return lua_error(L);
  if (rc == -EBADF) return luaL_error(L, "cannot send a handle that is closed");
  return bind_fail(L, rc);
}

static int encode_function(lua_State *L, struct arena *arena, struct job *job, int index) {
  arena_begin(arena);
  int rc = arena_encode(L, arena, index);
  if (rc < 0) return rc;
  job->function = region_offset(arena->run);
  job->function_size = arena_size(arena);
  return arena_hold(arena);
}

/* Item `index` of the list at 2. */
static int encode_item(lua_State *L, struct arena *arena, lua_Integer index) {
  lua_geti(L, 2, index);
  int rc = arena_encode(L, arena, -1);
  if (rc == -EINVAL) {
    lua_pushfstring(L, "item %I: %s", index, lua_tostring(L, -1));
    return rc;
  }
  lua_pop(L, 1);
  return rc;
}

static int encode_chunk(lua_State *L, struct arena *arena, struct chunk *chunk, lua_Integer first,
                        lua_Integer items) {
  arena_begin(arena);
  for (lua_Integer i = 0; i < items; i++) {
    int rc = encode_item(L, arena, first + i);
    if (rc < 0) return rc;
  }
  chunk->input = region_offset(arena->run);
  chunk->input_size = arena_size(arena);
  return arena_hold(arena);
}

/* shape(mode, chunk, workers, collect, seed, timeout, inherited [, base]): how the items of a job
   are worked on. mode: as in job.h; chunk 0: sizes by themselves; timeout in ns, 0: none;
   inherited: the workers have f and items; base: items of the call before these. */
static int shape_create(lua_State *L) {
  struct shape shape = {.mode = (uint32_t)luaL_checkinteger(L, 1),
                        .chunk = luaL_checkinteger(L, 2),
                        .workers = luaL_checkinteger(L, 3),
                        .collect = (uint32_t)lua_toboolean(L, 4),
                        .seed = (uint64_t)luaL_checkinteger(L, 5),
                        .timeout = (uint64_t)luaL_checkinteger(L, 6),
                        .inherited = (uint32_t)lua_toboolean(L, 7),
                        .base = (uint64_t)luaL_optinteger(L, 8, 0)};
  luaL_argcheck(L, shape.workers >= 1, 3, "at least one");
  *(struct shape *)lua_newuserdatauv(L, sizeof shape, 0) = shape;
  luaL_setmetatable(L, SHAPE);
  return 1;
}

static struct cut cut_of(const struct shape *shape, lua_Integer items) {
  struct cut cut = {.fixed = shape->chunk, .workers = shape->workers, .most = MOST_ITEMS};
  if (cut.fixed <= 0) cut.most = items / CHUNKS + 1;
  return cut;
}

static void shape_job(struct job *job, const struct shape *shape) {
  job->collect = (uint8_t)shape->collect;
  job->mode = (uint8_t)shape->mode;
  job->inherited = (uint8_t)shape->inherited;
  job->base = shape->base;
  job->seed = shape->seed;
  job->timeout = shape->timeout;
}

static int fill_job(lua_State *L, struct job *job, struct arena *arena, lua_Integer first,
                    lua_Integer items, const struct cut *cut) {
  int rc = job->inherited ? 0 : encode_function(L, arena, job, 1);
  for (uint32_t i = 0; i < job->chunks && rc == 0; i++) {
    lua_Integer size = chunk_size(items, cut);
    job->chunk[i].items = (uint32_t)size;
    job->chunk[i].first = (uint64_t)first;
    if (!job->inherited) rc = encode_chunk(L, arena, &job->chunk[i], first, size);
    first += size;
    items -= size;
  }
  return rc;
}

struct filling {
  struct job *job;
  struct arena *arena;
  lua_Integer first, items;
  const struct cut *cut;
  int rc;
};

/* (f, items, filling): fill_job. Reading an item may run code of the list's, and any encoding may
 * find no memory: what they raise must not cost the job. */
static int fill_protected(lua_State *L) {
  struct filling *filling = lua_touserdata(L, 3);
  filling->rc =
      fill_job(L, filling->job, filling->arena, filling->first, filling->items, filling->cut);
  return filling->rc == -EINVAL ? lua_error(L) : 0;
}

static struct work *new_work(lua_State *L) {
  struct work *work = lua_newuserdatauv(L, sizeof *work, 0);
  *work = (struct work){0};
  luaL_setmetatable(L, CLASS);
  return work;
}

/* job(f, items, first, last, shape): items[first..last] cut into chunks and encoded, f encoded
   once. An error names the item and has no position: the caller adds its own. */
static int job_create(lua_State *L) {
  lua_Integer first = luaL_checkinteger(L, 3), items = luaL_checkinteger(L, 4) - first + 1;
  const struct shape *shape = luaL_checkudata(L, 5, SHAPE);
  lua_settop(L, 5);
  struct cut cut = cut_of(shape, items);
  struct work *work = new_work(L);
  work->block = job_new(count_chunks(items, &cut), family_ledger());
  if (!work->block) return bind_fail(L, -ENOMEM);
  struct job *job = job_of(work);
  shape_job(job, shape);
  struct arena arena;
  arena_init(&arena, work->block);
  arena_borrow(&arena);
  struct filling filling = {job, &arena, first, items, &cut, 0};
  lua_pushcfunction(L, fill_protected);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_pushlightuserdata(L, &filling);
  if (lua_pcall(L, 3, 0, 0) != LUA_OK) filling.rc = -EINVAL; /* with what was raised on top */
  if (filling.rc < 0) return raise_arena(L, &arena, work, filling.rc);
  arena_leave(&arena);
  arena_fini(&arena);
  return 1;
}

/* ---- collecting ---- */

#define RESULTS 2
#define ERRORS 3

/* Decodes what is done of a chunk: results into the table at 2 by index, failures appended to the
 * list at 3. */
static void decode_chunk(lua_State *L, const struct chunk *chunk, int only_errors) {
  codec_handles handles = bind_handles(NULL);
  uint64_t done = atomic_load_explicit(&chunk->done_items,
                                       memory_order_acquire); /* outputs were written before */
  const char *at = region_at(chunk->output);
  size_t left = atomic_load(&chunk->output_size);
  for (uint64_t i = 0; i < done; i++) {
    int failed = outcome_decode(L, &at, &left, &handles);
    if (failed) {
      /* "index" is there already when the item stands for several (core.at) */
      const char *name = lua_getfield(L, -1, "index") == LUA_TNIL ? "index" : "item";
      lua_pop(L, 1);
      lua_pushinteger(L, (lua_Integer)(chunk->first + i));
      lua_setfield(L, -2, name);
      lua_rawseti(L, ERRORS, (lua_Integer)lua_rawlen(L, ERRORS) + 1);
    } else if (only_errors) {
      lua_pop(L, 1);
    } else {
      lua_rawseti(L, RESULTS, (lua_Integer)(chunk->first + i));
    }
  }
}

/* The job was stopped: whatever failed so far, also in chunks that are not done (their outcomes
 * stay where they are). */
static void decode_errors(lua_State *L, const struct work *work) {
  struct job *job = job_of(work);
  for (uint32_t i = work->next; i < job->chunks; i++)
    if (atomic_load(&job->chunk[i].done_items) > 0) decode_chunk(L, &job->chunk[i], 1);
}

static int read_slots(lua_State *L, int arg, int *slots, int most) {
  int n = 0;
  luaL_checktype(L, arg, LUA_TTABLE);
  while (n < most && lua_rawgeti(L, arg, n + 1) == LUA_TNUMBER) {
    slots[n++] = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  if (n < most) lua_pop(L, 1);
  return n;
}

/* "rest", first, last, full: a chunk ended early; full: for want of memory for the first's outcome.
 */
static int push_rest(lua_State *L, const struct chunk *chunk) {
  lua_pushliteral(L, "rest");
  lua_pushinteger(L, (lua_Integer)(chunk->first + atomic_load(&chunk->done_items)));
  lua_pushinteger(L, (lua_Integer)(chunk->first + chunk->items) - 1);
  lua_pushboolean(L, atomic_load(&chunk->state) == CHUNK_FULL);
  return 4;
}

static int is_ready(const struct work *work) {
  struct job *job = job_of(work);
  return work->next >= job->chunks || chunk_is_done(&job->chunk[work->next]) ||
         atomic_load(&job->stop);
}

/* collect(results, errors, slots [, timeout]): takes in chunks, in order, as they are done.
   "done"; "stopped": an item failed (errors has it); "rest", see above: call it again after;
   "dead": one of the workers is; "interrupted": a signal handler ran; nil, message, "timeout". */
static int job_m_collect(lua_State *L) {
  struct work *work = check_work(L, 1);
  struct job *job = job_of(work);
  int slots[FAMILY_MOST], n = read_slots(L, 4, slots, (int)FAMILY_MOST);
  int64_t deadline = bind_deadline(L, 5);
  int wait = lua_isnoneornil(L, 5) || lua_tonumber(L, 5) > 0;
  while (work->next < job->chunks) {
    if (!wait && !is_ready(work)) return bind_fail(L, -ETIMEDOUT);
    int rc = job_wait(job, work->next, slots, n, deadline);
    if (interrupt_again(L, rc)) continue;
    if (rc < 0) return bind_fail(L, rc);
    if (rc == 0) return lua_pushliteral(L, "dead"), 1;
    struct chunk *chunk = &job->chunk[work->next];
    if (!chunk_is_done(chunk)) {
      decode_errors(L, work);
      return lua_pushliteral(L, "stopped"), 1;
    }
    decode_chunk(L, chunk, 0);
    work->count += atomic_load(&chunk->done_items);
    work->next++;
    if (!job->collect && lua_rawlen(L, ERRORS) > 0) return lua_pushliteral(L, "stopped"), 1;
    if (atomic_load(&chunk->state) != CHUNK_DONE) return push_rest(L, chunk);
    if (wait && deadline != CLOCK_NEVER && clock_tick() >= deadline && work->next < job->chunks)
      return bind_fail(L, -ETIMEDOUT); /* however fast they come */
  }
  return lua_pushliteral(L, "done"), 1;
}

/* bury(slot): the worker of this slot is dead (and not reaped yet). nil: it had no chunk of this
   job; else the index of the first item that it had not finished, of the last of that chunk,
   whether it had that first one in its hand, and which item that stood for (core.at), 0: itself. */
static int job_m_bury(lua_State *L) {
  struct work *work = check_work(L, 1);
  int slot = (int)luaL_checkinteger(L, 2);
  struct job *job = job_of(work);
  int64_t found = job_bury(job, slot);
  if (found < 0) return 0;
  struct chunk *chunk = &job->chunk[found];
  const struct status *status = &family_slot(slot)->status;
  uint64_t next = chunk->first + atomic_load(&chunk->done_items);
  lua_pushinteger(L, (lua_Integer)next);
  lua_pushinteger(L, (lua_Integer)(chunk->first + chunk->items) - 1);
  lua_pushboolean(L, atomic_load(&status->item) == next);
  lua_pushinteger(L, (lua_Integer)atomic_load(&status->part));
  return 4;
}

/* holds(slot): whether the process of this slot works in this job. */
static int job_m_holds(lua_State *L) {
  struct work *work = check_work(L, 1);
  lua_Integer slot = luaL_checkinteger(L, 2);
  luaL_argcheck(L, slot >= 0 && slot < (lua_Integer)FAMILY_MOST, 2, "a slot expected");
  lua_pushboolean(L, atomic_load(&family_slot((int)slot)->status.job) == work->block);
  return 1;
}

/* ready(): whether collect would not wait. */
static int job_m_ready(lua_State *L) {
  lua_pushboolean(L, is_ready(check_work(L, 1)));
  return 1;
}

/* busy(): seconds that its chunks took so far. */
static int job_m_busy(lua_State *L) {
  struct job *job = job_of(check_work(L, 1));
  uint64_t busy = 0;
  for (uint32_t i = 0; i < job->chunks; i++)
    if (chunk_is_done(&job->chunk[i])) busy += job->chunk[i].busy;
  lua_pushnumber(L, (lua_Number)busy / 1e9);
  return 1;
}

/* count(): items that have an outcome so far. */
static int job_m_count(lua_State *L) {
  struct work *work = check_work(L, 1);
  struct job *job = job_of(work);
  uint64_t count = work->count;
  uint32_t begun = atomic_load(&job->hint);
  if (begun < job->chunks) begun++; /* who has claimed it may not have said so yet */
  for (uint32_t i = work->next; i < begun && i < job->chunks; i++)
    count += atomic_load_explicit(&job->chunk[i].done_items, memory_order_relaxed);
  lua_pushinteger(L, (lua_Integer)count);
  return 1;
}

/* stop(): no more of it is given out. */
static int job_m_stop(lua_State *L) {
  job_stop(NULL, job_of(check_work(L, 1)));
  return 0;
}

/* free(pool): nobody begins with it any more; its memory goes when the last worker has left it. */
static int job_m_free(lua_State *L) {
  struct work *work = luaL_checkudata(L, 1, CLASS);
  uint64_t block = work->block;
  work->block = 0;
  if (block) pool_withdraw(check_pool_at(L, 2), block);
  return 0;
}

/* Nothing to do: a job that was not freed belongs to the ledger. Workers may be in it still. */
static int job_gc(lua_State *L) {
  (void)L;
  return 0;
}

/* ---- one call ---- */

#define CALL_WAIT (250 * 1000000LL) /* ns until somebody looks after the workers */

/* core.pool:call in work, across the protected call that does it. */
struct call {
  struct pool *pool;
  const struct shape *shape;
  int slots[FAMILY_MOST], workers;
  struct work work;
};

enum { CALL = 1, CALLED, ARGUMENTS };

/* The function and the list of its arguments as a job of one chunk, posted: 0 or -errno. */
static int post_call(lua_State *L, struct call *call) {
  call->work.block = job_new(1, family_ledger());
  if (!call->work.block) return -ENOMEM;
  struct job *job = job_of(&call->work);
  struct chunk *chunk = &job->chunk[0];
  struct arena arena;
  shape_job(job, call->shape);
  chunk->items = 1;
  chunk->first = 1;
  arena_init(&arena, call->work.block);
  arena_borrow(&arena);
  int rc = encode_function(L, &arena, job, CALLED);
  if (rc == 0) {
    arena_begin(&arena);
    rc = arena_encode(L, &arena, ARGUMENTS);
    chunk->input = region_offset(arena.run);
    chunk->input_size = arena_size(&arena);
  }
  if (rc == 0) rc = arena_hold(&arena);
  arena_leave(&arena);
  arena_fini(&arena);
  lua_settop(L, ARGUMENTS);
  return rc < 0 ? rc : pool_post(call->pool, call->work.block);
}

static void drop_call(struct call *call) {
  if (call->work.block) pool_withdraw(call->pool, call->work.block);
  call->work.block = 0;
}

/* Its results are there and it did not fail. */
static int call_went_well(const struct chunk *chunk) {
  return atomic_load(&chunk->state) == CHUNK_DONE && atomic_load(&chunk->done_items) == 1 &&
         !outcome_failed(region_at(chunk->output));
}

/* Pushes what came of it: 0 the results, 1 a failure. */
static int decode_outcome(lua_State *L, const struct chunk *chunk) {
  codec_handles handles = bind_handles(NULL);
  const char *at = region_at(chunk->output);
  size_t left = atomic_load(&chunk->output_size);
  return outcome_decode(L, &at, &left, &handles);
}

/* Pushes true and the values of the list on top. */
static int push_values(lua_State *L) {
  int list = lua_gettop(L);
  lua_getfield(L, list, "n");
  int n = (int)lua_tointeger(L, -1);
  luaL_checkstack(L, n + 2, "too many results");
  lua_pushboolean(L, 1);
  for (int i = 1; i <= n; i++) lua_rawgeti(L, list, i);
  return n + 1;
}

/* (call, f, ...) */
static int call_short(lua_State *L) {
  struct call *call = lua_touserdata(L, CALL);
  int n = lua_gettop(L) - CALLED;
  lua_createtable(L, n, 1);
  lua_insert(L, ARGUMENTS);
  lua_pushinteger(L, n);
  lua_setfield(L, ARGUMENTS, "n");
  for (int i = n; i >= 1; i--) lua_rawseti(L, ARGUMENTS, i);
  if (post_call(L, call) < 0) {
    drop_call(call);
    lua_pushboolean(L, 0);
    lua_insert(L, ARGUMENTS);
    return 2;
  }
  struct job *job = job_of(&call->work);
  int rc = job_wait(job, 0, call->slots, call->workers, clock_now() + CALL_WAIT);
  if (rc == 1 && call_went_well(&job->chunk[0]) && decode_outcome(L, &job->chunk[0]) == 0) {
    drop_call(call);
    return push_values(L);
  }
  lua_settop(L, ARGUMENTS);
  lua_pushboolean(L, 0);
  lua_insert(L, ARGUMENTS);
  *new_work(L) = call->work;
  return 3;
}

/* call(shape, slots, f, ...): f(...) in a worker, the short way: true and its results. When
   something is in the way (an error, a dead worker, a long wait, a signal handler that ran): false,
   the list of the arguments, and the job if it was posted, of which nothing was collected. */
static int pool_m_call(lua_State *L) {
  struct call call = {.pool = check_pool(L), .shape = luaL_checkudata(L, 2, SHAPE)};
  call.workers = read_slots(L, 3, call.slots, (int)FAMILY_MOST);
  lua_pushcfunction(L, call_short);
  lua_pushlightuserdata(L, &call);
  lua_rotate(L, 4, 2);
  if (lua_pcall(L, lua_gettop(L) - 4, LUA_MULTRET, 0) == LUA_OK) return lua_gettop(L) - 3;
  drop_call(&call);
  return lua_error(L);
}

static void set_seconds(lua_State *L, const char *name, uint64_t ns) {
  lua_pushnumber(L, (lua_Number)ns / 1e9);
  lua_setfield(L, -2, name);
}

static void set_count(lua_State *L, const char *name, uint64_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, name);
}

/* status(slot): what that process is doing: since, deadline, busy in seconds, done, failed, item.
 */
static int pool_status(lua_State *L) {
  lua_Integer slot = luaL_checkinteger(L, 1);
  luaL_argcheck(L, slot >= 0 && slot < (lua_Integer)FAMILY_MOST, 1, "no such slot");
  const struct status *s = &family_slot((int)slot)->status;
  lua_createtable(L, 0, 6);
  set_seconds(L, "since", s->since);
  set_seconds(L, "deadline", s->deadline);
  set_seconds(L, "busy", s->busy);
  set_count(L, "done", s->done);
  set_count(L, "failed", s->failed);
  if (s->item != STATUS_NONE) set_count(L, "item", s->item);
  return 1;
}

void bind_pool(lua_State *L) {
  static const luaL_Reg pool_methods[] = {
      {"post", pool_m_post},     {"call", pool_m_call},   {"stop", pool_m_stop},
      {"nudge", pool_m_nudge},   {"watch", pool_m_watch}, {"enlist", pool_m_enlist},
      {"listen", pool_m_listen}, {"close", handle_close}, {NULL, NULL}};
  static const luaL_Reg job_methods[] = {{"collect", job_m_collect}, {"bury", job_m_bury},
                                         {"ready", job_m_ready},     {"holds", job_m_holds},
                                         {"busy", job_m_busy},       {"stop", job_m_stop},
                                         {"free", job_m_free},       {"count", job_m_count},
                                         {NULL, NULL}};
  static const luaL_Reg functions[] = {{"pool", pool_create},
                                       {"shape", shape_create},
                                       {"job", job_create},
                                       {"status", pool_status},
                                       {NULL, NULL}};
  luaL_newmetatable(L, SHAPE);
  lua_pop(L, 1);
  bind_class(L, bind_pool_class, pool_methods, handle_close);
  bind_class(L, CLASS, job_methods, job_gc);
  luaL_setfuncs(L, functions, 0);
}
