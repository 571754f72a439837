/* What a child that dies of a fault says of it: the native frames, and where its Lua code was.

     [child, in the signal's handler: os/fault.h] tell -> record in the region (shm/crash.h)
     [parent] autopsy_push <- record, by the id that the dead one had

   The safest is told first: signal and place; the frames as numbers; their names, which the loader
   knows; Lua's stack at last, of the state's main stack as the child runs it (what runs in a
   coroutine is seen as the call of coroutine.resume). It is read while it may be in the middle of a
   change: that can be wrong, or a second fault, which ends the telling (os/fault.h). Nothing is
   changed in the state and no memory is asked for: lua_getinfo's S, l and n only read. */
#ifndef BIND_AUTOPSY_H
#define BIND_AUTOPSY_H

#include <lua.h>
#include <stdint.h>

/* In whom children are forked from, before the fork. */
void autopsy_prepare(void);

/* In the child, a member of the family: its code runs on L's stack. */
void autopsy_watch(lua_State *L);

/* Pushes what the process of this id said as a traceback, and its first frame; or nothing: 2 or 0.
 */
int autopsy_push(lua_State *L, uint64_t id);

#endif
