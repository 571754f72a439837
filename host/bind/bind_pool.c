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
#define MOST_CHUNKS 4096

struct work {
  uint64_t block; /* the job; 0: freed */
  uint32_t next;  /* first chunk not collected yet */
};

static int pool_create(lua_State *L) {
  struct handle *handle = handle_new(L, bind_pool_class);
  uint64_t hold, pool = pool_new(family_ledger(), &hold);
  if (!pool) return bind_fail(L, -ENOMEM);
  handle_open(L, handle, pool, hold);
  return 1;
}

static struct pool *check_pool(lua_State *L) {
  return heap_payload(handle_check(L, 1, bind_pool_class)->object);
}

static struct work *check_work(lua_State *L, int arg) {
  struct work *work = luaL_checkudata(L, arg, CLASS);
  luaL_argcheck(L, work->block != 0, arg, "the job is over");
  return work;
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

/* ---- making a job ---- */

/* How many items the next chunk gets: a fixed number, or a quarter of each worker's share of what
 * is left. */
static lua_Integer chunk_size(lua_Integer left, lua_Integer fixed, lua_Integer workers,
                              lua_Integer least) {
  lua_Integer size = fixed > 0 ? fixed : left / (4 * workers);
  if (size < least) size = least;
  return size < left ? size : left;
}

static uint32_t count_chunks(lua_Integer items, lua_Integer fixed, lua_Integer workers,
                             lua_Integer least) {
  uint32_t n = 0;
  for (lua_Integer left = items; left > 0; n++) left -= chunk_size(left, fixed, workers, least);
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

static int encode_function(lua_State *L, struct arena *arena, struct job *job) {
  arena_begin(arena);
  int rc = arena_encode(L, arena, 1);
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
  chunk->items = (uint32_t)items;
  chunk->first = (uint64_t)first;
  chunk->input = region_offset(arena->run);
  chunk->input_size = arena_size(arena);
  return arena_hold(arena);
}

/* job(f, items, first, last, chunk, workers, collect): items[first..last] cut into chunks and
   encoded, f encoded once. chunk 0: sizes by themselves. An error names the item and has no
   position: the caller adds its own. */
static int job_create(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Integer first = luaL_checkinteger(L, 3), items = luaL_checkinteger(L, 4) - first + 1;
  lua_Integer fixed = luaL_checkinteger(L, 5), workers = luaL_checkinteger(L, 6), least = 1;
  luaL_argcheck(L, workers >= 1, 6, "at least 1 expected");
  lua_settop(L, 7);
  uint32_t chunks = count_chunks(items, fixed, workers, least);
  while (chunks > MOST_CHUNKS && fixed == 0) chunks = count_chunks(items, 0, workers, least *= 2);
  struct work *work = lua_newuserdatauv(L, sizeof *work, 0);
  *work = (struct work){0};
  luaL_setmetatable(L, CLASS);
  work->block = job_new(chunks, family_ledger());
  if (!work->block) return bind_fail(L, -ENOMEM);
  struct job *job = job_of(work);
  job->collect = (uint32_t)lua_toboolean(L, 7);
  struct arena arena;
  arena_init(&arena, work->block);
  int rc = encode_function(L, &arena, job);
  for (uint32_t i = 0; i < chunks && rc == 0; i++) {
    lua_Integer size = chunk_size(items, fixed, workers, least);
    rc = encode_chunk(L, &arena, &job->chunk[i], first, size);
    first += size;
    items -= size;
  }
  if (rc < 0) return raise_arena(L, &arena, work, rc);
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
      lua_pushinteger(L, (lua_Integer)(chunk->first + i));
      lua_setfield(L, -2, "index");
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

/* collect(results, errors, slots [, timeout]): takes in chunks, in order, as they are done.
   "done"; "stopped": an item failed (errors has it); "dead": one of the workers is; nil, message,
   "timeout". */
static int job_m_collect(lua_State *L) {
  struct work *work = check_work(L, 1);
  struct job *job = job_of(work);
  int slots[FAMILY_MOST], n = read_slots(L, 4, slots, (int)FAMILY_MOST);
  int64_t deadline = bind_deadline(L, 5);
  while (work->next < job->chunks) {
    int rc = job_wait(job, work->next, slots, n, deadline);
    if (interrupt_again(L, rc)) continue;
    if (rc < 0) return bind_fail(L, rc);
    if (rc == 0) return lua_pushliteral(L, "dead"), 1;
    if (atomic_load(&job->chunk[work->next].state) != CHUNK_DONE) {
      decode_errors(L, work);
      return lua_pushliteral(L, "stopped"), 1;
    }
    decode_chunk(L, &job->chunk[work->next++], 0);
    if (!job->collect && lua_rawlen(L, ERRORS) > 0) return lua_pushliteral(L, "stopped"), 1;
  }
  return lua_pushliteral(L, "done"), 1;
}

/* bury(slot): the worker of this slot is dead (and not reaped yet). nil: it had no chunk of this
   job; else the index of the first item that it had not finished, of the last of that chunk, and
   whether it had that first one in its hand. */
static int job_m_bury(lua_State *L) {
  struct work *work = check_work(L, 1);
  int slot = (int)luaL_checkinteger(L, 2);
  struct job *job = job_of(work);
  int64_t found = job_bury(job, slot);
  if (found < 0) return 0;
  struct chunk *chunk = &job->chunk[found];
  uint64_t next = chunk->first + atomic_load(&chunk->done_items);
  lua_pushinteger(L, (lua_Integer)next);
  lua_pushinteger(L, (lua_Integer)(chunk->first + chunk->items) - 1);
  lua_pushboolean(L, atomic_load(&family_slot(slot)->status.item) == next);
  return 3;
}

/* holds(slot): whether the process of this slot works in this job. */
static int job_m_holds(lua_State *L) {
  struct work *work = check_work(L, 1);
  lua_Integer slot = luaL_checkinteger(L, 2);
  luaL_argcheck(L, slot >= 0 && slot < (lua_Integer)FAMILY_MOST, 2, "a slot expected");
  lua_pushboolean(L, atomic_load(&family_slot((int)slot)->status.job) == work->block);
  return 1;
}

static int job_m_stop(lua_State *L) {
  job_stop(job_of(check_work(L, 1)));
  return 0;
}

/* free(pool, slots): true; or false while one of the workers is still in it. */
static int job_m_free(lua_State *L) {
  struct work *work = luaL_checkudata(L, 1, CLASS);
  struct handle *pool = handle_check(L, 2, bind_pool_class);
  int slots[FAMILY_MOST], n = read_slots(L, 3, slots, (int)FAMILY_MOST), busy = 0;
  if (work->block) {
    pool_withdraw(heap_payload(pool->object), work->block);
    for (int i = 0; i < n; i++)
      busy |= atomic_load(&family_slot(slots[i])->status.job) == work->block;
    if (!busy) object_drop(work->block);
    if (!busy) work->block = 0;
  }
  lua_pushboolean(L, !busy);
  return 1;
}

/* Nothing to do: a job that was not freed belongs to the ledger. Workers may be in it still. */
static int job_gc(lua_State *L) {
  (void)L;
  return 0;
}

void bind_pool(lua_State *L) {
  static const luaL_Reg pool_methods[] = {
      {"post", pool_m_post}, {"stop", pool_m_stop}, {"close", handle_close}, {NULL, NULL}};
  static const luaL_Reg job_methods[] = {{"collect", job_m_collect}, {"bury", job_m_bury},
                                         {"holds", job_m_holds},     {"stop", job_m_stop},
                                         {"free", job_m_free},       {NULL, NULL}};
  static const luaL_Reg functions[] = {{"pool", pool_create}, {"job", job_create}, {NULL, NULL}};
  bind_class(L, bind_pool_class, pool_methods, handle_close);
  bind_class(L, CLASS, job_methods, job_gc);
  luaL_setfuncs(L, functions, 0);
}
