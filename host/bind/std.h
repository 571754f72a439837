/* The names that the library's own Lua modules find Lua's standard library by.

   A module of ours must go on when a script has a global `table` of its own, or sets table.sort to
   nil: at a prompt both are slips of a second. So the chunks of our modules have an _ENV of their
   own, one for each state: copies of Lua's functions and of its libraries' tables, made before any
   module of ours runs (in the program before any code of the user's). Nothing is looked up beyond
   it, nothing of ours writes to it.

   What is the user's by its nature is there as it is: _G is the globals table, package the table
   whose path and cpath say where modules are. */
#ifndef BIND_STD_H
#define BIND_STD_H

#include <lua.h>

/* Makes the state's copies unless they are there. May raise for lack of memory. */
void std_open(lua_State *L);

/* Pushes the table of copies: the _ENV. */
void std_push(lua_State *L);

/* Pushes what it has under the name. */
void std_push_field(lua_State *L, const char *name);

#endif
