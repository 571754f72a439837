/* What the bindings share: the module's entry, the one funnel for errors, arguments, and handles to
   shared objects.

   A handle is a userdata: born closed (object 0), then given its metatable, then its hold, which
   marks it open. Lua sees one handle per object and state: the registry keeps them in a weak table
   by the object's offset. Closing and collecting are the same and may happen twice. In a forked
   child a handle finds its own copy of the hold it inherited when it first gives it up. `slot` says
   whose hold it is. */
#ifndef BIND_BIND_H
#define BIND_BIND_H

#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>

#include "codec/codec.h"
#include "shm/family.h"
#include "shm/queue.h"

int luaopen_mphost_core(lua_State *L);

/* Each adds its functions to the table on top of the stack. */
void bind_handle(lua_State *L);
void bind_system(lua_State *L);
void bind_pack(lua_State *L);
void bind_launch(lua_State *L);
void bind_process(lua_State *L);
void bind_pipe(lua_State *L);
void bind_queue(lua_State *L);
void bind_value(lua_State *L);
void bind_dict(lua_State *L);
void bind_array(lua_State *L);
void bind_file(lua_State *L);
void bind_pool(lua_State *L);
void bind_job(lua_State *L);
void bind_worker(lua_State *L);
void bind_joblog(lua_State *L); /* joblog.h */
void bind_peek(lua_State *L);
void bind_lock(lua_State *L);
void bind_semaphore(lua_State *L);
void bind_event(lua_State *L);
void bind_condition(lua_State *L);
void bind_barrier(lua_State *L);

#define BIND_FOREIGN                                                                               \
  "this process was forked by another means than mphost; its parent's shared memory is not for it"

/* Raises when this process has no part in a family: it was forked by somebody else, or its last Lua
 * state with the library in it is being closed. */
void bind_check_family(lua_State *L);

/* The world's answer to a call: pushes nil, message, name, or raises what is nobody's answer (no
 * memory ...). */
int bind_fail(lua_State *L, int rc);

/* Raises the message on top of the stack with the caller's line in front. */
int bind_raise(lua_State *L);

/* Raises that the handle of the class at an argument is closed; arg 0, or where there is no
 * argument to name (an index, a length): without one. */
int bind_closed(lua_State *L, int arg, const char *class);

/* The optional timeout in seconds at an argument, as a deadline (os/clock.h). */
int64_t bind_deadline(lua_State *L, int arg);

/* Registers a metatable: methods by __index and __methods, __gc and __close unless close is NULL,
 * __name. */
void bind_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction close);

/* Adds a metamethod to a registered metatable. */
void bind_metamethod(lua_State *L, const char *class, const char *name, lua_CFunction function);

struct handle {
  const char *class; /* one of those below: by its address a method knows its own kind at once */
  uint64_t object;   /* 0: closed */
  uint64_t hold;
  int slot;
  /* Of a bounded or plain semaphore: permits taken through it and not given back; in the process of
   * `slot`. Of a value: changes made through it. Of a dict: updates that have to know of changes.
   */
  uint32_t taken;
  uint32_t kept;  /* it stands in the registry (sync.h) */
  uint32_t votes; /* for a metatable of its own (warm.h) */
};

/* Names of the metatables of handles. */
extern const char bind_queue_class[], bind_value_class[], bind_dict_class[], bind_pool_class[],
    bind_pipe_class[], bind_array_class[], bind_lock_class[], bind_semaphore_class[],
    bind_permits_class[], bind_event_class[], bind_condition_class[], bind_barrier_class[];

/* Pushes a new handle that is closed yet; of a class with more in it, that is zero. */
struct handle *handle_new(lua_State *L, const char *class);
/* Marks it open and makes it the one for its object. */
void handle_open(lua_State *L, struct handle *handle, uint64_t object, uint64_t hold);
/* The plain handle of the class at an argument, open or closed; NULL: something else. */
static inline struct handle *handle_as(lua_State *L, int arg, const char *class) {
  if (lua_rawlen(L, arg) != sizeof(struct handle)) return NULL; /* of light userdata: 0 */
  struct handle *handle = lua_touserdata(L, arg);
  return handle && handle->class == class ? handle : NULL;
}
/* The same, open; raises when it is something else, or closed. */
struct handle *handle_check_slowly(lua_State *L, int arg, const char *class);
static inline struct handle *handle_check(lua_State *L, int arg, const char *class) {
  struct handle *handle = handle_as(L, arg, class);
  if (handle && handle->object && family_index() >= 0) return handle;
  return handle_check_slowly(L, arg, class);
}
/* This state's open handle for the object, or NULL; it is not kept from being collected. */
struct handle *handle_of(lua_State *L, uint64_t object);
/* Gives up a hold that the process of the slot took: this one, or the one it was forked from. */
void handle_drop(uint64_t hold, int slot);
/* In a forked child: makes an inherited handle this process's own. */
void handle_adopt(struct handle *handle);
/* The __gc, __close and `close` of handles without more to do. */
int handle_close(lua_State *L);

/* The job (shm/job.h) that is the argument. */
uint64_t bind_job_block(lua_State *L, int arg);

struct parcel;

/* The codec's handles for outgoing (context: a parcel) and incoming messages. */
codec_handles bind_handles(struct parcel *parcel);
/* For what stands in a block that only this process looks at and will drop: the handles take over
 * the holds that it brings, which needs no memory. */
codec_handles bind_handles_of(uint64_t *block);
/* For bytes that may leave the family: refuses them. */
codec_handles bind_no_handles(void);

#endif
