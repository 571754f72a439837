/* core.pool:call: one call of a function, from its arguments to its results, without a table of
 * Lua's for it. All that goes wrong is left to lua/mphost/call.lua, with the job as it is. */
#include <errno.h>

#include "bind/bind.h"
#include "bind/outcome.h"
#include "bind/work.h"
#include "os/clock.h"
#include "shm/family.h"
#include "shm/object.h"

#define CALL_WAIT (250 * 1000000LL) /* ns until somebody looks after the workers */

/* core.pool:call in work, across the protected call that does it. */
struct call {
  struct pool *pool;
  const struct shape *shape;
  uint64_t number;
  int slots[FAMILY_MOST], workers;
  struct work work;
};

enum { CALL = 1, CALLED, ARGUMENTS };

/* The function and the list of its arguments as a job of one chunk, posted: 0 or -errno. */
static int post_call(lua_State *L, struct call *call) {
  call->work.block = job_new(1, family_ledger());
  if (!call->work.block) return -ENOMEM;
  struct job *job = work_job(&call->work);
  struct chunk *chunk = &job->chunk[0];
  struct arena arena;
  work_shape(job, call->shape, call->number);
  chunk->items = 1;
  chunk->first = 1;
  arena_init(&arena, call->work.block);
  arena_borrow(&arena);
  int rc = work_encode_function(L, &arena, job, CALLED);
  if (rc == 0) {
    arena_begin(&arena);
    rc = arena_encode(L, &arena, ARGUMENTS);
  }
  if (rc == 0) rc = arena_end(&arena, &chunk->input, &chunk->input_size);
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
  struct job *job = work_job(&call->work);
  int rc = job_wait(job, 0, call->slots, call->workers, clock_now() + CALL_WAIT);
  if (rc == 1 && call_went_well(&job->chunk[0]) && decode_outcome(L, &job->chunk[0]) == 0) {
    drop_call(call);
    return push_values(L);
  }
  lua_settop(L, ARGUMENTS);
  lua_pushboolean(L, 0);
  lua_insert(L, ARGUMENTS);
  *work_new(L) = call->work;
  return 3;
}

/* call(shape, slots, number, f, ...): f(...) in a worker, the short way: true and its results. When
   something is in the way (an error, a dead worker, a long wait, a signal handler that ran): false,
   the list of the arguments, and the job if it was posted, of which nothing was collected. */
int work_call(lua_State *L) {
  struct call call; /* not all of it is worth clearing: it has room for thousands of workers */
  call.pool = work_pool(L, 1);
  call.shape = luaL_checkudata(L, 2, WORK_SHAPE);
  call.work = (struct work){.maker = family_id()};
  call.workers = work_slots(L, 3, call.slots, (int)FAMILY_MOST);
  call.number = (uint64_t)luaL_checkinteger(L, 4);
  lua_pushcfunction(L, call_short);
  lua_pushlightuserdata(L, &call);
  lua_rotate(L, 5, 2);
  if (lua_pcall(L, lua_gettop(L) - 5, LUA_MULTRET, 0) == LUA_OK) return lua_gettop(L) - 4;
  drop_call(&call);
  return lua_error(L);
}
