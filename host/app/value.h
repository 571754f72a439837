/* Typed values between C and Lua, and the references that stand for what C cannot hold.

   Two tables of the state's registry: `refs`, by number, and `texts`, which keeps the strings alive
   that were given to C last. All functions here may raise: protected calls only. */
#ifndef APP_VALUE_H
#define APP_VALUE_H

#include "app/host.h"

/* Makes both tables in a new state. */
void value_init(lua_State *L);

/* Pushes a value: 0, or MPH_EREF or MPH_EINVAL and nothing pushed. */
int value_push(lua_State *L, const mph_value *value);

/* Pushes them all, or none. */
int value_push_all(lua_State *L, const mph_value *values, size_t n);

/* Reads the value at index; what C cannot hold gets a reference. */
void value_read(lua_State *L, mph_host *h, int index, mph_value *value);

/* Forgets the strings given before: whatever reads values for a caller begins with it. */
void value_begin(lua_State *L);

/* A new reference for the value on top, which is popped. */
mph_ref value_refer(lua_State *L, mph_host *h);

/* Pushes what a reference refers to: 0, or MPH_EREF and nothing pushed. */
int value_push_ref(lua_State *L, mph_ref ref);

void value_release(lua_State *L, mph_ref ref);

/* MPH_KIND_ of the value at index. */
int value_kind(lua_State *L, int index);

/* Pushes what the reference refers to if it is of the kind: 0, MPH_EREF, MPH_ETYPE. */
int value_push_kind(lua_State *L, mph_ref ref, int kind);

#endif
