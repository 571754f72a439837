/* core.pool:call: one call of a function, from its arguments to its results, without a table of
 * Lua's for it. All that goes wrong is left to lua/mphost/call.lua, with the job as it is. */
#include <errno.h>

#include "bind/bind.h"
#include "bind/outcome.h"
#include "bind/values.h"
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

#define MANY 1000 /* results; more are left in their list: whoever passes them on doubles them */

enum { CALL = 1, CALLED, ARGUMENTS };

/* The n arguments from ARGUMENTS on. */
static int put_arguments(lua_State *L, struct arena *arena, int n) {
  if (values_put(L, arena, ARGUMENTS, n)) return 0;
  lua_createtable(L, n, 1);
  for (int i = 0; i < n; i++) {
    lua_pushvalue(L, ARGUMENTS + i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushinteger(L, n);
  lua_setfield(L, -2, "n");
  int rc = arena_encode(L, arena, -1);
  lua_settop(L, ARGUMENTS + n - 1);
  return rc;
}

/* The function and its n arguments as a job of one chunk, posted: 0 or -errno. */
static int post_call(lua_State *L, struct call *call, int n) {
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
    rc = put_arguments(L, &arena, n);
  }
  if (rc == 0) rc = arena_end(&arena, &chunk->input, &chunk->input_size);
  arena_leave(&arena);
  arena_fini(&arena);
  lua_settop(L, ARGUMENTS + n - 1);
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

/* Pushes true and the results, or nil and the list of them: how many values; 0: they cannot be had
 * here. */
static int push_results(lua_State *L, const struct chunk *chunk) {
  codec_handles handles = bind_handles(NULL);
  const char *at = region_at(chunk->output);
  size_t left = atomic_load(&chunk->output_size);
  lua_pushboolean(L, 1);
  if (values_begin(at, left)) return 1 + values_push(L, &at, &left);
  if (outcome_decode(L, &at, &left, &handles) != 0) return 0;
  int list = lua_gettop(L);
  lua_getfield(L, list, "n");
  int n = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (n > MANY || !lua_checkstack(L, n + 2)) {
    lua_pushnil(L);
    lua_replace(L, list - 1);
    return 2;
  }
  for (int i = 1; i <= n; i++) lua_rawgeti(L, list, i);
  lua_remove(L, list);
  return 1 + n;
}

/* (call, f, ...) */
static int call_short(lua_State *L) {
  struct call *call = lua_touserdata(L, CALL);
  int n = lua_gettop(L) - CALLED, posted = call->workers > 0 && post_call(L, call, n) == 0;
  if (posted) {
    struct job *job = work_job(&call->work);
    int rc = job_wait(job, 0, call->slots, call->workers, clock_now() + CALL_WAIT), results = 0;
    if (rc == 1 && call_went_well(&job->chunk[0])) results = push_results(L, &job->chunk[0]);
    if (results) {
      drop_call(call);
      return results;
    }
  } else {
    drop_call(call);
  }
  lua_settop(L, ARGUMENTS + n - 1);
  values_to_list(L, n);
  lua_pushboolean(L, 0);
  lua_insert(L, ARGUMENTS);
  if (!posted) return 2;
  *work_new(L) = call->work;
  return 3;
}

/* call(shape, slots, number, f, ...): f(...) in a worker, the short way: true and its results, or
   nil and a list of them with n, when they are many. When something is in the way (an error, a dead
   worker, a long wait, a signal handler that ran): false, the list of the arguments, and the job if
   it was posted, of which nothing was collected. */
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
