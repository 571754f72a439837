/* What Lua code writes, given to the host's writers instead of stdout and stderr. */
#ifndef APP_OUTPUT_H
#define APP_OUTPUT_H

#include "app/host.h"

/* Puts the host's writers, as far as it has some, into a new state. Raises: protected calls only.
 */
void output_init(lua_State *L, mph_host *h);

#endif
