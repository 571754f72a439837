/* core.lock: locks, plain and recursive. */
#include <errno.h>

#include "bind/sync.h"
#include "os/clock.h"
#include "shm/family.h"
#include "shm/lock.h"

static struct lock *lock_of(const struct handle *handle) {
  return heap_payload(handle->object);
}

static struct lock *check(lua_State *L) {
  return lock_of(handle_check(L, 1, bind_lock_class));
}

/* lock(recursive) */
static int lock_create(lua_State *L) {
  struct handle *handle = handle_new(L, bind_lock_class);
  uint64_t hold, lock = lock_new(lua_toboolean(L, 1), family_ledger(), &hold);
  sync_open(L, handle, lock, hold);
  return 1;
}

int sync_holds(const struct lock *lock, const struct handle *handle) {
  return lock_is_mine(lock) && lock->tag == (uint64_t)(uintptr_t)handle;
}

/* As lock_release; the handle through which it was taken may be another than the one that gives it
 * back: a condition's and its lock's. */
static int release(lua_State *L, struct lock *lock) {
  if (!lock_is_mine(lock)) return -EPERM;
  uint64_t tag = lock->tag, depth = lock->depth;
  lock_release(lock);
  if (depth == 1) sync_let_go(L, (struct handle *)(uintptr_t)tag);
  return 0;
}

int sync_lock(lua_State *L, struct lock *lock, const struct handle *handle, int64_t deadline) {
  int rc, go_on = 1;
  do rc = lock_acquire(lock, (uint64_t)(uintptr_t)handle, deadline);
  while (rc == -EINTR && (go_on = sync_again(L)));
  if (!go_on) return lua_error(L);
  if (rc == -EDEADLK)
    return luaL_error(L, "deadlock: this process holds the lock already and would wait for itself "
                         "for ever (an RLock may be taken again)");
  if (rc == -EMFILE) return luaL_error(L, "too many locks held: %d at once at most", LOCK_MOST);
  return rc;
}

int sync_unlock(lua_State *L, struct lock *lock) {
  if (release(L, lock) < 0)
    return luaL_error(L, lock_is_held(lock)
                             ? "the lock is held by somebody else, not by this process"
                             : "the lock is not held");
  return 0;
}

void sync_leave(lua_State *L, struct lock *lock) {
  if (lock_is_mine(lock)) release(L, lock);
}

int sync_drop(lua_State *L, struct lock *lock, struct handle *handle) {
  sync_let_go(L, handle);
  return lock_drop(lock, (uint64_t)(uintptr_t)handle);
}

/* acquire([timeout]) */
static int lock_m_acquire(lua_State *L) {
  struct handle *handle = handle_check(L, 1, bind_lock_class);
  return sync_taken(L, sync_lock(L, lock_of(handle), handle, bind_deadline(L, 2)));
}

static int lock_m_release(lua_State *L) {
  return sync_unlock(L, check(L));
}

static int lock_m_locked(lua_State *L) {
  lua_pushboolean(L, lock_is_held(check(L)));
  return 1;
}

static int lock_m_with(lua_State *L) {
  struct handle *handle = handle_check(L, 1, bind_lock_class);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  sync_lock(L, lock_of(handle), handle, CLOCK_NEVER);
  return sync_with(L);
}

static int lock_leave_scope(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_lock_class);
  if (handle->object) sync_leave(L, lock_of(handle));
  return 0;
}

/* What was taken through it is given back first. Held by another thread of this process, the lock
   stays in that thread's list, and so the hold stays in the ledger. */
static int lock_close(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_lock_class);
  if (handle->object && sync_drop(L, lock_of(handle), handle) < 0) handle->object = 0;
  return handle_close(L);
}

static int lock_gc(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_lock_class);
  int held = handle->object && !handle->kept && sync_holds(lock_of(handle), handle);
  return held && sync_keep(L, handle) ? 0 : lock_close(L);
}

static int lock_tostring(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_lock_class);
  if (handle->object == 0) {
    lua_pushliteral(L, "Lock (closed handle)");
    return 1;
  }
  const struct lock *lock = lock_of(handle);
  lua_pushfstring(L, "%s #%I (%s)", lock->recursive ? "RLock" : "Lock", (lua_Integer)handle->object,
                  lock_is_mine(lock)   ? "held by this process"
                  : lock_is_held(lock) ? "held by another"
                                       : "free");
  return 1;
}

void bind_lock(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"acquire", lock_m_acquire}, {"release", lock_m_release}, {"locked", lock_m_locked},
      {"with", lock_m_with},       {"close", lock_close},       {NULL, NULL},
  };
  sync_class(L, bind_lock_class, methods, lock_close, lock_leave_scope);
  sync_finalizer(L, bind_lock_class, lock_gc);
  bind_metamethod(L, bind_lock_class, "__tostring", lock_tostring);
  lua_pushcfunction(L, lock_create);
  lua_setfield(L, -2, "lock");
}
