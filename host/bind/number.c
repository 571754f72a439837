/* Typed numbers and Lua: see number.h. */
#include "bind/number.h"

static int wrong_type(lua_State *L, int index, const char *expected) {
  lua_pushfstring(L, "%s expected, got %s", expected, luaL_typename(L, index));
  return 0;
}

int number_read(lua_State *L, int index, const struct number *type, uint64_t *bits) {
  int is_number;
  if (type->kind == NUMBER_BOOL) {
    if (!lua_isboolean(L, index)) return wrong_type(L, index, "boolean");
    *bits = (uint64_t)lua_toboolean(L, index);
    return 1;
  }
  if (type->is_float) {
    lua_Number x = lua_tonumberx(L, index, &is_number);
    if (!is_number) return wrong_type(L, index, "number");
    *bits = number_round(type, x);
    if (number_fits(type, x)) return 1;
    lua_pushfstring(L, "%f is out of range for type '%c'", x, type->letter);
    return 0;
  }
  lua_Integer x = lua_tointegerx(L, index, &is_number);
  if (!is_number) {
    if (!lua_isnumber(L, index)) return wrong_type(L, index, "number");
    lua_pushliteral(L, "number has no integer representation");
    return 0;
  }
  *bits = (uint64_t)x;
  if (number_holds(type, x)) return 1;
  lua_pushfstring(L, "%I is out of range for type '%c'", x, type->letter);
  return 0;
}

uint64_t number_operand(lua_State *L, int arg, const struct number *type) {
  if (type->is_float || type->kind == NUMBER_BOOL) return number_check(L, arg, type);
  return (uint64_t)luaL_checkinteger(L, arg);
}

uint64_t number_mask(lua_State *L, int arg, const struct number *type) {
  int whole, width = 8 * type->bytes, above = 64 - width;
  lua_Integer x = lua_tointegerx(L, arg, &whole);
  if (!whole || !above || (x >> width != 0 && x >> width != -1)) return number_check(L, arg, type);
  uint64_t top = (uint64_t)x << above;
  return type->is_signed ? (uint64_t)((int64_t)top >> above) : top >> above;
}

uint64_t number_check(lua_State *L, int arg, const struct number *type) {
  uint64_t bits;
  if (!number_read(L, arg, type, &bits)) luaL_argerror(L, arg, lua_tostring(L, -1));
  return bits;
}

const struct number *number_checktype(lua_State *L, int arg) {
  size_t size;
  const char *letter = luaL_checklstring(L, arg, &size);
  const struct number *type = size == 1 ? number_of((unsigned char)letter[0]) : NULL;
  if (!type)
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "unknown type '%s' (one of " NUMBER_LETTERS ")", letter));
  return type;
}
