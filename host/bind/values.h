/* What a call takes and gives: a list of values, as bytes.

     values   01 count, then so many messages     nil, booleans, numbers and strings only
              a message with the list and its n   all else

   The first way makes no table at either end. It is for values without an identity: what occurs
   twice in one list, or holds itself, must travel in one message. */
#ifndef BIND_VALUES_H
#define BIND_VALUES_H

#include "bind/arena.h"

/* Appends the n values from index `first` on the first way: 1, or 0: they are not for that, or
 * there is no memory, and nothing is written. */
int values_put(lua_State *L, struct arena *arena, int first, int n);

/* Whether bytes of the first way begin here. */
int values_begin(const char *at, size_t left);

/* Pushes the values of which that is true, and goes on behind them: how many. Raises when the bytes
 * are none. */
int values_push(lua_State *L, const char **at, size_t *left);

/* The n values on top become one list with n. */
void values_to_list(lua_State *L, int n);

#endif
