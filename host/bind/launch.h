/* Processes that inherit nothing: started by the zygote (os/zygote.h), with a Lua state of their
   own that the zygote keeps ready.

     launch: record -> block of shared memory -> ledger of a claimed slot -> order to the zygote
     [child] adopts the slot, decodes the block, require(record.module)[record.entry](record)

   The block belongs to the child's slot from before the child is there: whoever dies, it goes with
   the slot. */
#ifndef BIND_LAUNCH_H
#define BIND_LAUNCH_H

#include "bind/bind.h"
#include "os/proc.h"

/* Makes a state with the library in it, in the zygote; set by the room that knows how. NULL: it
 * cannot be had in this build. */
extern lua_State *(*launch_new_state)(void);

/* Starts a process for the record at index: its slot, or -EAGAIN, -ENOMEM, -errno. Raises when the
 * record cannot be sent. */
int launch(lua_State *L, int index, proc *child);

/* Starts the zygote unless there is one: 0 or -errno; -ENOTSUP: not in this build. This process
 * must be a member of a family. */
int launch_zygote(void);

#endif
