/* C functions that Lua code calls: mph_define.

   They are fields of the module "mphost.c", so they travel by name. A forked child has them with
   its copy of the state. The zygote's state is fresh, but the program's code lies at the same
   addresses there: it is given those that were defined before it was forked. */
#ifndef APP_DEFINE_H
#define APP_DEFINE_H

#include "app/host.h"

/* Gives a new host in the zygote what the program's hosts have. What is not there says so when it
 * is asked for. 0 or an error. */
int define_known(mph_host *h);

/* Whether a host of this process has any. */
int define_any(void);

/* The host is being closed. */
void define_forget(const mph_host *host);

#endif
