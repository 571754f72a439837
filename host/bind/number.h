/* Lua values as the typed numbers of shm/number.h, and back. */
#ifndef BIND_NUMBER_H
#define BIND_NUMBER_H

#include <lauxlib.h>
#include <lua.h>

#include "shm/number.h"

/* The bits of the Lua value at index: 1; or 0, and why not is pushed ("300 is out of range for type
 * 'b'"). */
int number_read(lua_State *L, int index, const struct number *type, uint64_t *bits);

/* The bits of an argument; raises when it is none of the type's. */
uint64_t number_check(lua_State *L, int arg, const struct number *type);

/* The same of what is added or subtracted: of an integer type, any integer; the result's range
 * counts. */
uint64_t number_operand(lua_State *L, int arg, const struct number *type);

/* The bits of a mask for an integer of the type: any integer whose bits above the type's width are
 * all 0, or all 1 as Lua's ~ gives them. */
uint64_t number_mask(lua_State *L, int arg, const struct number *type);

/* The type that a letter at an argument names; raises when it is none. */
const struct number *number_checktype(lua_State *L, int arg);

static inline int number_push(lua_State *L, const struct number *type, uint64_t bits) {
  if (type->is_float)
    lua_pushnumber(L, number_float(bits));
  else if (type->kind == NUMBER_BOOL)
    lua_pushboolean(L, bits != 0);
  else
    lua_pushinteger(L, (lua_Integer)bits);
  return 1;
}

#endif
