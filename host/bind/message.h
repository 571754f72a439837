/* Lua values into and out of queues; shared by the bindings of queues and of pipes. Errors are
   those of shm/queue.h; signals that are handled do not end a wait. */
#ifndef BIND_MESSAGE_H
#define BIND_MESSAGE_H

#include "bind/bind.h"

/* Puts the value at index: 0 or an error. Raises before anything is put when it cannot be sent. */
int message_put(lua_State *L, uint64_t queue, int index, int64_t deadline);

/* Puts the list's elements 1..n, after all of them have been encoded: how many are in, and the
 * error that ended it in *rc. */
size_t message_put_many(lua_State *L, uint64_t queue, int list, size_t n, int64_t deadline,
                        int *rc);

/* Gets and pushes one message: 0, or an error with nothing pushed. Raises when it cannot be
 * decoded here; for want of memory, it is still in a queue that redelivers, and lost in others
 * (which need shared memory for none). */
int message_get(lua_State *L, uint64_t queue, int64_t deadline);

/* Gets up to `most` messages and appends them to the table at `list`, which has *n elements: how
   many were got, or an error. One that cannot be decoded here counts, but makes no element: the
   first time the text of what was wrong is pushed and *bad is set. 0: so it was with one that has
   gone back into its queue. */
int message_get_many(lua_State *L, uint64_t queue, int list, lua_Integer *n, size_t most,
                     int64_t deadline, int *bad);

#endif
