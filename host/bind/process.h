/* What a worker's work (run.h) does to the processes that its tasks have started.

   They are numbered in the order of their starts, so those of an item are those behind the last
   one that was there when the item started its first. Pools' workers are none of them: a pool has
   a number itself, and ends its own (pool.lua). */
#ifndef BIND_PROCESS_H
#define BIND_PROCESS_H

#include <lua.h>
#include <stdint.h>

/* The item is broken off: SIGTERM for those that this state has started behind the last-th. */
void process_break_off(lua_State *L, uint64_t last);

/* SIGKILL for those that were told so a second ago and are there still. */
void process_press(void);

/* Whether one of this process's children lives that is no daemon. */
int process_has_living(void);

#endif
