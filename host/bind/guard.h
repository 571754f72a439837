/* What watches over one item while it runs: its time, and its random numbers.

   Time: a count hook raises in the task when its deadline has passed. A task that does not come
   back to Lua, or that swallows the error, is ended by the kernel GUARD_GRACE later: a worker has a
   timer whose signal is SIGKILL, so nobody needs to look at a clock. status.deadline (family.h)
   tells the parent why. Random numbers: before each item the state of math.random is set from
   (job's seed, item's index). It is the userdata that math.random has as its upvalue; where that is
   not what Lua 5.4's is, it is left alone. In a process that works on a job of its own (no workers,
   or a task that calls its own pool) what was going on before is kept and comes back at the end. */
#ifndef BIND_GUARD_H
#define BIND_GUARD_H

#include <lua.h>
#include <stdint.h>

#include "shm/job.h"

#define GUARD_GRACE 200000000 /* ns */

struct guard {
  int64_t deadline;
  int late;
  uint64_t random[4], seed;
  lua_Hook hook;
  int mask, count;
};

/* This process is a worker: time may be enforced with SIGKILL. */
void guard_armed(void);

/* Around a job, and around each item of it; guard_end: whether its time was over. */
void guard_open(lua_State *L, struct guard *before, const struct job *job);
void guard_close(lua_State *L, const struct guard *before);
void guard_start_clock(uint64_t timeout);
int guard_stop_clock(void);

/* Of the job in hand: the state of math.random, or NULL; its seed; the running item's deadline. */
extern struct guard_now {
  uint64_t *random, seed;
  int64_t deadline;
} guard_now;

/* One good scrambling (splitmix64's) of the index; the other words only have to differ from it. */
static inline void guard_seed(uint64_t index) {
  uint64_t *state = guard_now.random, z = guard_now.seed + index * 0x9e3779b97f4a7c15u;
  if (!state) return;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  state[0] = guard_now.seed ^ index;
  state[1] = z;
  state[2] = z * 0xd1342543de82ef95u;
  state[3] = ~z ^ z >> 32;
}

static inline void guard_begin(const struct job *job, uint64_t index) {
  guard_seed(index);
  if (job->timeout) guard_start_clock(job->timeout);
}

static inline int guard_end(void) {
  return guard_now.deadline ? guard_stop_clock() : 0;
}

/* The state's allocator refuses what goes beyond so many bytes. */
void guard_limit(lua_State *L, size_t bytes);

/* Before an item: collects when half of the limit is in use. Lua's buffers ask the allocator without
 * collecting first, so an item must not begin among the garbage of others. */
void guard_make_room(lua_State *L);

/* The record or result on top becomes the record of an item that took too long. */
void guard_record(lua_State *L, const struct job *job, int status);

/* Finds the state of math.random in this Lua state. */
void guard_find_random(lua_State *L);

#endif
