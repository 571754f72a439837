/* Values on their way: see parcel.h. */
#include "bind/parcel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bind/thread.h"
#include "shm/family.h"
#include "shm/object.h"

static _Thread_local struct parcel own;
static _Thread_local const void *own_frame;
static _Thread_local unsigned own_epoch; /* the region that its block is of */

/* When its thread ends. */
static void free_own(void) {
  free(own.bytes.data);
  free(own.objects);
  memset(&own, 0, sizeof own);
}

static void fill_fresh(codec_sink *sink, const char *bytes, size_t size) {
  map_write(&region, region_offset(sink->at), bytes, size, 1);
}

static void fill_used(codec_sink *sink, const char *bytes, size_t size) {
  map_write(&region, region_offset(sink->at), bytes, size, 0);
}

parcel_filler *parcel_fill(int fresh) {
  return fresh ? fill_fresh : fill_used;
}

/* Goes on in a new block of at least so many bytes: 0 or -ENOMEM. */
static int move_to_block(struct parcel *parcel, size_t used, size_t room) {
  if (family_index() < 0) return -ENOMEM;
  int fresh;
  uint64_t block = heap_alloc_fresh(room, BLOCK_DATA, family_ledger(), &fresh);
  if (!block) return -ENOMEM;
  if (used >= CODEC_LARGE)
    map_write(&region, block + HEAP_HEADER, parcel_bytes(parcel), used, fresh);
  else if (used)
    memcpy(heap_payload(block), parcel_bytes(parcel), used);
  parcel->sink.fill = parcel_fill(fresh);
  if (parcel->block) object_drop(parcel->block);
  parcel->block = block;
  parcel->maker = family_id();
  if (parcel == &own) own_epoch = region_epoch;
  return 0;
}

static int more(codec_sink *sink, size_t need) {
  struct parcel *parcel = (struct parcel *)((char *)sink - offsetof(struct parcel, sink));
  size_t used = (size_t)(sink->at - parcel_bytes(parcel)), room = used + need;
  int rc = !parcel->block && room <= PARCEL_SMALL
               ? buffer_reserve(&parcel->bytes, room)
               : move_to_block(parcel, used, room > 2 * used ? room : 2 * used);
  if (rc < 0) return rc;
  sink->at = (char *)(uintptr_t)parcel_bytes(parcel) + used;
  sink->end = (char *)(uintptr_t)parcel_bytes(parcel) +
              (parcel->block ? heap_room(parcel->block) : parcel->bytes.room);
  return 0;
}

/* A block of a region that is gone, or of the parent's, is not ours to drop. */
static void drop_block(struct parcel *parcel) {
  int lost = parcel->maker != family_id() || (parcel == &own && own_epoch != region_epoch);
  if (!lost) object_drop(parcel->block);
}

static void empty(struct parcel *parcel) {
  if (parcel->block) drop_block(parcel);
  parcel->block = 0;
  parcel->carried = 0;
}

static int free_parcel(lua_State *L) {
  struct parcel *parcel = lua_touserdata(L, 1);
  empty(parcel);
  free(parcel->bytes.data);
  free(parcel->objects);
  memset(parcel, 0, sizeof *parcel);
  return 0;
}

struct parcel *parcel_open(lua_State *L) {
  struct parcel *parcel = &own;
  if (!own.bytes.data) thread_at_end(free_own);
  if (parcel_in_use(&own_frame)) {
    parcel = lua_newuserdatauv(L, sizeof *parcel, 0);
    memset(parcel, 0, sizeof *parcel);
    if (luaL_newmetatable(L, "mphost.core.parcel")) {
      lua_pushcfunction(L, free_parcel);
      lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
  }
  empty(parcel); /* an error may have left it in mid-work */
  return parcel;
}

void parcel_close(struct parcel *parcel) {
  empty(parcel);
  if (parcel == &own) own_frame = NULL;
}

codec_sink *parcel_sink(struct parcel *parcel) {
  empty(parcel);
  parcel->sink =
      (codec_sink){parcel->bytes.data, parcel->bytes.data + parcel->bytes.room, more, 0, 0, NULL};
  return &parcel->sink;
}

size_t parcel_encode(lua_State *L, struct parcel *parcel, int index) {
  return parcel_encode_of(L, parcel, index, 0);
}

size_t parcel_encode_of(lua_State *L, struct parcel *parcel, int index, int key) {
  codec_handles handles = bind_handles(parcel);
  parcel_sink(parcel)->key = key;
  int rc = codec_encode(L, index, &parcel->sink, &handles);
  if (rc == 0) return (size_t)(parcel->sink.at - parcel_bytes(parcel));
  parcel_close(parcel);
  if (rc == -EINVAL) bind_raise(L);
  luaL_error(L, "not enough memory");
  return 0;
}

int parcel_carry(struct parcel *parcel, uint64_t object) {
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

int parcel_holds(const struct parcel *parcel, uint64_t block) {
  for (size_t i = 0; i < parcel->carried; i++)
    if (!object_hold(parcel->objects[i], &block_at(block)->owned)) return -ENOMEM;
  return 0;
}

uint64_t parcel_block(struct parcel *parcel, size_t size) {
  /* A block much larger than the message would lie in the queue as large as it is. */
  if (!parcel->block || heap_room(parcel->block) > size + size / 2)
    if (move_to_block(parcel, size, size) < 0) return 0;
  if (parcel_holds(parcel, parcel->block) < 0) return 0;
  uint64_t block = parcel->block;
  parcel->block = 0;
  return block;
}

struct unpacking {
  uint64_t block;
  int how, out; /* out: no shared memory for a handle */
};

static int unpack(lua_State *L) {
  struct unpacking *now = lua_touserdata(L, 1);
  uint64_t block = now->block;
  unsigned flags = now->how & PARCEL_START ? CODEC_REPLACE_GLOBALS : 0;
  codec_handles handles =
      now->how & PARCEL_KEEP ? bind_handles(NULL) : bind_handles_of(&now->block);
  int rc = codec_decode(L, heap_payload(block), heap_room(block), NULL, flags, &handles);
  now->out = rc == -ENOBUFS;
  if (codec_told(rc)) return lua_error(L);
  return rc < 0 ? luaL_error(L, "not enough memory") : 1;
}

int parcel_try(lua_State *L, uint64_t block, int how) {
  struct unpacking now = {block, how, 0};
  luaL_checkstack(L, 4, NULL);
  lua_pushcfunction(L, unpack);
  lua_pushlightuserdata(L, &now);
  int status = lua_pcall(L, 1, 1, 0);
  if (!(how & PARCEL_KEEP)) object_drop(block);
  if (now.out) return -ENOBUFS;
  return status == LUA_OK ? 0 : status == LUA_ERRMEM ? -ENOMEM : -EBADMSG;
}

int parcel_raise(lua_State *L, int rc) {
  return rc == -ENOMEM ? lua_error(L) : bind_raise(L);
}

void parcel_unpack(lua_State *L, uint64_t block, int how) {
  int rc = parcel_try(L, block, how);
  if (rc < 0) parcel_raise(L, rc);
}
