/* A job's bytes: see arena.h. */
#include "bind/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/job.h"

#define FIRST ((size_t)1 << 10)
#define MOST                                                                                       \
  ((size_t)1 << 20) /* blocks double up to this, beyond it they are as large as they must be */

static int more(codec_sink *sink, size_t need) {
  struct arena *arena = (struct arena *)((char *)sink - offsetof(struct arena, sink));
  size_t used = arena_size(arena), room = 2 * arena->room;
  if (room < FIRST) room = FIRST;
  if (room > MOST) room = MOST;
  if (room < 2 * (used + need)) room = 2 * (used + need);
  int fresh;
  uint64_t block = heap_alloc_fresh(room, BLOCK_DATA, &block_at(arena->job)->owned, &fresh);
  if (!block) return -ENOMEM;
  char *run = heap_payload(block);
  if (used) memcpy(run, arena->run, used);
  arena->run = run;
  arena->room = room;
  *sink = (codec_sink){run + used, run + heap_room(block), more, 0, sink->key, parcel_fill(fresh)};
  return 0;
}

void arena_init(struct arena *arena, uint64_t job) {
  memset(arena, 0, sizeof *arena);
  arena->job = job;
  arena->sink.more = more;
}

void arena_borrow(struct arena *arena) {
  struct job *job = heap_payload(arena->job);
  arena->room = job->spare_size;
  arena->run = arena->sink.at = job_spare(job);
  arena->sink.end = arena->sink.at + job->spare_size;
}

void arena_leave(const struct arena *arena) {
  struct job *job = heap_payload(arena->job);
  char *spare = job_spare(job), *end = spare + job->spare_size;
  int inside = arena->sink.at >= spare && arena->sink.at <= end;
  uint32_t left = inside ? (uint32_t)(end - arena->sink.at) : 0;
  job->spare += job->spare_size - left;
  job->spare_size = left;
}

void arena_fini(struct arena *arena) {
  free(arena->carried.objects);
}

void arena_begin(struct arena *arena) {
  arena->run = arena->sink.at;
}

void arena_rewind(struct arena *arena, size_t size) {
  arena->sink.at = arena->run + size;
  arena->carried.carried = 0;
}

int arena_encode_whole(lua_State *L, struct arena *arena, int index) {
  size_t before = arena_size(arena), carried = arena->carried.carried;
  codec_handles handles = bind_handles(&arena->carried);
  int rc = codec_encode(L, index, &arena->sink, &handles);
  if (rc == 0) return 0;
  arena->sink.at = arena->run + before;
  arena->carried.carried = carried;
  return rc;
}

int arena_byte(struct arena *arena, char byte) {
  if (arena->sink.at == arena->sink.end) {
    int rc = more(&arena->sink, 1);
    if (rc < 0) return rc;
  }
  *arena->sink.at++ = byte;
  return 0;
}

int arena_bytes(struct arena *arena, const char *bytes, size_t size) {
  codec_sink *sink = &arena->sink;
  if ((size_t)(sink->end - sink->at) < size) {
    int rc = more(sink, size);
    if (rc < 0) return rc;
  }
  if (size >= CODEC_LARGE && sink->fill)
    sink->fill(sink, bytes, size);
  else
    memcpy(sink->at, bytes, size);
  sink->at += size;
  return 0;
}

int arena_hold(struct arena *arena) {
  if (arena->carried.carried == 0) return 0;
  int rc = parcel_holds(&arena->carried, arena->job);
  arena->carried.carried = 0;
  return rc;
}

int arena_end(struct arena *arena, uint64_t *offset, uint64_t *size) {
  *offset = region_offset(arena->run);
  *size = arena_size(arena);
  return arena_hold(arena);
}
