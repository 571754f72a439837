/* Handles to shared objects, and how they travel. See bind.h. */
#include <errno.h>
#include <string.h>

#include "bind/array.h"
#include "bind/bind.h"
#include "bind/parcel.h"
#include "shm/family.h"
#include "shm/object.h"

static const char
    known; /* its address: the registry's table of handles, weak, by the object's offset */
static const char shared; /* its address: the mark in the metatables of handles */

const char bind_queue_class[] = "mphost.Queue";
const char bind_value_class[] = "mphost.Value";
const char bind_dict_class[] = "mphost.Dict";
const char bind_pool_class[] = "mphost.core.Pool";
const char bind_pipe_class[] = "mphost.Connection";
const char bind_array_class[] = "mphost.Array";
const char bind_lock_class[] = "mphost.Lock";
const char bind_semaphore_class[] = "mphost.Semaphore";
const char bind_permits_class[] = "mphost.BoundedSemaphore";
const char bind_event_class[] = "mphost.Event";
const char bind_condition_class[] = "mphost.Condition";
const char bind_barrier_class[] = "mphost.Barrier";

static const struct kind {
  int kind;
  const char *class;
  size_t size;                     /* of the userdata; 0: a plain handle */
  void (*settle)(struct handle *); /* after it was opened; NULL: nothing to do */
} kinds[] = {
    {BLOCK_QUEUE, bind_queue_class, 0, NULL},
    {BLOCK_VALUE, bind_value_class, 0, NULL},
    {BLOCK_DICT, bind_dict_class, 0, NULL},
    {BLOCK_POOL, bind_pool_class, 0, NULL},
    {BLOCK_PIPE, bind_pipe_class, 0, NULL},
    {BLOCK_ARRAY, bind_array_class, sizeof(struct array_handle), array_settle},
    {BLOCK_SLICE, bind_array_class, sizeof(struct array_handle), array_settle},
    {BLOCK_FILE, bind_array_class, sizeof(struct array_handle), array_settle},
    {BLOCK_LOCK, bind_lock_class, 0, NULL},
    {BLOCK_SEMAPHORE, bind_semaphore_class, 0, NULL},
    {BLOCK_PERMITS, bind_permits_class, 0, NULL},
    {BLOCK_EVENT, bind_event_class, 0, NULL},
    {BLOCK_CONDITION, bind_condition_class, 0, NULL},
    {BLOCK_BARRIER, bind_barrier_class, 0, NULL},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static size_t size_of(const char *class) {
  for (size_t i = 0; i < KINDS; i++)
    if (kinds[i].class == class && kinds[i].size) return kinds[i].size;
  return sizeof(struct handle);
}

struct handle *handle_new(lua_State *L, const char *class) {
  bind_check_family(L);
  size_t size = size_of(class);
  int values = class == bind_barrier_class; /* its action */
  struct handle *handle = lua_newuserdatauv(L, size, values);
  memset(handle, 0, size);
  handle->class = class;
  luaL_getmetatable(L, class);
  lua_pushboolean(L, 1);
  lua_rawsetp(L, -2, &shared);
  lua_setmetatable(L, -2);
  return handle;
}

/* Lua's collector sees some 40 bytes of userdata and not what hangs on them: it is told, a few KB
 * at a time. */
static void charge_collector(lua_State *L, const struct block *object) {
  static _Thread_local uint64_t bytes;
  bytes += object->size + HEAP_HEADER;
  if (object->kind == BLOCK_QUEUE) bytes += QUEUE_FIRST_RING;
  if (bytes < 4096) return;
  int kilobytes = (int)(bytes / 1024);
  bytes = 0;
  lua_gc(L, LUA_GCSTEP, kilobytes);
}

void handle_open(lua_State *L, struct handle *handle, uint64_t object, uint64_t hold) {
  handle->object = object;
  handle->hold = hold;
  handle->slot = family_index();
  lua_rawgetp(L, LUA_REGISTRYINDEX, &known);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, (lua_Integer)object);
  lua_pop(L, 1);
  charge_collector(L, block_at(object));
}

static const char *class_name(lua_State *L, int arg) {
  return luaL_getmetafield(L, arg, "__name") == LUA_TSTRING ? lua_tostring(L, -1) : "";
}

struct handle *handle_check_slowly(lua_State *L, int arg, const char *class) {
  /* luaL_checkudata would call it by its metatable's name. */
  if (lua_type(L, arg) == LUA_TTABLE && strcmp(class_name(L, arg), class) == 0)
    luaL_argerror(L, arg, lua_pushfstring(L, "%s expected, got table", class));
  struct handle *handle = handle_as(L, arg, class);
  if (!handle) handle = luaL_checkudata(L, arg, class);
  if (handle->object == 0) bind_closed(L, arg, class);
  bind_check_family(L);
  return handle;
}

void handle_drop(uint64_t hold, int slot) {
  if (family_index() < 0) return; /* forked by somebody else: the holds are the parent's */
  if (slot != family_index()) hold = family_inherited(hold);
  if (hold) object_drop(hold);
}

void handle_adopt(struct handle *handle) {
  if (handle->slot == family_index()) return;
  handle->taken = 0;
  if (family_index() < 0) return; /* forked by somebody else */
  handle->hold = family_inherited(handle->hold);
  handle->slot = family_index();
}

/* Needs two stack slots. */
static int is_handle(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return 0;
  int marked = lua_rawgetp(L, -1, &shared) != LUA_TNIL;
  lua_pop(L, 2);
  return marked;
}

/* It is a method, too, that may be given anything. */
int handle_close(lua_State *L) {
  if (!is_handle(L, 1)) return luaL_typeerror(L, 1, "handle");
  struct handle *handle = lua_touserdata(L, 1);
  if (handle->object == 0) return 0;
  handle->object = 0;
  handle_drop(handle->hold, handle->slot);
  return 0;
}

/* Pushes the handle for the object and returns it, or NULL and nothing pushed. */
static struct handle *find(lua_State *L, uint64_t object) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &known);
  lua_rawgeti(L, -1, (lua_Integer)object);
  lua_remove(L, -2);
  struct handle *handle = lua_touserdata(L, -1);
  if (handle && handle->object == object) return handle;
  lua_pop(L, 1);
  return NULL;
}

struct handle *handle_of(lua_State *L, uint64_t object) {
  struct handle *handle = find(L, object);
  if (handle) lua_pop(L, 1);
  return handle;
}

static const struct kind *kind_of(uint64_t object) {
  if (object % 64 || object < REGION_HEAP || object >= region.size) return NULL;
  uint64_t kind = block_at(object)->kind;
  for (size_t i = 0; i < KINDS; i++)
    if ((uint64_t)kinds[i].kind == kind) return &kinds[i];
  return NULL;
}

enum { NEAR = 16 }; /* holds looked through for the one that is most likely the first */

/* A hold for a new handle: of those that the message brings, in the order of its handles, or one
 * more. */
static uint64_t hold_for(uint64_t object, const uint64_t *message) {
  uint64_t hold = message ? object_take_hold(*message, object, NEAR, family_ledger()) : 0;
  if (!hold) hold = object_hold(object, family_ledger());
  if (!hold && message) hold = object_take_hold(*message, object, SIZE_MAX, family_ledger());
  return hold;
}

static int arrive(lua_State *L, uint64_t object, void *context) {
  if (!lua_checkstack(L, 4)) return -ENOMEM;
  const struct kind *kind = kind_of(object);
  if (!kind) return -EBADMSG;
  if (find(L, object)) return 0;
  struct handle *handle = handle_new(L, kind->class);
  uint64_t hold = hold_for(object, context);
  if (!hold) {
    lua_pop(L, 1);
    return -ENOMEM;
  }
  handle_open(L, handle, object, hold);
  if (kind->settle) kind->settle(handle);
  return 0;
}

static int depart(lua_State *L, int index, void *context, uint64_t *word) {
  index = lua_absindex(L, index);
  if (!lua_checkstack(L, 2) || !is_handle(L, index)) return 0;
  struct handle *handle = lua_touserdata(L, index);
  if (handle->object == 0) return -EBADF;
  int rc = parcel_carry(context, handle->object);
  *word = handle->object;
  return rc < 0 ? rc : 1;
}

static int stay(lua_State *L, int index, void *context, uint64_t *word) {
  (void)context, (void)word;
  return lua_checkstack(L, 2) && is_handle(L, lua_absindex(L, index)) ? -EPERM : 0;
}

static int arrive_never(lua_State *L, uint64_t word, void *context) {
  (void)L, (void)word, (void)context;
  return -EPERM;
}

codec_handles bind_no_handles(void) {
  return (codec_handles){.out = stay, .in = arrive_never};
}

codec_handles bind_handles(struct parcel *parcel) {
  return (codec_handles){.context = parcel, .out = depart, .in = arrive};
}

codec_handles bind_handles_of(uint64_t *block) {
  return (codec_handles){.context = block, .in = arrive};
}

void bind_handle(lua_State *L) {
  lua_newtable(L);
  lua_newtable(L);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &known);
}
