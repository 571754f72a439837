/* What the files that implement mphost.h share: the host, and how every call with one goes.

   host_enter checks the host and keeps other threads out; host_call runs a Lua C function in
   protected mode, so that nothing that may raise ever runs outside; host_leave lets others in. The
   functions get a struct order as a light userdata: passing it allocates nothing.

     mph_x(h, ...)  rc = host_enter(h, the arguments make sense);  if (rc < 0) return rc;
                    return host_leave(h, host_call(h, do_x, &order));

   Structs of closed hosts are kept and used again: a pointer to one stays readable, `state` tells.

   owner   the thread inside, 0: none. Taken by compare-and-swap; a callback enters again (depth).
   state   OPEN or CLOSED; changes while the owner is inside. */
#ifndef APP_HOST_H
#define APP_HOST_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>

#include "app/event.h"
#include "app/state.h"
#include "mphost.h"

struct mph_host {
  _Atomic uintptr_t owner;
  int depth;
  atomic_bool open;
  struct mph_host *next_free;
  lua_State *L;
  char *message; /* of the last failure, malloc'ed; NULL: none, or no memory for it */
  int rc;        /* of the last call */
  volatile sig_atomic_t interrupted; /* asked for during the call that runs */
  struct memory memory;
  mph_writer output, log;
  void (*noticed)(void *user);
  void *output_user, *log_user, *noticed_user;
  lua_Integer last_ref; /* references are counted up, never used again */
  struct loop loop;
};

/* What a protected function needs to know. Each uses some of it. */
struct order {
  mph_host *host;
  const char *text; /* a path, code, a method's name */
  const char *name; /* a chunk's name, a global's */
  size_t size;
  int script;
  char *const *argv;
  mph_ref object, function;
  int kind;
  const mph_value *args;
  size_t nargs;
  double timeout; /* of a method that takes one; see HOST_NO_TIMEOUT */
  mph_value *results;
  size_t nresults;
  mph_ref *ref;
  mph_function callback;
  void *user;
  int rc; /* the answer, when it is not an error of Lua's */
};
#define HOST_NO_TIMEOUT (-2.0)

int host_enter(mph_host *h, bool valid);
int host_leave(mph_host *h, int rc);

/* Notes a failure and its text (NULL: none) and returns the code. */
int host_note(mph_host *h, int rc, const char *text);

/* Notes the failure of a protected call; its message is popped. */
int host_fail(mph_host *h, int status);

/* Calls the function below nargs values; its results stand in their place: how many, or an error
 * and nothing. */
int host_call_values(mph_host *h, int nargs);

/* Calls the helper with the order: how many values it left. */
int host_call(mph_host *h, lua_CFunction helper, struct order *order);

/* The same for helpers that leave nothing: order->rc, or an error. */
int host_do(mph_host *h, lua_CFunction helper, struct order *order);

/* Enter, host_do, leave. */
int host_run(mph_host *h, bool valid, lua_CFunction helper, struct order *order);

/* The host that the state belongs to; NULL: a state that no host made. */
mph_host *host_of(lua_State *L);

#endif
