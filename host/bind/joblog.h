/* The job log: a line for each item of a pool's call that has ended, for whoever asked by --joblog
   or MPHOST_JOBLOG=FILE. Tab-separated, as GNU parallel's:

     start  seconds  pid  worker  call  index  outcome

   bind_joblog opens the file that MPHOST_JOBLOG names, and raises when it cannot be written;
   start is Unix time; call is where the function stands; outcome is "ok", "error", "timeout",
   "memory", "crash" or "exit". Each process opens the file for appending and writes a line by one
   write(2), so lines of many are whole. Who dies writes none: its parent does (crew.lua). For that
   status.since (family.h) is, with a log, when the item in hand began, not its chunk. */
#ifndef BIND_JOBLOG_H
#define BIND_JOBLOG_H

#include <lua.h>
#include <stdint.h>

#define JOBLOG_NAME 100

extern int joblog_fd; /* -1: nobody asked */

/* Where the function on top of the stack stands, as the lines say it. */
void joblog_call(lua_State *L, char call[JOBLOG_NAME]);

/* An item of this process's begins: when (os/clock.h). */
int64_t joblog_begin(void);

/* What its outcome, which is on top of the stack, is called. */
const char *joblog_outcome(lua_State *L, int failed);

/* It ended. */
void joblog_end(int64_t start, const char *call, uint64_t index, const char *outcome);

#endif
