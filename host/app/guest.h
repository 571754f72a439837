/* Processes that are no copies: the zygote, and programs that are started as members. What they run
   Lua in is a host like others, with the functions of mph_define that are known there. */
#ifndef APP_GUEST_H
#define APP_GUEST_H

#include <lua.h>

/* The state of a new host in such a process; NULL: it could not be made. */
lua_State *guest_new(void);

#endif
