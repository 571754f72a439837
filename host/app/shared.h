/* Methods of shared objects, called from C: one helper for all of them. */
#ifndef APP_SHARED_H
#define APP_SHARED_H

#include "app/host.h"

/* A helper: object:text(args..., timeout) when the object is of the kind. Its values become
   results; nil, message, name becomes a code. */
int shared_method(lua_State *L);

/* The code for a name such as "timeout"; MPH_OK for a name that is none of ours. timeout 0: time is
 * not what was missing. */
int shared_code(const char *name, double timeout);

/* Pushes the function of the module mphost: requires it first. MPH_EFORK in a process that has no
 * part in the family, MPH_EUNAVAILABLE when the module has no such function. */
int shared_push_constructor(lua_State *L, const char *name);

/* Whether shared objects must not be touched here: MPH_EFORK, or 0. */
int shared_check_process(void);

/* Whether a timeout makes sense. */
static inline bool shared_valid_timeout(double timeout) {
  return timeout == timeout && (timeout >= 0 || timeout == MPH_FOREVER);
}

#endif
