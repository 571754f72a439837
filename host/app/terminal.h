/* The module "mphost.terminal": what lua/mphost/repl.lua needs of the terminal and has no words for
 * in Lua. Only the program has it; the library does not know terminals. */
#ifndef APP_TERMINAL_H
#define APP_TERMINAL_H

#include "mphost.h"

/* Offers it to `require` in this host. */
void terminal_offer(mph_host *host);

#endif
