/* What the bindings of locks, semaphores, events, conditions and barriers share.

   Methods that take something return the handle itself, whose __close gives it back: so
   `local _ <close> = lock:acquire()` does. The handle is dropped by `close` and when it is
   collected.

   A handle through which something is held that has an owner (a lock, permits) is not collected:
   `d.lock:acquire()` with a shared table d leaves nobody else who has it, and the collector would
   give the lock back inside the critical section. When its finalizer is called it puts itself into
   the registry, by its address, and is taken out when it has given back. A state that is being
   closed has no such place: there it gives back. In a forked child, which holds nothing, it stays
   until the child takes and gives back through it, or closes it. */
#ifndef BIND_SYNC_H
#define BIND_SYNC_H

#include "bind/bind.h"
#include "bind/interrupt.h"
#include "shm/lock.h"

/* In the finalizer of the handle at 1, through which something is held: keeps it. 0: the state is
 * being closed. */
int sync_keep(lua_State *L, struct handle *handle);

/* Lets it be collected again: what was held through it is given back. */
static inline void sync_let_go(lua_State *L, struct handle *handle) {
  if (!handle->kept) return;
  handle->kept = 0;
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, handle);
}

/* Before lua_close: from now on finalizers give back. Raises when there is no memory. */
void sync_closing(lua_State *L);

/* Calls the shared memory's function again as long as signal handlers end its sleep; an interrupt
 * raises. Nothing may be held. */
#define sync_retry(L, rc, call)                                                                    \
  do (rc) = (call);                                                                                \
  while (interrupt_again(L, rc))

/* interrupt_again where something is held: an error is left on the stack instead of raised. 1 go on
 * waiting, 0 an error, for lua_error. */
int sync_again(lua_State *L);

/* Registers the class: methods; `close` by hand and by the collector, `leave` at a scope's end. */
void sync_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction close,
                lua_CFunction leave);
/* Another finalizer than `close`. */
void sync_finalizer(lua_State *L, const char *name, lua_CFunction gc);

/* The answer of a method that took what the handle at 1 stands for: the handle, and "owner died" if
 * rc is 1; what else went wrong if it is negative. */
int sync_taken(lua_State *L, int rc);

/* with(f, ...) after the taking: calls f, gives back at its end by the handle's __close, also when
 * f raises, and returns what f does. */
int sync_with(lua_State *L);

/* true, or the world's answer. */
int sync_true(lua_State *L, int rc);

/* Pushes a new handle for an object that was made with `hold`; raises when it is 0. */
void sync_open(lua_State *L, struct handle *handle, uint64_t object, uint64_t hold);

/* Takes and gives back a lock for the handle at 1 (its own, or a condition's): lock_acquire's
 * answer, 0. Misuse raises. */
int sync_lock(lua_State *L, struct lock *lock, const struct handle *handle, int64_t deadline);
int sync_holds(const struct lock *lock, const struct handle *handle);
int sync_unlock(lua_State *L, struct lock *lock);
/* At a scope's end: gives it back once if it is this thread's. */
void sync_leave(lua_State *L, struct lock *lock);
/* Before a handle closes: gives back what was taken through it. -EBUSY: the memory must stay. */
int sync_drop(lua_State *L, struct lock *lock, struct handle *handle);

#endif
