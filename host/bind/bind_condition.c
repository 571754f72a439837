/* core.condition: conditions, and their locks by their methods. */
#include <errno.h>

#include "bind/sync.h"
#include "os/clock.h"
#include "shm/condition.h"
#include "shm/family.h"

static struct condition *condition_of(const struct handle *handle) {
  return heap_payload(handle->object);
}

static struct condition *check(lua_State *L) {
  return condition_of(handle_check(L, 1, bind_condition_class));
}

/* condition([lock]) */
static int condition_create(lua_State *L) {
  uint64_t lock = lua_isnoneornil(L, 1) ? 0 : handle_check(L, 1, bind_lock_class)->object;
  struct handle *handle = handle_new(L, bind_condition_class);
  uint64_t hold, condition = condition_new(lock, family_ledger(), &hold);
  sync_open(L, handle, condition, hold);
  return 1;
}

/* ---- the lock ---- */

static int condition_m_acquire(lua_State *L) {
  struct handle *handle = handle_check(L, 1, bind_condition_class);
  struct lock *lock = condition_lock(condition_of(handle));
  return sync_taken(L, sync_lock(L, lock, handle, bind_deadline(L, 2)));
}

static int condition_m_release(lua_State *L) {
  return sync_unlock(L, condition_lock(check(L)));
}

static int condition_m_locked(lua_State *L) {
  lua_pushboolean(L, lock_is_held(condition_lock(check(L))));
  return 1;
}

static int condition_m_with(lua_State *L) {
  struct handle *handle = handle_check(L, 1, bind_condition_class);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  sync_lock(L, condition_lock(condition_of(handle)), handle, CLOCK_NEVER);
  return sync_with(L);
}

static int condition_leave_scope(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_condition_class);
  if (handle->object == 0) return 0;
  sync_leave(L, condition_lock(condition_of(handle)));
  return 0;
}

/* As bind_lock.c's. */
static int condition_close(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_condition_class);
  if (handle->object == 0) return 0;
  if (sync_drop(L, condition_lock(condition_of(handle)), handle) < 0) handle->object = 0;
  return handle_close(L);
}

static int condition_gc(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_condition_class);
  int held =
      handle->object && !handle->kept && sync_holds(condition_lock(condition_of(handle)), handle);
  return held && sync_keep(L, handle) ? 0 : condition_close(L);
}

/* ---- the line ---- */

static int not_held(lua_State *L, const char *what) {
  return luaL_error(L, "'%s' needs the condition's lock: acquire it first", what);
}

/* One wait: 0 or -ETIMEDOUT. However it ends, this thread has the lock. */
static int wait_once(lua_State *L, const char *what, int64_t deadline, int *died) {
  uint64_t condition = handle_check(L, 1, bind_condition_class)->object;
  struct condition *c = heap_payload(condition);
  struct waiting w;
  int rc = condition_begin(condition, &w);
  if (rc == -EPERM) return not_held(L, what);
  if (rc < 0) return bind_fail(L, rc);
  while (condition_sleep(c, &w, deadline) == -EINTR) {
    if (sync_again(L)) continue;
    condition_give_up(c, &w);
    return lua_error(L);
  }
  return condition_end(c, &w, died);
}

static int append_death(lua_State *L, int results, int died) {
  if (!died) return results;
  lua_pushliteral(L, "owner died");
  return results + 1;
}

/* wait([timeout]): true [, "owner died"], or nil, message, "timeout" [, "owner died"]. */
static int condition_m_wait(lua_State *L) {
  check(L);
  int died, rc = wait_once(L, "wait", bind_deadline(L, 2), &died);
  return append_death(L, sync_true(L, rc), died);
}

/* wait_for(predicate [, timeout]): what the predicate said when it was true. */
static int condition_m_wait_for(lua_State *L) {
  struct condition *c = check(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  int64_t deadline = bind_deadline(L, 3);
  int some_died = 0, rc = 0;
  if (!lock_is_mine(condition_lock(c))) return not_held(L, "wait_for");
  for (;;) {
    lua_settop(L, 3);
    lua_pushvalue(L, 2);
    lua_call(L, 0, 1);
    if (lua_toboolean(L, 4)) return append_death(L, 1, some_died);
    if (rc < 0) return append_death(L, bind_fail(L, rc), some_died);
    int died;
    rc = wait_once(L, "wait_for", deadline, &died);
    some_died |= died;
  }
}

static int notify(lua_State *L, const char *what, uint32_t n) {
  int rc = condition_notify(check(L), n);
  if (rc < 0) return not_held(L, what);
  lua_pushinteger(L, rc);
  return 1;
}

/* notify([n]): how many were notified. */
static int condition_m_notify(lua_State *L) {
  lua_Integer n = luaL_optinteger(L, 2, 1);
  luaL_argcheck(L, n >= 0, 2, "not negative expected");
  return notify(L, "notify", n > INT32_MAX ? INT32_MAX : (uint32_t)n);
}

static int condition_m_notify_all(lua_State *L) {
  return notify(L, "notify_all", INT32_MAX);
}

static int condition_tostring(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_condition_class);
  if (handle->object)
    lua_pushfstring(L, "Condition #%I (its lock is %s)", (lua_Integer)handle->object,
                    lock_is_held(condition_lock(condition_of(handle))) ? "held" : "free");
  else
    lua_pushliteral(L, "Condition (closed handle)");
  return 1;
}

void bind_condition(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"acquire", condition_m_acquire}, {"release", condition_m_release},
      {"locked", condition_m_locked},   {"with", condition_m_with},
      {"wait", condition_m_wait},       {"wait_for", condition_m_wait_for},
      {"notify", condition_m_notify},   {"notify_all", condition_m_notify_all},
      {"close", condition_close},       {NULL, NULL},
  };
  sync_class(L, bind_condition_class, methods, condition_close, condition_leave_scope);
  sync_finalizer(L, bind_condition_class, condition_gc);
  bind_metamethod(L, bind_condition_class, "__tostring", condition_tostring);
  lua_pushcfunction(L, condition_create);
  lua_setfield(L, -2, "condition");
}
