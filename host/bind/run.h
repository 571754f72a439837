/* A worker's work on one job. One item: decode in place, call, encode into the job's own memory; no
   system call on the way.

     run_job -> claim, [protected] load_function
             -> [protected] run_chunks: run_items: decode, call, encode, publish; claim
             <- an error of the task: the item's outcome, and on with the next
             <- another (no memory): the item's outcome, the chunk ends there

   Items are not protected one by one, which costs as much as calling a small task: what a task
   raises (run.calling) leaves the whole loop, which is begun again where the chunk stands. What is
   raised around it, in decoding and encoding, is Lua's memory error: then nobody knows where the
   next item begins, so the chunk is cut there and the parent gives out the rest anew.

   The processes that an item has started end when it is broken off: by its time, for want of
   memory, or because nobody wants its job any more. Those of an item that has ended go on. As long
   as one lives that is no daemon, the worker does not leave for its number of items: it would wait
   for that one, and nobody stands in for it meanwhile. */
#ifndef BIND_RUN_H
#define BIND_RUN_H

#include <lua.h>
#include <stdint.h>

#include "shm/job.h"

/* Works on the job until no chunk is free or *most items are done (0: no limit), which it counts
   down: whether they are. pool NULL: in the process that made the job. The stack has run_on_error,
   f, nil, items at `base`; f and items of an inherited job. */
int run_job(lua_State *L, int base, struct pool *pool, uint64_t block, uint64_t *most);

/* The item in hand stands for several, and is at this one now. */
void run_at(uint64_t part);

/* The next number, from 1, of a process or pool (process.h): it is one of those that the items in
   hand have started. */
uint64_t run_number(void);

/* Its address: the registry's function that is called when an item is broken off, with the last
   number that there was when the item started its first. */
extern const char run_break_key;

/* In a child just forked: the items in hand are its parent's. */
void run_forget(void);

/* The message handler that it needs. */
int run_on_error(lua_State *L);

#endif
