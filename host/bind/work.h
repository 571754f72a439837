/* What the parent's side of a pool passes around in C: a job as Lua has it, how its items are
   worked on, and the steps of making one and taking in its results that calls of several items
   (bind_job.c) and of one (bind_call.c) share. */
#ifndef BIND_WORK_H
#define BIND_WORK_H

#include <signal.h>

#include "bind/arena.h"
#include "shm/job.h"

#define WORK_SIGNAL SIGURG /* "the job you are in is stopped": who has no handler ignores it */
#define WORK_CLASS "mphost.core.Job"
#define WORK_SHAPE "mphost.core.Shape"
#define WORK_RESULTS (1 << 24) /* that a table has room for from the first, at most */

struct work {
  uint64_t block; /* the job; 0: freed */
  uint64_t maker; /* family_id of who made it: to a process forked since it is nothing */
  uint32_t next;  /* first chunk not wholly collected yet */
  uint32_t whole; /* all before this one are done wholly */
  uint64_t count; /* outcomes in those before */
  uint64_t taken; /* outcomes of the next one that are collected already, and their bytes: */
  size_t at;
};

struct shape {
  uint32_t mode, collect, inherited;
  lua_Integer chunk, workers;
  uint64_t seed, timeout, base;
};

static inline struct job *work_job(const struct work *work) {
  return heap_payload(work->block);
}

/* The pool at an argument; raises when there is none. */
struct pool *work_pool(lua_State *L, int arg);

/* Pushes a new userdata without a job. */
struct work *work_new(lua_State *L);

/* number: of the call in its pool, from 0. */
void work_shape(struct job *job, const struct shape *shape, uint64_t number);

/* Encodes the function at the index as the job's: 0, -EINVAL with a message pushed, -errno. */
int work_encode_function(lua_State *L, struct arena *arena, struct job *job, int index);

/* Reads the list of workers' slots at an argument: how many. */
int work_slots(lua_State *L, int arg, int *slots, int most);

/* call(shape, slots, number, f, ...) of a pool: see bind_call.c. */
int work_call(lua_State *L);

#endif
