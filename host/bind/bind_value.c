/* core.value: one shared number. Each method is one C call and one atomic step. */
#include <errno.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/interrupt.h"
#include "bind/number.h"
#include "bind/warm.h"
#include "os/clock.h"
#include "shm/cell.h"
#include "shm/family.h"

static struct cell *check(lua_State *L) {
  return heap_payload(handle_check(L, 1, bind_value_class)->object);
}

/* The same for who changes it: counted in the handle, so that `update` knows its function's own
 * changes from those of others. */
static struct cell *check_to_change(lua_State *L) {
  struct handle *handle = handle_check(L, 1, bind_value_class);
  handle->taken++;
  return heap_payload(handle->object);
}

static int value_create(lua_State *L) {
  const struct number *type = number_checktype(L, 1);
  uint64_t bits = lua_isnoneornil(L, 2) ? 0 : number_check(L, 2, type);
  struct handle *handle = handle_new(L, bind_value_class);
  uint64_t hold, cell = cell_new(type->letter, bits, family_ledger(), &hold);
  if (!cell) return bind_fail(L, -ENOMEM);
  handle_open(L, handle, cell, hold);
  return 1;
}

/* ---- steps of bits (the others are shm/number.h's) ---- */

static int step_and(uint32_t letter, uint64_t before, uint64_t x, uint64_t *after) {
  (void)letter;
  *after = before & x;
  return 0;
}

static int step_or(uint32_t letter, uint64_t before, uint64_t x, uint64_t *after) {
  (void)letter;
  *after = before | x;
  return 0;
}

static int step_xor(uint32_t letter, uint64_t before, uint64_t x, uint64_t *after) {
  (void)letter;
  *after = before ^ x;
  return 0;
}

typedef uint64_t operand(lua_State *L, int arg, const struct number *type);

static int apply(lua_State *L, number_step *step, operand *of, int only_integers) {
  struct cell *cell = check_to_change(L);
  const struct number *type = number_of(cell->type);
  if (type->letter == '?' || (only_integers && type->is_float))
    return luaL_error(L, "a Value of type '%c' has no such operation", type->letter);
  uint64_t before;
  if (cell_apply(cell, step, of(L, 2, type), &before) < 0)
    return luaL_error(L, "the result is out of range for type '%c'", type->letter);
  return number_push(L, type, before);
}

/* All 64-bit integers wrap alike and all are in range: the processor's own step does. */
static int value_m_add(lua_State *L) {
  struct cell *cell = check_to_change(L);
  const struct number *type = number_of(cell->type);
  if (type->bytes != 8 || type->is_float) return apply(L, number_add, number_operand, 0);
  int whole;
  lua_Integer x = lua_tointegerx(L, 2, &whole);
  if (!whole) x = luaL_checkinteger(L, 2);
  lua_pushinteger(L, (lua_Integer)cell_add(cell, (uint64_t)x));
  return 1;
}
static int value_m_sub(lua_State *L) {
  return apply(L, number_sub, number_operand, 0);
}
static int value_m_max(lua_State *L) {
  return apply(L, number_max, number_check, 0);
}
static int value_m_min(lua_State *L) {
  return apply(L, number_min, number_check, 0);
}
static int value_m_band(lua_State *L) {
  return apply(L, step_and, number_mask, 1);
}
static int value_m_bor(lua_State *L) {
  return apply(L, step_or, number_mask, 1);
}
static int value_m_bxor(lua_State *L) {
  return apply(L, step_xor, number_mask, 1);
}

static int value_m_swap(lua_State *L) {
  struct cell *cell = check_to_change(L);
  const struct number *type = number_of(cell->type);
  return number_push(L, type, cell_swap(cell, number_check(L, 2, type)));
}

static int value_m_cas(lua_State *L) {
  struct cell *cell = check_to_change(L);
  const struct number *type = number_of(cell->type);
  lua_pushboolean(L, cell_cas(cell, number_check(L, 2, type), number_check(L, 3, type)));
  return 1;
}

/* update(f): value = f(value) as one step: f runs again when another process came between, which it
 * must not do itself. Returns the new value. */
static int value_m_update(lua_State *L) {
  struct cell *cell = check(L);
  struct handle *handle = lua_touserdata(L, 1);
  const struct number *type = number_of(cell->type);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  for (;;) {
    uint64_t before = cell_load(cell);
    uint32_t changes = handle->taken;
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    number_push(L, type, before);
    lua_call(L, 1, 1);
    cell = check(L); /* the function may have closed it */
    uint64_t after;
    if (!number_read(L, 3, type, &after))
      return luaL_error(L, "the function of 'update' returned: %s", lua_tostring(L, -1));
    if (cell_replace(cell, before, after)) {
      handle->taken++; /* an outer update's function has changed it */
      return 1;
    }
    if (handle->taken != changes)
      return luaL_error(L, "the function of 'update' changed the value itself");
  }
}

static int value_m_wait(lua_State *L) {
  uint64_t old = number_check(L, 2, number_of(check(L)->type));
  int64_t deadline = bind_deadline(L, 3);
  int rc;
  do rc = cell_wait(check(L), old, deadline); /* a debug hook may have closed it */
  while (interrupt_again(L, rc));
  if (rc < 0) return bind_fail(L, rc);
  lua_pushboolean(L, 1);
  return 1;
}

static int value_m_notify(lua_State *L) {
  cell_notify(check(L));
  return 0;
}

/* A handle with a metatable of its own (warm.h) luaL_checkudata would not know. */
static struct handle *check_class(lua_State *L) {
  struct handle *handle = handle_as(L, 1, bind_value_class);
  return handle ? handle : luaL_checkudata(L, 1, bind_value_class);
}

static int value_m_close(lua_State *L) {
  check_class(L);
  return handle_close(L);
}

/* ---- v.value ---- */

/* Of a handle with a metatable of its own (warm.h). Upvalues: the handle, the methods. */
static int value_field(lua_State *L) {
  const struct handle *handle = lua_touserdata(L, lua_upvalueindex(1));
  size_t size;
  const char *key = lua_tolstring(L, 2, &size);
  if (!key || size != 5 || memcmp(key, "value", 5) != 0) {
    lua_settop(L, 2);
    lua_rawget(L, lua_upvalueindex(2));
    return 1;
  }
  if (handle->object == 0) return bind_closed(L, 0, bind_value_class);
  bind_check_family(L);
  const struct cell *cell = heap_payload(handle->object);
  return number_push(L, number_of(cell->type), cell_load(cell));
}

/* Upvalue: the methods, with `true` under "value": one look-up decides. */
static int value_index(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TBOOLEAN) {
    warm_count(L, bind_value_class, value_field);
    return 1;
  }
  struct cell *cell = check(L);
  return number_push(L, number_of(cell->type), cell_load(cell));
}

static int value_newindex(lua_State *L) {
  struct cell *cell = check_to_change(L);
  if (!lua_rawequal(L, 2, lua_upvalueindex(1)))
    return luaL_error(L, "a Value has no field '%s'; its number is .value",
                      luaL_tolstring(L, 2, NULL));
  uint64_t bits;
  if (!number_read(L, 3, number_of(cell->type), &bits))
    return luaL_error(L, "cannot set .value: %s", lua_tostring(L, -1));
  cell_store(cell, bits);
  return 0;
}

static int value_tostring(lua_State *L) {
  const struct handle *handle = check_class(L);
  if (handle->object == 0) {
    lua_pushliteral(L, "Value (closed handle)");
    return 1;
  }
  struct cell *cell = heap_payload(handle->object);
  number_push(L, number_of(cell->type), cell_load(cell));
  lua_pushfstring(L, "Value('%c', %s)", (int)cell->type, luaL_tolstring(L, -1, NULL));
  return 1;
}

void bind_value(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"add", value_m_add},       {"sub", value_m_sub},   {"max", value_m_max},
      {"min", value_m_min},       {"band", value_m_band}, {"bor", value_m_bor},
      {"bxor", value_m_bxor},     {"swap", value_m_swap}, {"cas", value_m_cas},
      {"update", value_m_update}, {"wait", value_m_wait}, {"notify", value_m_notify},
      {"close", value_m_close},   {NULL, NULL},
  };
  bind_class(L, bind_value_class, methods, handle_close);
  luaL_getmetatable(L, bind_value_class);
  lua_getfield(L, -1, "__index");
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "value");
  lua_pushcclosure(L, value_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pushliteral(L, "value");
  lua_pushcclosure(L, value_newindex, 1);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, value_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
  lua_pushcfunction(L, value_create);
  lua_setfield(L, -2, "value");
}
