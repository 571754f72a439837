/* core.work: a worker's loop. One item: decode in place, call, encode into the job's own memory; no
 * system call on the way. */
#include <errno.h>

#include "bind/arena.h"
#include "bind/bind.h"
#include "bind/outcome.h"
#include "os/clock.h"
#include "shm/family.h"
#include "shm/job.h"

enum {
  HANDLER = 2,
  FUNCTION,
  REASON,
  ITEM
}; /* the loop's stack; FUNCTION nil: it could not be had, for this REASON */

/* Pushes the job's function, or nil and why not. */
static void load_function(lua_State *L, const struct job *job) {
  codec_handles handles = bind_handles(NULL);
  lua_settop(L, HANDLER);
  int rc = codec_decode(L, region_at(job->function), job->function_size, NULL, 0, &handles);
  if (rc == 0) {
    lua_pushnil(L);
    return;
  }
  if (rc != -EBADMSG) lua_pushliteral(L, "not enough memory");
  lua_pushnil(L);
  lua_insert(L, FUNCTION);
}

/* Leaves a result, or the record of a failure: 0 or 1. */
static int run_item(lua_State *L, const char **input, size_t *left) {
  codec_handles handles = bind_handles(NULL);
  size_t used = 0;
  lua_settop(L, REASON);
  lua_pushvalue(L, FUNCTION);
  int rc = codec_decode(L, *input, *left, &used, 0, &handles);
  *input += used;
  *left -= used;
  if (rc == 0 && !lua_isnil(L, FUNCTION)) return lua_pcall(L, 1, 1, HANDLER) != LUA_OK;
  if (rc == 0)
    lua_pushvalue(L, REASON);
  else if (rc != -EBADMSG)
    lua_pushliteral(L, "not enough memory");
  lua_createtable(L, 0, 1);
  lua_insert(L, -2);
  lua_setfield(L, -2, "message");
  return 1;
}

/* Makes one outcome known: its bytes first, then that it is there. */
static void publish(struct chunk *chunk, struct arena *arena, uint64_t done) {
  atomic_store_explicit(&chunk->output_size, arena_size(arena), memory_order_relaxed);
  chunk->output = region_offset(arena->run);
  /* release: who sees the count sees the bytes */
  atomic_store_explicit(&chunk->done_items, done, memory_order_release);
}

static void run_chunk(lua_State *L, struct job *job, struct chunk *chunk, struct arena *arena) {
  struct status *me = family_status();
  const char *input = region_at(chunk->input);
  size_t left = chunk->input_size;
  arena_begin(arena);
  for (uint32_t i = 0; i < chunk->items; i++) {
    if (atomic_load_explicit(&job->stop, memory_order_relaxed)) break;
    atomic_store_explicit(&me->item, chunk->first + i, memory_order_relaxed);
    int failed = run_item(L, &input, &left);
    failed = outcome_encode(L, arena, failed);
    if (failed < 0 || arena_hold(arena) < 0)
      luaL_error(L, "not enough shared memory for the results");
    publish(chunk, arena, i + 1);
    atomic_store_explicit(failed ? &me->failed : &me->done, *(failed ? &me->failed : &me->done) + 1,
                          memory_order_relaxed);
    if (failed && !job->collect) job_stop(job);
  }
  atomic_store_explicit(&me->item, STATUS_NONE, memory_order_relaxed);
}

static void run_job(lua_State *L, uint64_t block) {
  struct job *job = heap_payload(block);
  struct arena arena;
  arena_init(&arena, block);
  load_function(L, job);
  for (int64_t i; (i = job_claim(job)) >= 0;) {
    atomic_store_explicit(&family_status()->since, (uint64_t)clock_now(), memory_order_relaxed);
    run_chunk(L, job, &job->chunk[i], &arena);
    job_finish(job, (uint32_t)i);
  }
  arena_fini(&arena);
  lua_settop(L, HANDLER);
}

/* work(pool): runs jobs until the pool is closed and nothing is posted. */
static int worker_work(lua_State *L) {
  struct pool *pool = heap_payload(handle_check(L, 1, bind_pool_class)->object);
  lua_settop(L, 1);
  lua_pushcfunction(L, outcome_handler);
  luaL_checkstack(L, 16, NULL);
  for (int closed = 0; !closed;) {
    uint64_t job = pool_enter(pool, &closed);
    if (!job) continue;
    run_job(L, job);
    pool_leave();
  }
  return 0;
}

void bind_worker(lua_State *L) {
  lua_pushcfunction(L, worker_work);
  lua_setfield(L, -2, "work");
}
