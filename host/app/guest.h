/* Processes that are no copies: the zygote, and programs that are started as members. What they run
   Lua in is a host like others, with the functions of mph_define that are known there. */
#ifndef APP_GUEST_H
#define APP_GUEST_H

/* Tells bind/launch.h how they are made. */
void guest_init(void);

#endif
