/* Handles whose methods are called again and again.

   Where a handle has fields that are no methods (v.value), its class's __index is a C function, and
   each call of a method costs two C calls: the look-up's and its own. A handle that is seen at it
   often gets a metatable of its own: a copy of its class's whose __index is a table. Lua itself
   finds the methods there; all other keys go on to a C function that knows the handle.

       handle -> own metatable -> __index: methods -> metatable -> __index: field(handle)

   All of it hangs on the handle and refers to nothing but it and its class: it is collected with
   it. getmetatable shows the class's metatable as ever. What is changed there later is not seen in
   the copies: methods of theirs stay what they were.

   It takes a kilobyte of Lua's memory and the time of some 40 look-ups. So one look-up in
   WARM_TURNS is a vote for the handle it was of, and as many votes are needed as the state has
   given out such metatables, plus one: a handle that is hardly used costs nothing, and many that
   are used alike take memory as the square root of their look-ups. */
#ifndef BIND_WARM_H
#define BIND_WARM_H

#include <lua.h>
#include <stdint.h>

#define WARM_TURNS 61 /* a prime: handles that are used in turns are all met */

/* A vote for what is at 1, if it is an open handle of the class. `field` reads keys that are no
 * methods: its arguments are anything and the key, its upvalues the handle and the class's
 * __methods. Raises nothing. */
void warm_vote(lua_State *L, const char *class, lua_CFunction field);

/* In the class's __index, which has found a method of what is at 1. */
static inline void warm_count(lua_State *L, const char *class, lua_CFunction field) {
  static _Thread_local uint32_t turn;
  if (++turn % WARM_TURNS == 0) warm_vote(L, class, field);
}

#endif
