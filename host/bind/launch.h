/* Processes that inherit nothing, with a Lua state of their own: forked by the zygote
   (os/zygote.h), which keeps one ready, or another program (os/spawn.h), which makes one.

     launch: record -> block of shared memory -> ledger of a claimed slot -> order to the zygote,
                                                              or words for the helper program
     [child] adopts the slot, takes over package.path and package.cpath, decodes the block,
             require(record.module)[record.entry](record)

   The blocks belong to the child's slot from before the child is there: whoever dies, they go with
   the slot. */
#ifndef BIND_LAUNCH_H
#define BIND_LAUNCH_H

#include "bind/bind.h"
#include "os/proc.h"

/* What the caller and a program that it starts must have in common; mphost.h's version. */
#define LAUNCH_VERSION 100

/* The first argument of a program that is started as a member of a family, or to fork some. */
#define LAUNCH_MARK "--mphost-member"
#define LAUNCH_ZYGOTE_MARK "--mphost-zygote"

/* Makes a state with the library in it, in the zygote or the helper; set by the room that knows
 * how. NULL: it cannot be had in this build. */
extern lua_State *(*launch_new_state)(void);

/* Whether this process has C functions that the helper does not have; set by that room, too. */
extern int (*launch_needs_copy)(void);

/* Starts a process for the record at index: its slot, or -EAGAIN, -ENOMEM, -errno. By the helper
 * program of this path, NULL: by the zygote. Raises when the record cannot be sent. */
int launch(lua_State *L, int index, const char *helper, proc *child);

/* Starts the zygote unless there is one: 0 or -errno; -ENOTSUP: not in this build. This process
 * must be a member of a family. It is a fork of this process; when that has threads already, the
 * helper program if there is one and it can stand for this one. */
int launch_zygote(void);

/* In main of a program that may be a helper: 0 when it was started by other means; else it runs the
 * process and does not return. */
int launch_arrive(int argc, char *const argv[]);

#endif
