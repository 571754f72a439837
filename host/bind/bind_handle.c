/* Handles to shared objects, and the parcels in which values and handles travel. See bind.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bind/bind.h"
#include "shm/family.h"
#include "shm/object.h"

static const char
    known; /* its address: the registry's table of handles, weak, by the object's offset */
static const char shared; /* its address: the mark in the metatables of handles */

const char bind_queue_class[] = "mphost.Queue";
const char bind_value_class[] = "mphost.Value";
const char bind_pool_class[] = "mphost.core.Pool";

static const struct {
  int kind;
  const char *class;
} classes[] = {{BLOCK_QUEUE, bind_queue_class},
               {BLOCK_VALUE, bind_value_class},
               {BLOCK_POOL, bind_pool_class}};

struct handle *handle_new(lua_State *L, const char *class) {
  struct handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
  *handle = (struct handle){.class = class};
  luaL_getmetatable(L, class);
  lua_pushboolean(L, 1);
  lua_rawsetp(L, -2, &shared);
  lua_setmetatable(L, -2);
  return handle;
}

/* Lua's collector sees some 40 bytes of userdata and not what hangs on them: it is told, a few KB
 * at a time. */
static void charge_collector(lua_State *L, const struct block *object) {
  static uint64_t bytes;
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

/* Comparing metatables by name costs more than a whole operation on a value: size and class address
 * decide first. */
struct handle *handle_check(lua_State *L, int arg, const char *class) {
  struct handle *handle = NULL;
  if (lua_type(L, arg) == LUA_TUSERDATA && lua_rawlen(L, arg) == sizeof *handle)
    handle = lua_touserdata(L, arg);
  if (!handle || handle->class != class) handle = luaL_checkudata(L, arg, class);
  if (handle->object == 0) luaL_argerror(L, arg, "it is closed");
  return handle;
}

int handle_close(lua_State *L) {
  struct handle *handle = lua_touserdata(L, 1);
  if (!handle || handle->object == 0) return 0;
  handle->object = 0;
  int mine = handle->slot == family_index();
  uint64_t hold = mine ? handle->hold : family_inherited(handle->hold);
  if (hold) object_drop(hold);
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

static const char *class_of(uint64_t object) {
  if (object % 64 || object < REGION_HEAP || object >= region.size) return NULL;
  uint64_t kind = block_at(object)->kind;
  for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
    if ((uint64_t)classes[i].kind == kind) return classes[i].class;
  return NULL;
}

static int arrive(lua_State *L, uint64_t object, void *context) {
  (void)context;
  if (!lua_checkstack(L, 4)) return -ENOMEM;
  const char *class = class_of(object);
  if (!class) return -EBADMSG;
  if (find(L, object)) return 0;
  struct handle *handle = handle_new(L, class);
  uint64_t hold = object_hold(object, family_ledger());
  if (!hold) {
    lua_pop(L, 1);
    return -ENOMEM;
  }
  handle_open(L, handle, object, hold);
  return 0;
}

static int carry(struct parcel *parcel, uint64_t object) {
  if (parcel->carried == parcel->room) {
    size_t room = parcel->room ? 2 * parcel->room : 16;
    uint64_t *more = realloc(parcel->objects, room * sizeof *more);
    if (!more) return -ENOMEM;
    parcel->objects = more;
    parcel->room = room;
  }
  parcel->objects[parcel->carried++] = object;
  return 0;
}

static int depart(lua_State *L, int index, void *context, uint64_t *word) {
  index = lua_absindex(L, index);
  if (!lua_checkstack(L, 2) || !lua_getmetatable(L, index)) return 0;
  int is_handle = lua_rawgetp(L, -1, &shared) != LUA_TNIL;
  lua_pop(L, 2);
  if (!is_handle) return 0;
  struct handle *handle = lua_touserdata(L, index);
  if (handle->object == 0) return -EBADF;
  int rc = carry(context, handle->object);
  *word = handle->object;
  return rc < 0 ? rc : 1;
}

codec_handles bind_handles(struct parcel *parcel) {
  return (codec_handles){.context = parcel, .out = depart, .in = arrive};
}

/* ---- parcels ---- */

static struct parcel own;
static int own_in_use;

static int more_bytes(codec_sink *sink, size_t need) {
  struct parcel *parcel = (struct parcel *)((char *)sink - offsetof(struct parcel, sink));
  size_t used = (size_t)(sink->at - parcel->bytes.data);
  int rc = buffer_reserve(&parcel->bytes, used + need);
  if (rc < 0) return rc;
  sink->at = parcel->bytes.data + used;
  sink->end = parcel->bytes.data + parcel->bytes.room;
  return 0;
}

static int free_parcel(lua_State *L) {
  struct parcel *parcel = lua_touserdata(L, 1);
  free(parcel->bytes.data);
  free(parcel->objects);
  memset(parcel, 0, sizeof *parcel);
  return 0;
}

struct parcel *parcel_open(lua_State *L) {
  struct parcel *parcel = &own;
  if (own_in_use) {
    parcel = lua_newuserdatauv(L, sizeof *parcel, 0);
    memset(parcel, 0, sizeof *parcel);
    if (luaL_newmetatable(L, "mphost.core.parcel")) {
      lua_pushcfunction(L, free_parcel);
      lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
  } else {
    own_in_use = 1;
  }
  parcel->carried = 0;
  parcel->sink =
      (codec_sink){parcel->bytes.data, parcel->bytes.data + parcel->bytes.room, more_bytes};
  return parcel;
}

void parcel_close(struct parcel *parcel) {
  if (parcel == &own) own_in_use = 0;
}

size_t parcel_encode(lua_State *L, struct parcel *parcel, int index) {
  codec_handles handles = bind_handles(parcel);
  size_t before = (size_t)(parcel->sink.at - parcel->bytes.data);
  int rc = codec_encode(L, index, &parcel->sink, &handles);
  if (rc == 0) return (size_t)(parcel->sink.at - parcel->bytes.data) - before;
  parcel_close(parcel);
  if (rc == -EBADF) luaL_error(L, "cannot send a handle that is closed");
  if (rc == -EINVAL) bind_raise(L);
  luaL_error(L, "not enough memory");
  return 0;
}

int parcel_holds(const struct parcel *parcel, uint64_t block) {
  for (size_t i = 0; i < parcel->carried; i++)
    if (!object_hold(parcel->objects[i], &block_at(block)->owned)) return -ENOMEM;
  return 0;
}

uint64_t parcel_block(const struct parcel *parcel, size_t size) {
  uint64_t block = heap_alloc(size, BLOCK_DATA, family_ledger());
  if (!block) return 0;
  memcpy(heap_payload(block), parcel->bytes.data, size);
  if (parcel_holds(parcel, block) == 0) return block;
  object_drop(block);
  return 0;
}

void parcel_unpack(lua_State *L, uint64_t block) {
  codec_handles handles = bind_handles(NULL);
  luaL_checkstack(L, 4, NULL);
  int rc = codec_decode(L, heap_payload(block), heap_room(block), NULL, 0, &handles);
  object_drop(block);
  if (rc == -EBADMSG) bind_raise(L);
  if (rc < 0) luaL_error(L, "not enough memory");
}

void bind_handle(lua_State *L) {
  lua_newtable(L);
  lua_newtable(L);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &known);
}
