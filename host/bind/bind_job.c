/* core.job: a call's items as a job, and its results taken in. Which job when, what becomes of lost
 * items, is lua/mphost/call.lua's. */
#include <errno.h>

#include "bind/bind.h"
#include "bind/guard.h"
#include "bind/interrupt.h"
#include "bind/item.h"
#include "bind/outcome.h"
#include "bind/work.h"
#include "os/clock.h"
#include "shm/family.h"
#include "shm/object.h"

#define CHUNKS 1024          /* about as many are made of a long list */
#define MOST_ITEMS INT32_MAX /* of a chunk */

/* NULL: it is over. Code of the program's (a hook) that comes between two steps of who works with
 * it may have ended its call: to questions there is an answer all the same. */
static struct work *find_work(lua_State *L, int arg) {
  struct work *work = luaL_checkudata(L, arg, WORK_CLASS);
  if (!work->block) return NULL;
  luaL_argcheck(L, work->maker == family_id(), arg, "the job of another process");
  return work;
}

static struct work *check_work(lua_State *L, int arg) {
  struct work *work = find_work(L, arg);
  luaL_argcheck(L, work, arg, "the job is over");
  return work;
}

uint64_t bind_job_block(lua_State *L, int arg) {
  return check_work(L, arg)->block;
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
  return bind_fail(L, rc);
}

int work_encode_function(lua_State *L, struct arena *arena, struct job *job, int index) {
  arena_begin(arena);
  int rc = arena_encode(L, arena, index);
  if (rc < 0) return rc;
  return arena_end(arena, &job->function, &job->function_size);
}

/* Item `index` of the list at 2, which the call has after `base` others; or a call's arguments. */
static int encode_item(lua_State *L, struct arena *arena, lua_Integer index, uint64_t base) {
  lua_geti(L, 2, index);
  int rc = item_put(L, arena, -1);
  if (rc == -EINVAL && arena->sink.key != CODEC_ARGUMENTS)
    lua_pushfstring(L, "item %I: %s", index + (lua_Integer)base, lua_tostring(L, -1));
  if (rc == -EINVAL) return rc;
  lua_pop(L, 1);
  return rc;
}

static int encode_chunk(lua_State *L, struct arena *arena, struct chunk *chunk, lua_Integer first,
                        lua_Integer items, uint64_t base) {
  arena_begin(arena);
  for (lua_Integer i = 0; i < items; i++) {
    int rc = encode_item(L, arena, first + i, base);
    if (rc < 0) return rc;
  }
  return arena_end(arena, &chunk->input, &chunk->input_size);
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
  luaL_setmetatable(L, WORK_SHAPE);
  return 1;
}

static struct cut cut_of(const struct shape *shape, lua_Integer items) {
  struct cut cut = {.fixed = shape->chunk, .workers = shape->workers, .most = MOST_ITEMS};
  if (cut.fixed <= 0) cut.most = items / CHUNKS + 1;
  return cut;
}

void work_shape(struct job *job, const struct shape *shape, uint64_t number) {
  job->collect = (uint8_t)shape->collect;
  job->mode = (uint8_t)shape->mode;
  job->inherited = (uint8_t)shape->inherited;
  job->base = shape->base;
  job->seed = guard_call_seed(shape->seed, number);
  job->timeout = shape->timeout;
}

static int fill_job(lua_State *L, struct job *job, struct arena *arena, lua_Integer first,
                    lua_Integer items, const struct cut *cut) {
  int rc = job->inherited ? 0 : work_encode_function(L, arena, job, 1);
  arena->sink.key = job->mode == JOB_CALL ? CODEC_ARGUMENTS : 0;
  for (uint32_t i = 0; i < job->chunks && rc == 0; i++) {
    lua_Integer size = chunk_size(items, cut);
    job->chunk[i].items = (uint32_t)size;
    job->chunk[i].first = (uint64_t)first;
    if (!job->inherited) rc = encode_chunk(L, arena, &job->chunk[i], first, size, job->base);
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

struct work *work_new(lua_State *L) {
  struct work *work = lua_newuserdatauv(L, sizeof *work, 0);
  *work = (struct work){.maker = family_id()};
  luaL_setmetatable(L, WORK_CLASS);
  return work;
}

/* job(f, items, first, last, shape, number): items[first..last] cut into chunks and encoded, f
   encoded once; number: of the call in its pool, for the seed. An error names the item and has no
   position: the caller adds its own. */
static int job_create(lua_State *L) {
  lua_Integer first = luaL_checkinteger(L, 3), items = luaL_checkinteger(L, 4) - first + 1;
  const struct shape *shape = luaL_checkudata(L, 5, WORK_SHAPE);
  lua_Integer number = luaL_checkinteger(L, 6);
  lua_settop(L, 5);
  struct cut cut = cut_of(shape, items);
  struct work *work = work_new(L);
  work->block = job_new(count_chunks(items, &cut), family_ledger());
  if (!work->block) return bind_fail(L, -ENOMEM);
  struct job *job = work_job(work);
  work_shape(job, shape, (uint64_t)number);
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

/* ---- giving out again ---- */

/* A part of a job's items, as bytes. */
struct span {
  const char *at;
  size_t left;
};

/* Goes over so many items: 0, or -EBADMSG. */
static int span_skip(struct span *span, uint64_t items) {
  for (; items > 0; items--) {
    size_t size = item_size(span->at, span->left);
    if (size == 0) return -EBADMSG;
    span->at += size;
    span->left -= size;
  }
  return 0;
}

/* The chunk that has all of these items, or NULL. */
static const struct chunk *chunk_of(const struct job *job, lua_Integer first, lua_Integer items) {
  for (uint32_t i = 0; i < job->chunks; i++) {
    const struct chunk *chunk = &job->chunk[i];
    uint64_t before = (uint64_t)first - chunk->first;
    if (before < chunk->items) return (uint64_t)items <= chunk->items - before ? chunk : NULL;
  }
  return NULL;
}

static int copy_run(struct arena *arena, const char *bytes, size_t size, uint64_t *offset,
                    uint64_t *copied) {
  arena_begin(arena);
  int rc = arena_bytes(arena, bytes, size);
  return rc < 0 ? rc : arena_end(arena, offset, copied);
}

/* Items from `first` on of a chunk of `from`, with its function, cut into the chunks of `job`. */
static int copy_job(const struct job *from, struct job *job, struct arena *arena, lua_Integer first,
                    lua_Integer items, const struct cut *cut) {
  const struct chunk *old = chunk_of(from, first, items);
  struct span span = {region_at(old->input), old->input_size};
  int sent = !from->inherited, rc = 0;
  if (sent) rc = span_skip(&span, (uint64_t)first - old->first);
  if (sent && rc == 0)
    rc = copy_run(arena, region_at(from->function), from->function_size, &job->function,
                  &job->function_size);
  for (uint32_t i = 0; i < job->chunks && rc == 0; i++) {
    struct chunk *chunk = &job->chunk[i];
    chunk->items = (uint32_t)chunk_size(items, cut);
    chunk->first = (uint64_t)first;
    first += chunk->items;
    items -= chunk->items;
    if (!sent) continue;
    struct span rest = span;
    if (old->items > 1)
      rc = span_skip(&rest, chunk->items);
    else
      rest.left = 0; /* it may be a call's arguments */
    if (rc == 0)
      rc = copy_run(arena, span.at, span.left - rest.left, &chunk->input, &chunk->input_size);
    span = rest;
  }
  return rc;
}

/* again(first, last, shape): a new job of the items first..last, which are of one chunk, as they
   were sent with this one. The shape is that which it was made with. */
static int job_m_again(lua_State *L) {
  const struct work *old = check_work(L, 1);
  lua_Integer first = luaL_checkinteger(L, 2), items = luaL_checkinteger(L, 3) - first + 1;
  struct cut cut = cut_of(luaL_checkudata(L, 4, WORK_SHAPE), items);
  luaL_argcheck(L, items > 0 && chunk_of(work_job(old), first, items), 2, "items of one chunk");
  struct work *work = work_new(L);
  work->block = job_new(count_chunks(items, &cut), family_ledger());
  if (!work->block) return bind_fail(L, -ENOMEM);
  const struct job *from = work_job(old);
  struct job *job = work_job(work);
  job->collect = from->collect;
  job->mode = from->mode;
  job->inherited = from->inherited;
  job->base = from->base;
  job->seed = from->seed;
  job->timeout = from->timeout;
  struct arena arena;
  arena_init(&arena, work->block);
  arena_borrow(&arena);
  int rc = object_copy_holds(&block_at(old->block)->owned, &block_at(work->block)->owned);
  if (rc == 0) rc = copy_job(from, job, &arena, first, items, &cut);
  if (rc < 0) return raise_arena(L, &arena, work, rc);
  arena_leave(&arena);
  arena_fini(&arena);
  return 1;
}

/* ---- collecting ---- */

#define RESULTS 2
#define ERRORS 3

/* The job of a method that collects into the tables at 2 and 3; NULL: it is over. */
static struct work *check_collecting(lua_State *L) {
  luaL_checktype(L, RESULTS, LUA_TTABLE);
  luaL_checktype(L, ERRORS, LUA_TTABLE);
  return find_work(L, 1);
}

/* Decodes what is done of a chunk, and not collected yet: results into the table at 2 by index,
 * failures appended to the list at 3. What is raised on the way leaves the rest for the next time.
 * Its worker may be at it still: then its bytes may move to a larger block, and stay where they
 * were, too. */
static void decode_chunk(lua_State *L, struct work *work, uint32_t number, int only_errors) {
  codec_handles handles = bind_handles(NULL);
  const struct chunk *chunk = &work_job(work)->chunk[number];
  uint64_t done = atomic_load_explicit(&chunk->done_items,
                                       memory_order_acquire); /* outputs were written before */
  const char *run = region_at(atomic_load_explicit(&chunk->output, memory_order_relaxed));
  int is_next = number == work->next;
  const char *at = run + (is_next ? work->at : 0);
  size_t left = (size_t)(run + atomic_load(&chunk->output_size) - at);
  for (uint64_t i = is_next ? work->taken : 0; i < done; i++) {
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
    if (is_next) {
      work->taken = i + 1;
      work->at = (size_t)(at - run);
    }
  }
}

/* results(n): a table for so many, with n. */
static int results_create(lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 1);
  lua_createtable(L, n < 0 || n > WORK_RESULTS ? 0 : (int)n, 1);
  lua_pushinteger(L, n);
  lua_setfield(L, -2, "n");
  return 1;
}

/* The job was stopped: whatever failed so far, also in chunks that are not done (their outcomes
 * stay where they are). */
static void decode_errors(lua_State *L, struct work *work) {
  struct job *job = work_job(work);
  for (uint32_t i = work->next; i < job->chunks; i++)
    if (atomic_load(&job->chunk[i].done_items) > 0) decode_chunk(L, work, i, 1);
}

int work_slots(lua_State *L, int arg, int *slots, int most) {
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
  struct job *job = work_job(work);
  return work->next >= job->chunks || chunk_is_done(&job->chunk[work->next]) ||
         atomic_load(&job->stop);
}

/* Whether all that there is to do is done. */
static int is_whole(struct work *work) {
  const struct job *job = work_job(work);
  while (work->whole < job->chunks && atomic_load(&job->chunk[work->whole].state) == CHUNK_DONE)
    work->whole++;
  return work->whole == job->chunks;
}

/* collect(results, errors, slots [, timeout [, pool]]): takes in chunks, in order, as they are
   done. pool: it gets no other job, and is closed when this one is done: its workers end while the
   last results are taken in. "done"; "stopped": an item failed (errors has it); "rest", see above:
   call it again after; "dead": one of the workers is; "interrupted": a signal handler ran; nil,
   message, "timeout". */
static int job_m_collect(lua_State *L) {
  struct work *work = check_collecting(L);
  if (!work) return lua_pushliteral(L, "stopped"), 1;
  struct job *job = work_job(work);
  int slots[FAMILY_MOST], n = work_slots(L, 4, slots, (int)FAMILY_MOST);
  int64_t deadline = bind_deadline(L, 5);
  int wait = lua_isnoneornil(L, 5) || lua_tonumber(L, 5) > 0;
  struct pool *pool = lua_isnoneornil(L, 6) ? NULL : work_pool(L, 6);
  while (work->next < job->chunks) {
    if (!wait && !is_ready(work)) return bind_fail(L, -ETIMEDOUT);
    int rc = job_wait(job, work->next, slots, n, deadline);
    if (interrupt_again(L, rc)) continue;
    interrupt_notice(L);
    if (rc < 0) return bind_fail(L, rc);
    if (rc == 0) return lua_pushliteral(L, "dead"), 1;
    struct chunk *chunk = &job->chunk[work->next];
    if (!chunk_is_done(chunk)) {
      decode_errors(L, work);
      return lua_pushliteral(L, "stopped"), 1;
    }
    if (pool && is_whole(work)) {
      pool_close(pool);
      pool = NULL;
    }
    decode_chunk(L, work, work->next, 0);
    work->count += atomic_load(&chunk->done_items);
    work->taken = work->at = 0;
    work->next++;
    if (!job->collect && lua_rawlen(L, ERRORS) > 0) return lua_pushliteral(L, "stopped"), 1;
    if (atomic_load(&chunk->state) != CHUNK_DONE) return push_rest(L, chunk);
    if (wait && deadline != CLOCK_NEVER && clock_tick() >= deadline && work->next < job->chunks)
      return bind_fail(L, -ETIMEDOUT); /* however fast they come */
  }
  return lua_pushliteral(L, "done"), 1;
}

/* collect_part(results, errors): takes in what there is of the next chunk, which a worker may have
 * in hand; without waiting. The index of the last item that is taken in: all before it are. Nothing
 * when there is no next one. */
static int job_m_collect_part(lua_State *L) {
  struct work *work = check_collecting(L);
  if (!work) return 0;
  struct job *job = work_job(work);
  if (work->next == job->chunks) return 0;
  decode_chunk(L, work, work->next, 0);
  lua_pushinteger(L, (lua_Integer)(job->chunk[work->next].first + work->taken) - 1);
  return 1;
}

/* bury(slot): the worker of this slot is dead (and not reaped yet). nil: it had no chunk of this
   job; else the index of the first item that it had not finished, of the last of that chunk,
   whether it had that first one in its hand, and which item that stood for (core.at), 0: itself. */
static int job_m_bury(lua_State *L) {
  struct work *work = find_work(L, 1);
  int slot = (int)luaL_checkinteger(L, 2);
  if (!work) return 0;
  struct job *job = work_job(work);
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
  const struct work *work = find_work(L, 1);
  lua_Integer slot = luaL_checkinteger(L, 2);
  luaL_argcheck(L, slot >= 0 && slot < (lua_Integer)FAMILY_MOST, 2, "a slot expected");
  lua_pushboolean(L, work && atomic_load(&family_slot((int)slot)->status.job) == work->block);
  return 1;
}

/* ready(): whether collect would not wait. */
static int job_m_ready(lua_State *L) {
  const struct work *work = find_work(L, 1);
  lua_pushboolean(L, !work || is_ready(work));
  return 1;
}

/* busy(): seconds that its chunks took so far. */
static int job_m_busy(lua_State *L) {
  const struct work *work = find_work(L, 1);
  const struct job *job = work ? work_job(work) : NULL;
  uint64_t busy = 0;
  for (uint32_t i = 0; job && i < job->chunks; i++)
    if (chunk_is_done(&job->chunk[i])) busy += job->chunk[i].busy;
  lua_pushnumber(L, (lua_Number)busy / 1e9);
  return 1;
}

/* count(): items that have an outcome so far. */
static int job_m_count(lua_State *L) {
  const struct work *work = find_work(L, 1);
  if (!work) return lua_pushinteger(L, 0), 1;
  struct job *job = work_job(work);
  uint64_t count = work->count;
  uint32_t begun = atomic_load(&job->hint);
  if (begun < job->chunks) begun++; /* who has claimed it may not have said so yet */
  for (uint32_t i = work->next; i < begun && i < job->chunks; i++)
    count += atomic_load_explicit(&job->chunk[i].done_items, memory_order_relaxed);
  lua_pushinteger(L, (lua_Integer)count);
  return 1;
}

/* stop(): no more of it is given out. This and free do nothing in a child that has inherited it. */
static int job_m_stop(lua_State *L) {
  struct work *work = luaL_checkudata(L, 1, WORK_CLASS);
  if (work->block && work->maker == family_id()) job_stop(NULL, work_job(work));
  return 0;
}

/* free(pool): nobody begins with it any more; its memory goes when the last worker has left it. */
static int job_m_free(lua_State *L) {
  struct work *work = luaL_checkudata(L, 1, WORK_CLASS);
  uint64_t block = work->block;
  work->block = 0;
  if (block && work->maker == family_id()) pool_withdraw(work_pool(L, 2), block);
  return 0;
}

void bind_job(lua_State *L) {
  static const luaL_Reg methods[] = {{"again", job_m_again},
                                     {"collect", job_m_collect},
                                     {"bury", job_m_bury},
                                     {"ready", job_m_ready},
                                     {"holds", job_m_holds},
                                     {"busy", job_m_busy},
                                     {"stop", job_m_stop},
                                     {"free", job_m_free},
                                     {"count", job_m_count},
                                     {"collect_part", job_m_collect_part},
                                     {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"shape", shape_create}, {"job", job_create}, {"results", results_create}, {NULL, NULL}};
  /* One that is collected without having been freed belongs to the ledger, and workers may be in
   * it. */
  bind_class(L, WORK_CLASS, methods, NULL);
  luaL_newmetatable(L, WORK_SHAPE);
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
