/* What watches over one item while it runs: its time, its memory, and its random numbers.

   Time: a count hook raises in the task when its deadline has passed. A task that sleeps then runs
   no instruction: a worker has a timer for that moment, whose signal ends the system call and sets
   the hook at the next instruction; blocking calls of ours raise by themselves (interrupt_look). A
   task that does not come back to Lua, or that swallows the error, is ended by the kernel
   GUARD_GRACE later: another timer's signal is SIGKILL, so nobody needs to look at a clock.
   status.deadline (family.h) tells the parent why. What a task calls of this process (its own pool,
   one without workers) has the task's deadline, too, whichever comes first: raised in there it is
   the failure of both. A process forked in a task is none of it: guard_forget. A task that nobody
   wants any more is interrupted by a signal (bind_worker.c); that timer ends it GUARD_GRACE later:
   guard_doom, undone by guard_spare when the worker has come back.

   Memory: a limit is the state's allocator's, which refuses; Lua then collects, and raises if that
   is of no use. What C code takes by itself no allocator of ours sees. So the pages that the
   process has are looked at, too, against the limit and GUARD_SLACK (Lua's allocator wastes some):
   by the same hook, at most every GUARD_WEIGH, which raises in the task; after an item, when the
   worker leaves if it is too heavy for the next; and by the parent while it waits (core.weigh),
   which kills what does not come back to Lua. Not counted is what the process had beside Lua when
   its limit was set: pages of its parent's, mostly (slot.burden, family.h).

   Random numbers: before each item the state of math.random is set from (job's seed, item's
   index); the job's seed comes from the pool's and the number of the call among those that its
   maker made of the pool. A task that makes a call of the pool it works for cannot count so: which
   tasks ran before it in this process is chance. Its calls count from what its own numbers come
   from (guard_number), and so do the processes and pools that it starts. The state of math.random
   is the userdata that math.random has as its upvalue; where that is not what Lua 5.4's is, it is
   left alone. In a process that works on a job of its own (no workers, or a task that calls its own
   pool) what was going on before is kept and comes back at the end. */
#ifndef BIND_GUARD_H
#define BIND_GUARD_H

#include <lua.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/job.h"

#define GUARD_GRACE 200000000     /* ns */
#define GUARD_WEIGH 20000000      /* ns */
#if defined(__SANITIZE_ADDRESS__) /* it keeps what is freed */
#define GUARD_SLACK(limit) ((limit) / 4 + (1 << 30))
#else
#define GUARD_SLACK(limit) ((limit) / 4 + (16 << 20))
#endif

enum { GUARD_LATE = 1, GUARD_HEAVY };

struct guard {
  struct guard_time {
    int64_t deadline, outer;     /* of the item; of what it was called from; 0: none */
    uint64_t limit, outer_limit; /* ns: the time that is over at the deadline; at the outer one */
    int outer_late;              /* the outer one was raised in here */
  } time;
  int why;
  uint64_t random[4], seed, index, calls, timeout;
  lua_State *running;
  lua_Hook hook;
  int mask, count;
};

/* In a child just forked: it is no part of the item in which its parent was. */
void guard_forget(lua_State *L);

/* This process is a worker: time may be enforced with SIGKILL. */
void guard_armed(void);

/* In a signal handler: this process dies soon; and no more. */
void guard_doom(void);
void guard_spare(void);

/* Around a job, and around each item of it; guard_end: GUARD_LATE or GUARD_HEAVY: for that it was
 * broken off. */
void guard_open(lua_State *L, struct guard *before, const struct job *job);
void guard_close(lua_State *L, const struct guard *before);
void guard_start_clock(uint64_t timeout);
void guard_restart_clock(void); /* of an item that stands for several: the next of them */
int guard_stop_clock(void);
int guard_take_why(void);

/* Of the job in hand: the state of math.random, or NULL; its seed; the running item's deadline; why
 * it was broken off. */
extern struct guard_now {
  uint64_t *random, seed;
  uint64_t index, calls; /* of the item in hand, 0: none; numbers that it was given */
  struct guard_time time;
  uint64_t timeout; /* the job's */
  int why;
  uint64_t late; /* ns: of why, the time that was over */
  int limited;   /* guard_limit was called: of all jobs */
} guard_now;

/* One good scrambling (splitmix64's) of the n-th step from a seed. */
static inline uint64_t guard_scramble(uint64_t seed, uint64_t n) {
  uint64_t z = seed + n * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

/* The seed of a pool's call of this number, from 0. */
static inline uint64_t guard_call_seed(uint64_t seed, uint64_t number) {
  return number ? guard_scramble(~seed, number) : seed;
}

/* A number for a call that the item in hand makes, or for what it starts; there is one. */
static inline uint64_t guard_number(void) {
  return guard_scramble(guard_now.seed, ~guard_now.index) + guard_now.calls++;
}

/* The other words only have to differ from the scrambled one. */
static inline void guard_seed(uint64_t index) {
  uint64_t *state = guard_now.random, z = guard_scramble(guard_now.seed, index);
  guard_now.index = index;
  guard_now.calls = 0;
  if (!state) return;
  state[0] = guard_now.seed ^ index;
  state[1] = z;
  state[2] = z * 0xd1342543de82ef95u;
  state[3] = ~z ^ z >> 32;
}

static inline void guard_begin(const struct job *job) {
  if (job->timeout) guard_start_clock(job->timeout);
}

static inline int guard_end(void) {
  if (guard_now.time.deadline) return guard_stop_clock();
  return guard_now.why ? guard_take_why() : 0;
}

/* The state's allocator refuses what goes beyond so many bytes. */
void guard_limit(lua_State *L, size_t bytes);

/* Before an item: collects when half of the limit is in use. Lua's buffers ask the allocator
 * without collecting first, so an item must not begin among the garbage of others. */
void guard_make_room(lua_State *L);

/* After an item: whether this process is too heavy for another one. Looks now and then. */
int guard_look_heavy(lua_State *L);

static inline int guard_is_heavy(lua_State *L) {
  return guard_now.limited && guard_look_heavy(L);
}

/* Bytes that the process of this slot has beyond its burden, if that is more than the limit allows;
 * else 0. */
uint64_t guard_weigh(int slot, pid_t pid, uint64_t limit);

/* What kind of failure that is. */
const char *guard_kind(int why);

/* The record or result on top becomes the record of an item that was broken off. */
void guard_record(lua_State *L, int status, int why);

/* Finds the state of math.random in this Lua state. */
void guard_find_random(lua_State *L);

#endif
