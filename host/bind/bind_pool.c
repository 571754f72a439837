/* core.pool: the shared pool that workers look at, as its parent has it, and what its workers do.
 */
#include "bind/bind.h"
#include "bind/work.h"
#include "shm/family.h"
#include "shm/region.h"

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

struct pool *work_pool(lua_State *L, int arg) {
  return heap_payload(handle_check(L, arg, bind_pool_class)->object);
}

static struct pool *check_pool(lua_State *L) {
  return work_pool(L, 1);
}

/* post(job): true, or nil when too many jobs are posted. */
static int pool_m_post(lua_State *L) {
  int rc = pool_post(check_pool(L), bind_job_block(L, 2));
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

/* ring(): the bell, for whoever listens: there is something to look after. */
static int pool_m_ring(lua_State *L) {
  region_ring(&check_pool(L)->listened);
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

static void set_seconds(lua_State *L, const char *name, uint64_t ns) {
  lua_pushnumber(L, (lua_Number)ns / 1e9);
  lua_setfield(L, -2, name);
}

static void set_count(lua_State *L, const char *name, uint64_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, name);
}

/* status(slot): what that process is doing: since, deadline, busy in seconds, done, failed,
   item, job: a number that is another one for each job at a time. */
static int pool_status(lua_State *L) {
  lua_Integer slot = luaL_checkinteger(L, 1);
  luaL_argcheck(L, slot >= 0 && slot < (lua_Integer)FAMILY_MOST, 1, "no such slot");
  const struct status *s = &family_slot((int)slot)->status;
  lua_createtable(L, 0, 7);
  set_seconds(L, "since", s->since);
  set_seconds(L, "deadline", s->deadline);
  set_seconds(L, "busy", s->busy);
  set_count(L, "done", s->done);
  set_count(L, "failed", s->failed);
  set_count(L, "job", s->job);
  if (s->item != STATUS_NONE) set_count(L, "item", s->item);
  return 1;
}

void bind_pool(lua_State *L) {
  static const luaL_Reg pool_methods[] = {{"post", pool_m_post},     {"call", work_call},
                                          {"stop", pool_m_stop},     {"nudge", pool_m_nudge},
                                          {"watch", pool_m_watch},   {"enlist", pool_m_enlist},
                                          {"listen", pool_m_listen}, {"ring", pool_m_ring},
                                          {"close", handle_close},   {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"pool", pool_create}, {"status", pool_status}, {NULL, NULL}};
  bind_class(L, bind_pool_class, pool_methods, handle_close);
  luaL_setfuncs(L, functions, 0);
  lua_pushinteger(L, (lua_Integer)FAMILY_MOST - 1); /* the first process has a slot, too */
  lua_setfield(L, -2, "most_children");
}
