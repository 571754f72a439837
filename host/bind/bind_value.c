/* core.value: one shared number. Each method is one C call and one atomic step. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "os/clock.h"
#include "shm/cell.h"
#include "shm/family.h"

/* string.pack's letters, and the range of the integers among them. */
static const struct type {
  char letter;
  int is_float, bytes, is_signed;
} types[128] = {
    ['b'] = {'b', 0, 1, 1}, ['B'] = {'B', 0, 1, 0}, ['h'] = {'h', 0, 2, 1}, ['H'] = {'H', 0, 2, 0},
    ['i'] = {'i', 0, 4, 1}, ['I'] = {'I', 0, 4, 0}, ['l'] = {'l', 0, 8, 1}, ['L'] = {'L', 0, 8, 0},
    ['j'] = {'j', 0, 8, 1}, ['J'] = {'J', 0, 8, 0}, ['T'] = {'T', 0, 8, 0}, ['f'] = {'f', 1, 4, 1},
    ['d'] = {'d', 1, 8, 1}, ['n'] = {'n', 1, 8, 1}, ['?'] = {'?', 0, 0, 0},
};

static const struct type *type_of(uint32_t letter) {
  return letter < 128 && types[letter].letter ? &types[letter] : NULL;
}

static uint64_t float_bits(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static double bits_float(uint64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* Whether an integer is one of the type's. Unsigned 64-bit types take all Lua integers, as their
 * bits. */
static int in_range(const struct type *type, int64_t x) {
  if (type->bytes == 8) return 1;
  int bits = 8 * type->bytes;
  if (type->is_signed) return x >= -((int64_t)1 << (bits - 1)) && x < (int64_t)1 << (bits - 1);
  return x >= 0 && x < (int64_t)1 << bits;
}

static uint64_t round_float(const struct type *type, double x) {
  return float_bits(type->letter == 'f' ? (double)(float)x : x);
}

/* The bits of a Lua value of the cell's type; raises when it is not one. */
static uint64_t check_bits(lua_State *L, int arg, const struct type *type) {
  if (type->letter == '?') {
    luaL_checktype(L, arg, LUA_TBOOLEAN);
    return (uint64_t)lua_toboolean(L, arg);
  }
  if (type->is_float) return round_float(type, luaL_checknumber(L, arg));
  lua_Integer x = luaL_checkinteger(L, arg);
  if (!in_range(type, x))
    luaL_argerror(L, arg, lua_pushfstring(L, "%I is out of range for type '%c'", x, type->letter));
  return (uint64_t)x;
}

static int push_bits(lua_State *L, const struct type *type, uint64_t bits) {
  if (type->letter == '?')
    lua_pushboolean(L, bits != 0);
  else if (type->is_float)
    lua_pushnumber(L, bits_float(bits));
  else
    lua_pushinteger(L, (lua_Integer)bits);
  return 1;
}

static struct cell *check(lua_State *L) {
  return heap_payload(handle_check(L, 1, bind_value_class)->object);
}

static int value_create(lua_State *L) {
  const char *letter = luaL_checkstring(L, 1);
  const struct type *type = letter[0] && !letter[1] ? type_of((uint32_t)letter[0]) : NULL;
  if (!type)
    return luaL_argerror(
        L, 1,
        lua_pushfstring(L, "unknown type '%s' (one of b B h H i I l L j J T f d n ?)", letter));
  uint64_t bits = lua_isnoneornil(L, 2) ? 0 : check_bits(L, 2, type);
  struct handle *handle = handle_new(L, bind_value_class);
  uint64_t hold, cell = cell_new(type->letter, bits, family_ledger(), &hold);
  if (!cell) return bind_fail(L, -ENOMEM);
  handle_open(L, handle, cell, hold);
  return 1;
}

/* ---- steps (shm/cell.h): x is the operand's bits, of the cell's type ---- */

#define INTEGER_STEP(name, overflows)                                                              \
  static int step_##name(uint32_t letter, uint64_t before, uint64_t x, uint64_t *after) {          \
    const struct type *type = type_of(letter);                                                     \
    int64_t result;                                                                                \
    if (type->is_float) return *after = round_float(type, FLOAT_##name), 0;                        \
    if (overflows((int64_t)before, (int64_t)x, &result) && type->bytes < 8) return -ERANGE;        \
    *after = (uint64_t)result;                                                                     \
    return in_range(type, result) ? 0 : -ERANGE;                                                   \
  }
#define FLOAT_add bits_float(before) + bits_float(x)
#define FLOAT_sub bits_float(before) - bits_float(x)
INTEGER_STEP(add, __builtin_add_overflow)
INTEGER_STEP(sub, __builtin_sub_overflow)

static int is_less(uint32_t letter, uint64_t a, uint64_t b) {
  const struct type *type = type_of(letter);
  if (type->is_float) return bits_float(a) < bits_float(b);
  if (type->is_signed || type->bytes < 8) return (int64_t)a < (int64_t)b;
  return a < b;
}

static int step_max(uint32_t letter, uint64_t before, uint64_t x, uint64_t *after) {
  *after = is_less(letter, before, x) ? x : before;
  return 0;
}

static int step_min(uint32_t letter, uint64_t before, uint64_t x, uint64_t *after) {
  *after = is_less(letter, x, before) ? x : before;
  return 0;
}

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

static int apply(lua_State *L, cell_step *step, int only_integers) {
  struct cell *cell = check(L);
  const struct type *type = type_of(cell->type);
  if (type->letter == '?' || (only_integers && type->is_float))
    return luaL_error(L, "a Value of type '%c' has no such operation", type->letter);
  uint64_t before;
  if (cell_apply(cell, step, check_bits(L, 2, type), &before) < 0)
    return luaL_error(L, "the result is out of range for type '%c'", type->letter);
  return push_bits(L, type, before);
}

/* All 64-bit integers wrap alike and all are in range: the processor's own step does. */
static int value_m_add(lua_State *L) {
  struct cell *cell = check(L);
  const struct type *type = type_of(cell->type);
  if (type->bytes != 8 || type->is_float) return apply(L, step_add, 0);
  lua_Integer x = luaL_checkinteger(L, 2);
  lua_pushinteger(L, (lua_Integer)cell_add(cell, (uint64_t)x));
  return 1;
}
static int value_m_sub(lua_State *L) {
  return apply(L, step_sub, 0);
}
static int value_m_max(lua_State *L) {
  return apply(L, step_max, 0);
}
static int value_m_min(lua_State *L) {
  return apply(L, step_min, 0);
}
static int value_m_band(lua_State *L) {
  return apply(L, step_and, 1);
}
static int value_m_bor(lua_State *L) {
  return apply(L, step_or, 1);
}
static int value_m_bxor(lua_State *L) {
  return apply(L, step_xor, 1);
}

static int value_m_swap(lua_State *L) {
  struct cell *cell = check(L);
  const struct type *type = type_of(cell->type);
  return push_bits(L, type, cell_swap(cell, check_bits(L, 2, type)));
}

static int value_m_cas(lua_State *L) {
  struct cell *cell = check(L);
  const struct type *type = type_of(cell->type);
  lua_pushboolean(L, cell_replace(cell, check_bits(L, 2, type), check_bits(L, 3, type)));
  return 1;
}

/* update(f): value = f(value) as one step: f runs again when another process came between. Returns
 * the new value. */
static int value_m_update(lua_State *L) {
  struct cell *cell = check(L);
  const struct type *type = type_of(cell->type);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  for (;;) {
    uint64_t before = cell_load(cell);
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    push_bits(L, type, before);
    lua_call(L, 1, 1);
    if (cell_replace(cell, before, check_bits(L, 3, type))) return 1;
  }
}

static int value_m_wait(lua_State *L) {
  struct cell *cell = check(L);
  uint64_t old = check_bits(L, 2, type_of(cell->type));
  int64_t deadline = bind_deadline(L, 3);
  int rc;
  do rc = cell_wait(cell, old, deadline);
  while (rc == -EINTR);
  if (rc < 0) return bind_fail(L, rc);
  lua_pushboolean(L, 1);
  return 1;
}

static int value_m_notify(lua_State *L) {
  cell_notify(check(L));
  return 0;
}

/* ---- v.value ---- */

/* Upvalue: the methods, with `true` under "value": one look-up decides. */
static int value_index(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TBOOLEAN) return 1;
  struct cell *cell = check(L);
  return push_bits(L, type_of(cell->type), cell_load(cell));
}

static int value_newindex(lua_State *L) {
  struct cell *cell = check(L);
  if (!lua_rawequal(L, 2, lua_upvalueindex(1)))
    return luaL_error(L, "a Value has no field '%s'; its number is .value",
                      luaL_tolstring(L, 2, NULL));
  cell_store(cell, check_bits(L, 3, type_of(cell->type)));
  return 0;
}

static int value_tostring(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_value_class);
  if (handle->object == 0) {
    lua_pushliteral(L, "Value (closed handle)");
    return 1;
  }
  struct cell *cell = heap_payload(handle->object);
  push_bits(L, type_of(cell->type), cell_load(cell));
  lua_pushfstring(L, "Value('%c', %s)", (int)cell->type, luaL_tolstring(L, -1, NULL));
  return 1;
}

void bind_value(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"add", value_m_add},   {"sub", value_m_sub},
      {"max", value_m_max},   {"min", value_m_min},
      {"band", value_m_band}, {"bor", value_m_bor},
      {"bxor", value_m_bxor}, {"swap", value_m_swap},
      {"cas", value_m_cas},   {"update", value_m_update},
      {"wait", value_m_wait}, {"notify", value_m_notify},
      {NULL, NULL},
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
