/* Lua values into and out of queues: see message.h. */
#include "bind/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bind/interrupt.h"
#include "bind/parcel.h"
#include "bind/thread.h"
#include "codec/brief.h"
#include "os/clock.h"
#include "shm/family.h"
#include "shm/object.h"

/* ---- out ---- */

/* Puts a block; drops it when it cannot, but for -EINTR. */
static int put_block(uint64_t queue, uint64_t block, int64_t deadline) {
  if (!block) return -ENOMEM;
  int rc = queue_put_block(queue, block, deadline);
  if (rc < 0 && rc != -EINTR) object_drop(block);
  return rc;
}

static int put_parcel(uint64_t queue, struct parcel *parcel, size_t size, int64_t deadline) {
  if (!parcel_is_large(parcel, size) && !queue_redelivers(queue))
    return queue_put(queue, parcel_bytes(parcel), size, deadline);
  uint64_t block = parcel_block(parcel, size);
  int rc = put_block(queue, block, deadline);
  if (rc == -EINTR) object_drop(block);
  return rc;
}

/* A number or a short string needs no parcel: 1 and *rc, or 0: it is none. */
static int put_brief(lua_State *L, uint64_t queue, int index, int64_t deadline, int *rc) {
  char bytes[BRIEF_ROOM];
  codec_sink sink = {bytes, bytes + sizeof bytes, NULL, 0, 0, NULL};
  if (!brief_put(L, index, &sink)) return 0;
  do *rc = queue_put(queue, bytes, (size_t)(sink.at - bytes), deadline);
  while (interrupt_again(L, *rc));
  return 1;
}

/* The same for a longer string that may stand in the ring: from Lua's memory right into it. */
static int put_string(lua_State *L, uint64_t queue, int index, int64_t deadline, int *rc) {
  if (lua_type(L, index) != LUA_TSTRING || lua_rawlen(L, index) > QUEUE_INLINE - WIRE_HEAD)
    return 0;
  char head[WIRE_HEAD];
  codec_sink sink = {head, head + sizeof head, NULL, 0, 0, NULL};
  size_t size;
  const char *bytes = lua_tolstring(L, index, &size);
  wire_set_byte(&sink, WIRE_VERSION);
  wire_set_string_head(&sink, size);
  do *rc = queue_put_parts(queue, head, (size_t)(sink.at - head), bytes, size, deadline);
  while (interrupt_again(L, *rc));
  return 1;
}

int message_put(lua_State *L, uint64_t queue, int index, int64_t deadline) {
  int rc;
  if (!queue_redelivers(queue) &&
      (put_brief(L, queue, index, deadline, &rc) || put_string(L, queue, index, deadline, &rc)))
    return rc;
  do { /* after a signal all again: nothing is held while that may raise */
    struct parcel *parcel = parcel_open(L);
    size_t size = parcel_encode(L, parcel, index);
    rc = put_parcel(queue, parcel, size, deadline);
    parcel_close(parcel);
  } while (interrupt_again(L, rc));
  return rc;
}

/* Messages on their way: sizes[i] bytes in `bytes`, rounded up to 8, or a block. */
struct batch {
  struct buffer bytes;
  uint32_t *sizes;  /* BLOCK: the next of the blocks */
  uint64_t *blocks; /* those from `sent` to `kept` are still this process's */
  size_t sent, kept;
  uint64_t maker; /* as family_id: who is forked while a message is encoded has a copy */
};
#define BLOCK UINT32_MAX

static int free_batch(lua_State *L) {
  struct batch *batch = lua_touserdata(L, 1);
  for (; batch->sent < batch->kept; batch->sent++)
    if (batch->maker == family_id()) object_drop(batch->blocks[batch->sent]);
  free(batch->bytes.data);
  free(batch->sizes);
  free(batch->blocks);
  memset(batch, 0, sizeof *batch);
  return 0;
}

static struct batch *new_batch(lua_State *L, size_t n) {
  struct batch *batch = lua_newuserdatauv(L, sizeof *batch, 0);
  memset(batch, 0, sizeof *batch);
  batch->maker = family_id();
  if (luaL_newmetatable(L, "mphost.core.batch")) {
    lua_pushcfunction(L, free_batch);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__close");
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  lua_toclose(L, -1);
  batch->sizes = malloc((n + !n) * sizeof *batch->sizes);
  batch->blocks = malloc((n + !n) * sizeof *batch->blocks);
  if (!batch->sizes || !batch->blocks) luaL_error(L, "not enough memory");
  return batch;
}

static int add_bytes(struct batch *batch, const char *bytes, size_t size, size_t i) {
  size_t used = batch->bytes.size, padded = (size + 7) / 8 * 8;
  if (buffer_reserve(&batch->bytes, used + padded) < 0) return -ENOMEM;
  memcpy(batch->bytes.data + used, bytes, size);
  batch->bytes.size += padded;
  batch->sizes[i] = (uint32_t)size;
  return 0;
}

/* A number, or a string that may stand in the ring, is written right there: 1, 0: it is neither, or
 * -ENOMEM. */
static int add_brief(lua_State *L, struct batch *batch, int index, size_t i) {
  int type = lua_type(L, index);
  if (type != LUA_TNUMBER && type != LUA_TSTRING) return 0;
  size_t used = batch->bytes.size, room = type == LUA_TSTRING ? (size_t)lua_rawlen(L, index) : 0;
  if (room > QUEUE_INLINE - WIRE_HEAD) return 0;
  room += 2 * WIRE_HEAD; /* also for the padding */
  if (buffer_reserve(&batch->bytes, used + room) < 0) return -ENOMEM;
  char *at = batch->bytes.data + used;
  codec_sink sink = {at, at + room, NULL, 0, 0, NULL};
  if (!brief_put(L, index, &sink)) return 0;
  size_t size = (size_t)(sink.at - at);
  batch->bytes.size += (size + 7) / 8 * 8;
  batch->sizes[i] = (uint32_t)size;
  return 1;
}

static int add_block(struct batch *batch, uint64_t block, size_t i) {
  batch->sizes[i] = BLOCK;
  if (block) batch->blocks[batch->kept++] = block;
  return block ? 0 : -ENOMEM;
}

static void fill_batch(lua_State *L, struct batch *batch, uint64_t queue, int list, size_t n) {
  int only_blocks = queue_redelivers(queue);
  for (size_t i = 0; i < n; i++) {
    if (lua_geti(L, list, (lua_Integer)i + 1) == LUA_TNIL)
      luaL_error(L, "element %I of the list is nil; mp.null stands for it", (lua_Integer)i + 1);
    int top = lua_gettop(L), rc = only_blocks ? 0 : add_brief(L, batch, top, i);
    if (rc < 0) luaL_error(L, "not enough memory");
    if (rc > 0) {
      lua_settop(L, top - 1);
      continue;
    }
    lua_pushinteger(L, (lua_Integer)i + 1);
    struct parcel *parcel = parcel_open(L);
    size_t size = parcel_encode_of(L, parcel, top, top + 1);
    rc = only_blocks || parcel_is_large(parcel, size)
             ? add_block(batch, parcel_block(parcel, size), i)
             : add_bytes(batch, parcel_bytes(parcel), size, i);
    parcel_close(parcel);
    if (rc < 0) luaL_error(L, "not enough memory");
    lua_settop(L, top - 1);
  }
}

/* Puts what stands from i on and has no block of its own. */
static int put_run(lua_State *L, uint64_t queue, struct batch *batch, const char **bytes, size_t *i,
                   size_t n, int64_t deadline) {
  size_t end = *i, done;
  while (end < n && batch->sizes[end] != BLOCK) end++;
  while (*i < end) {
    int rc = queue_put_many(queue, *bytes, batch->sizes + *i, end - *i, &done, deadline);
    for (size_t k = *i + done; *i < k; ++*i) *bytes += ((size_t)batch->sizes[*i] + 7) / 8 * 8;
    if (rc < 0 && !interrupt_again(L, rc)) return rc;
  }
  return 0;
}

size_t message_put_many(lua_State *L, uint64_t queue, int list, size_t n, int64_t deadline,
                        int *rc) {
  luaL_checkstack(L, 8, NULL);
  struct batch *batch = new_batch(L, n);
  int top = lua_gettop(L);
  fill_batch(L, batch, queue, list, n);
  const char *bytes = batch->bytes.data;
  size_t i = 0;
  *rc = 0;
  while (i < n && *rc == 0) {
    if (batch->sizes[i] != BLOCK) {
      *rc = put_run(L, queue, batch, &bytes, &i, n, deadline);
    } else {
      do *rc = put_block(queue, batch->blocks[batch->sent], deadline);
      while (interrupt_again(L, *rc));
      batch->sent++;
      if (*rc == 0) i++;
    }
  }
  lua_closeslot(L, top);
  lua_settop(L, top - 1);
  return i;
}

/* ---- in ---- */

static _Thread_local struct buffer own;
static _Thread_local const void *own_frame;

/* When its thread ends. */
static void free_own(void) {
  free(own.data);
  own = (struct buffer){0};
}

static int free_buffer(lua_State *L) {
  struct buffer *buffer = lua_touserdata(L, 1);
  free(buffer->data);
  *buffer = (struct buffer){0};
  return 0;
}

/* The thread's own buffer or, where decoding runs Lua code (__unpack) that gets something itself, a
 * fresh one pushed on the stack. */
static struct buffer *open_buffer(lua_State *L) {
  if (!own.data) thread_at_end(free_own);
  if (!parcel_in_use(&own_frame)) return &own;
  struct buffer *buffer = lua_newuserdatauv(L, sizeof *buffer, 0);
  *buffer = (struct buffer){0};
  if (luaL_newmetatable(L, "mphost.core.buffer")) {
    lua_pushcfunction(L, free_buffer);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return buffer;
}

static void close_buffer(const struct buffer *buffer) {
  if (buffer == &own) own_frame = NULL;
}

/* Somebody else wrote into the queue's memory. */
static void push_foreign(lua_State *L) {
  lua_pushliteral(L, "foreign bytes in the queue: messages are lost");
}

/* Pushes what the block, just got, says, or why it cannot be had, as parcel_try. What memory was
 * short for goes back to a queue that redelivers. */
static int open_block(lua_State *L, uint64_t queue, uint64_t block, int *back) {
  int keep = queue_redelivers(queue), rc = parcel_try(L, block, keep);
  *back = keep && (rc == -ENOMEM || rc == -ENOBUFS);
  if (*back) queue_return(queue, block);
  return rc;
}

int message_get(lua_State *L, uint64_t queue, int64_t deadline) {
  uint64_t block;
  int rc;
  struct buffer *buffer;
  int top = lua_gettop(L);
  for (;;) {
    buffer = open_buffer(L);
    rc = queue_get(queue, buffer, &block, deadline);
    if (__builtin_expect(rc != -EINTR, 1)) break;
    close_buffer(buffer);
    interrupt_again(L, rc);
    lua_settop(L, top);
  }
  if (rc == -EBADMSG) {
    close_buffer(buffer);
    push_foreign(L);
    bind_raise(L);
  }
  if (rc == 0 && block) {
    int back;
    close_buffer(buffer);
    if ((rc = open_block(L, queue, block, &back)) < 0) parcel_raise(L, rc);
    return 0;
  }
  if (rc == 0) rc = brief_decode(L, buffer->data, buffer->size, NULL, 0, NULL);
  close_buffer(buffer);
  if (rc == -EBADMSG) bind_raise(L);
  return rc;
}

/* What was wrong lies on top, or the message does. */
static void append(lua_State *L, int failed, int list, lua_Integer *n, int *bad) {
  if (!failed)
    lua_rawseti(L, list, ++*n);
  else if (*bad)
    lua_pop(L, 1);
  else
    *bad = 1;
}

/* How many messages it was: 1, or 0: it has gone back. */
static int append_block(lua_State *L, uint64_t queue, uint64_t block, int list, lua_Integer *n,
                        int *bad) {
  int back, rc = open_block(L, queue, block, &back);
  if (rc == -ENOMEM && *n == 0) lua_error(L);
  append(L, rc < 0, list, n, bad);
  return !back;
}

static void append_records(lua_State *L, const struct buffer *buffer, int list, lua_Integer *n,
                           int *bad) {
  const struct record *record = (const struct record *)buffer->data;
  for (; (const char *)record < buffer->data + buffer->size; record = record_next(record)) {
    int rc = brief_decode(L, (const char *)(record + 1), record->size, NULL, 0, NULL);
    if (rc < 0 && rc != -EBADMSG) luaL_error(L, "not enough memory");
    append(L, rc < 0, list, n, bad);
  }
}

int message_get_many(lua_State *L, uint64_t queue, int list, lua_Integer *n, size_t most,
                     int64_t deadline, int *bad) {
  uint64_t block;
  int rc;
  luaL_checkstack(L, 8, NULL);
  struct buffer *buffer;
  int top = lua_gettop(L);
  do {
    lua_settop(L, top);
    buffer = open_buffer(L);
    rc = queue_get_many(queue, buffer, most, &block, deadline);
    if (rc == -EINTR) close_buffer(buffer);
  } while (interrupt_again(L, rc));
  if (rc == -EBADMSG) {
    push_foreign(L);
    append(L, 1, list, n, bad);
  }
  if (rc > 0 && !block) append_records(L, buffer, list, n, bad);
  close_buffer(buffer);
  return rc > 0 && block ? append_block(L, queue, block, list, n, bad) : rc;
}
