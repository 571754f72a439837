/* A child's life in Lua: it runs on a stack of its own, and nothing but that is its own.

   The state of a child is a copy of its parent's, with the stacks of all that was going on there:
   what these have to close (`local x <close>`) is the parent's to close. The C library's lua_close
   knows nothing of that: it closes what the main thread has pending. So a child never closes its
   state. It ends by returning, or by child_unwind: that closes what its own stack has pending, as
   lua_close does for a program's.

     child_run(own) -> pcall(body) ------------------------> exit code -> proc_leave
                       -> os.exit(code, true) -> child_unwind -> last(), which leaves with the code

   In a process that an embedding program or other means have made there is no such stack, and in
   another state of a child it is not that one's: child_unwind does nothing there. */
#ifndef BIND_CHILD_H
#define BIND_CHILD_H

#include <lua.h>

/* In a child, once: calls the function on own's stack with the n arguments above it; it answers
 * with the exit code, by which the child leaves. */
_Noreturn void child_run(lua_State *own, int n);

/* core.unwind(last): in a child: closes what its own stack has pending and calls last(), which is
   to leave; it does not return. What an __close raises on the way is said on stderr. Elsewhere it
   returns at once. */
int child_unwind(lua_State *L);

#endif
