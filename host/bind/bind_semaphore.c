/* core.semaphore and core.permits: semaphores that anybody may release, and bounded ones whose
   permits have owners. */
#include <errno.h>

#include "bind/sync.h"
#include "os/clock.h"
#include "shm/family.h"
#include "shm/permits.h"
#include "shm/semaphore.h"

/* The handle at 1. What is taken through it counts in it: its __close gives back one of these and
 * nobody else's. */
static struct handle *check(lua_State *L, const char *class) {
  struct handle *handle = handle_check(L, 1, class);
  handle_adopt(handle);
  return handle;
}

static int show(lua_State *L, const char *class, const char *name, uint32_t value) {
  struct handle *handle = luaL_checkudata(L, 1, class);
  if (handle->object)
    lua_pushfstring(L, "%s #%I (%I free)", name, (lua_Integer)handle->object, (lua_Integer)value);
  else
    lua_pushfstring(L, "%s (closed handle)", name);
  return 1;
}

/* ---- plain ---- */

static struct semaphore *semaphore_of(const struct handle *handle) {
  return heap_payload(handle->object);
}

static int semaphore_create(lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, n >= 0 && n <= SEMAPHORE_MOST, 1, "value out of range");
  struct handle *handle = handle_new(L, bind_semaphore_class);
  uint64_t hold, semaphore = semaphore_new((uint32_t)n, family_ledger(), &hold);
  sync_open(L, handle, semaphore, hold);
  return 1;
}

static int semaphore_take(lua_State *L, struct handle *handle, int64_t deadline) {
  int rc;
  sync_retry(L, rc, semaphore_acquire(semaphore_of(handle), deadline));
  handle->taken += rc == 0;
  return rc;
}

/* acquire([timeout]) */
static int semaphore_m_acquire(lua_State *L) {
  struct handle *handle = check(L, bind_semaphore_class);
  return sync_taken(L, semaphore_take(L, handle, bind_deadline(L, 2)));
}

static void give(lua_State *L, struct handle *handle, uint32_t n) {
  if (semaphore_release(semaphore_of(handle), n) < 0)
    luaL_error(L, "the semaphore would have more than %d permits", SEMAPHORE_MOST);
  handle->taken -= handle->taken < n ? handle->taken : n;
}

/* release([n]): adds n permits. */
static int semaphore_m_release(lua_State *L) {
  struct handle *handle = check(L, bind_semaphore_class);
  lua_Integer n = luaL_optinteger(L, 2, 1);
  luaL_argcheck(L, n >= 1, 2, "at least 1 expected");
  luaL_argcheck(L, n <= SEMAPHORE_MOST, 2, "at most 2147483647 expected");
  give(L, handle, (uint32_t)n);
  return 0;
}

static int semaphore_m_value(lua_State *L) {
  lua_pushinteger(L, semaphore_value(semaphore_of(check(L, bind_semaphore_class))));
  return 1;
}

static int semaphore_m_with(lua_State *L) {
  struct handle *handle = check(L, bind_semaphore_class);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  semaphore_take(L, handle, CLOCK_NEVER);
  return sync_with(L);
}

static int semaphore_leave_scope(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_semaphore_class);
  if (handle->object == 0) return 0;
  handle_adopt(handle);
  if (handle->taken) give(L, handle, 1);
  return 0;
}

static int semaphore_close(lua_State *L) {
  luaL_checkudata(L, 1, bind_semaphore_class);
  return handle_close(L);
}

static int semaphore_tostring(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_semaphore_class);
  uint32_t value = handle->object ? semaphore_value(semaphore_of(handle)) : 0;
  return show(L, bind_semaphore_class, "Semaphore", value);
}

/* ---- bounded ---- */

static struct permits *permits_of(const struct handle *handle) {
  return heap_payload(handle->object);
}

static int permits_create(lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, n >= 1 && n <= PERMITS_MOST, 1, "value out of range");
  struct handle *handle = handle_new(L, bind_permits_class);
  uint64_t hold, permits = permits_new((uint32_t)n, family_ledger(), &hold);
  sync_open(L, handle, permits, hold);
  return 1;
}

static int permits_take(lua_State *L, struct handle *handle, int64_t deadline) {
  int rc, go_on = 1;
  do rc = permits_acquire(permits_of(handle), deadline);
  while (rc == -EINTR && (go_on = sync_again(L)));
  handle->taken += rc >= 0;
  return go_on ? rc : lua_error(L);
}

static int permits_m_acquire(lua_State *L) {
  struct handle *handle = check(L, bind_permits_class);
  return sync_taken(L, permits_take(L, handle, bind_deadline(L, 2)));
}

/* 0, or -EPERM. */
static int permits_give(lua_State *L, struct handle *handle) {
  handle->taken -= handle->taken > 0;
  if (handle->taken == 0) sync_let_go(L, handle);
  return permits_release(permits_of(handle));
}

/* release([n]): all n or none. */
static int permits_m_release(lua_State *L) {
  struct handle *handle = check(L, bind_permits_class);
  lua_Integer n = luaL_optinteger(L, 2, 1);
  luaL_argcheck(L, n >= 1, 2, "at least 1 expected");
  if (n > 1 && n > permits_mine(permits_of(handle)))
    return luaL_error(L, "this process does not hold so many permits");
  while (n-- > 0)
    if (permits_give(L, handle) < 0)
      return luaL_error(L, "this process holds no permit of the semaphore");
  return 0;
}

static int permits_m_value(lua_State *L) {
  lua_pushinteger(L, permits_value(permits_of(check(L, bind_permits_class))));
  return 1;
}

static int permits_m_with(lua_State *L) {
  struct handle *handle = check(L, bind_permits_class);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  permits_take(L, handle, CLOCK_NEVER);
  return sync_with(L);
}

static int permits_leave_scope(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_permits_class);
  if (handle->object == 0) return 0;
  handle_adopt(handle);
  if (handle->taken) permits_give(L, handle);
  return 0;
}

/* What was taken through it is given back first. */
static int permits_close(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_permits_class);
  if (handle->object == 0) return 0;
  handle_adopt(handle);
  while (handle->taken && permits_give(L, handle) == 0) continue;
  return handle_close(L);
}

static int permits_gc(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_permits_class);
  int held = handle->object && !handle->kept && handle->slot == family_index() && handle->taken;
  return held && sync_keep(L, handle) ? 0 : permits_close(L);
}

static int permits_tostring(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_permits_class);
  uint32_t value = handle->object ? permits_value(permits_of(handle)) : 0;
  return show(L, bind_permits_class, "BoundedSemaphore", value);
}

void bind_semaphore(lua_State *L) {
  static const luaL_Reg plain[] = {
      {"acquire", semaphore_m_acquire}, {"release", semaphore_m_release},
      {"get_value", semaphore_m_value}, {"with", semaphore_m_with},
      {"close", semaphore_close},       {NULL, NULL},
  };
  static const luaL_Reg bounded[] = {
      {"acquire", permits_m_acquire}, {"release", permits_m_release},
      {"get_value", permits_m_value}, {"with", permits_m_with},
      {"close", permits_close},       {NULL, NULL},
  };
  sync_class(L, bind_semaphore_class, plain, semaphore_close, semaphore_leave_scope);
  sync_class(L, bind_permits_class, bounded, permits_close, permits_leave_scope);
  sync_finalizer(L, bind_permits_class, permits_gc);
  bind_metamethod(L, bind_semaphore_class, "__tostring", semaphore_tostring);
  bind_metamethod(L, bind_permits_class, "__tostring", permits_tostring);
  lua_pushcfunction(L, semaphore_create);
  lua_setfield(L, -2, "semaphore");
  lua_pushcfunction(L, permits_create);
  lua_setfield(L, -2, "permits");
}
