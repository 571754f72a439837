/* core.array: many typed numbers in shared memory, and slices of them. Each access to an element is
   one C call and one atomic step. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "bind/array.h"
#include "bind/number.h"
#include "shm/family.h"
#include "shm/object.h"

/* ---- handles ---- */

/* The span of a whole array or file: 0 or -errno. */
static int span_of_root(uint64_t root, struct array_handle *array) {
  if (block_at(root)->kind == BLOCK_ARRAY) {
    array->span = array_span(root);
    return 0;
  }
  int rc = file_attach(root, &array->file);
  if (rc < 0) return rc;
  const filemap *map = &array->file->map;
  array->span = (struct span){map->base, map->size, number_of('B')};
  array->is_readonly = !map->writable;
  return 0;
}

static int settle(struct array_handle *array) {
  uint64_t object = array->handle.object;
  const struct slice *slice = NULL;
  if (block_at(object)->kind == BLOCK_SLICE) slice = heap_payload(object);
  int rc = span_of_root(slice ? slice->root : object, array);
  if (rc < 0) return rc;
  if (slice) array->span = span_part(array->span, slice->first, slice->count);
  array->ready = 1;
  return 0;
}

/* A file that cannot be mapped is no error yet: the handle may be on its way to somebody else. */
void array_settle(struct handle *handle) {
  settle((struct array_handle *)handle);
}

/* Whatever it is: only the address of its class decides. */
static inline struct array_handle *as_array(lua_State *L, int arg) {
  if (lua_type(L, arg) != LUA_TUSERDATA || lua_rawlen(L, arg) != sizeof(struct array_handle))
    return NULL;
  struct array_handle *array = lua_touserdata(L, arg);
  return array->handle.class == bind_array_class ? array : NULL;
}

static int array_close(lua_State *L) {
  struct array_handle *array = as_array(L, 1);
  if (!array) array = luaL_checkudata(L, 1, bind_array_class);
  if (array->handle.object == 0) return 0;
  array->span = (struct span){0};
  array->ready = 0;
  if (array->file) file_detach(array->file);
  array->file = NULL;
  return handle_close(L);
}

static const char *path_of(uint64_t object) {
  if (block_at(object)->kind == BLOCK_SLICE) object = ((struct slice *)heap_payload(object))->root;
  return ((struct file *)heap_payload(object))->path;
}

static void make_ready(lua_State *L, struct array_handle *array) {
  int rc = settle(array);
  if (rc == -ENOMEM) luaL_error(L, "not enough memory");
  if (rc < 0)
    luaL_error(L, "cannot map '%s' in this process: %s", path_of(array->handle.object),
               rc == -ENODATA  ? "it has become shorter"
               : rc == -ESTALE ? "it is another file by now"
                               : strerror(-rc));
}

/* Behind the end of a file there is no memory: better an error than a SIGBUS. */
void array_check_length(lua_State *L, const struct array_handle *array) {
  const filemap *map = &array->file->map;
  uint64_t end = (uint64_t)(array->span.base - map->base) + array->span.count;
  uint64_t length = array->span.count ? file_length(array->file) : UINT64_MAX;
  if (length < end)
    luaL_error(L, "'%s' has become shorter: %I bytes, of %I that were mapped",
               path_of(array->handle.object), (lua_Integer)length, (lua_Integer)map->size);
}

struct array_handle *array_check(lua_State *L, int arg) {
  struct array_handle *array = as_array(L, arg);
  if (!array) array = luaL_checkudata(L, arg, bind_array_class);
  if (array->handle.object == 0) bind_closed(L, arg, bind_array_class);
  if (!array->ready) make_ready(L, array);
  if (array->file) array_check_length(L, array);
  return array;
}

static void check_writable(lua_State *L, const struct array_handle *array) {
  if (array->is_readonly)
    luaL_error(L, "'%s' is mapped to be read only (mode \"r+\" is for writing)",
               path_of(array->handle.object));
}

struct array_handle *array_check_writable(lua_State *L, int arg) {
  struct array_handle *array = array_check(L, arg);
  check_writable(L, array);
  return array;
}

/* Pushes a new handle for an object and opens it. */
static struct array_handle *open_array(lua_State *L, struct array_handle *array, uint64_t object,
                                       uint64_t hold) {
  handle_open(L, &array->handle, object, hold);
  array_settle(&array->handle);
  return array;
}

/* ---- arguments ---- */

static int out_of_bounds(lua_State *L, int arg, lua_Integer i, uint64_t count) {
  const char *why =
      count ? lua_pushfstring(L, "index %I is out of bounds (1 to %I)", i, (lua_Integer)count)
            : lua_pushfstring(L, "index %I is out of bounds (it is empty)", i);
  return arg ? luaL_argerror(L, arg, why) : luaL_error(L, "%s", why);
}

static uint64_t check_index(lua_State *L, int arg, const struct array_handle *array) {
  lua_Integer i = luaL_checkinteger(L, arg);
  if ((uint64_t)i - 1 >= array->span.count) out_of_bounds(L, arg, i, array->span.count);
  return (uint64_t)i - 1;
}

struct span array_range(lua_State *L, int arg, const struct array_handle *array, uint64_t *first) {
  lua_Integer n = (lua_Integer)array->span.count;
  lua_Integer i = luaL_optinteger(L, arg, 1), j = luaL_optinteger(L, arg + 1, n);
  if (i < 1 || i > n + 1) out_of_bounds(L, arg, i, array->span.count);
  if (j < i - 1 || j > n) {
    if (j >= 0 && j <= n)
      luaL_argerror(L, arg + 1, lua_pushfstring(L, "%I is before the first, %I", j, i));
    out_of_bounds(L, arg + 1, j, array->span.count);
  }
  *first = (uint64_t)i - 1;
  return span_part(array->span, (uint64_t)i - 1, (uint64_t)(j - i + 1));
}

/* The elements of the list at an argument, in a buffer of their natural width that is pushed.
   Nothing is written before all of them are known to be right. */
static struct span read_list(lua_State *L, int arg, const struct number *type) {
  lua_Integer n = luaL_len(L, arg);
  if (n < 0 || (size_t)n > SIZE_MAX / 16) luaL_argerror(L, arg, "too long");
  struct span list = {.count = (uint64_t)n, .type = type};
  list.base = lua_newuserdatauv(L, (size_t)n * type->bytes + 1, 0);
  for (lua_Integer i = 1; i <= n; i++) {
    uint64_t bits;
    lua_geti(L, arg, i);
    if (!number_read(L, -1, type, &bits))
      luaL_argerror(L, arg, lua_pushfstring(L, "element %I: %s", i, lua_tostring(L, -1)));
    span_store(&list, (uint64_t)i - 1, bits);
    lua_pop(L, 1);
  }
  return list;
}

/* ---- making ---- */

/* array(type, n | list) */
static int array_create(lua_State *L) {
  const struct number *type = number_checktype(L, 1);
  struct span list = {0};
  uint64_t count;
  if (lua_type(L, 2) == LUA_TTABLE) {
    list = read_list(L, 2, type);
    count = list.count;
  } else {
    int is_integer;
    lua_Integer n = lua_tointegerx(L, 2, &is_integer);
    if (lua_type(L, 2) != LUA_TNUMBER)
      luaL_argerror(L, 2,
                    lua_pushfstring(L, "number or list expected, got %s", luaL_typename(L, 2)));
    if (!is_integer || n < 0) luaL_argerror(L, 2, "a whole number of at least 0 expected");
    count = (uint64_t)n;
  }
  struct array_handle *array = (struct array_handle *)handle_new(L, bind_array_class);
  uint64_t hold, object = array_new(type, count, family_ledger(), &hold);
  if (!object) return bind_fail(L, -ENOMEM);
  open_array(L, array, object, hold);
  if (list.base) memcpy(array->span.base, list.base, count * type->bytes); /* nobody knows it yet */
  return 1;
}

/* slice([i [, j]]): the same elements again, without a copy. */
static int array_m_slice(lua_State *L) {
  struct array_handle *whole = array_check(L, 1);
  uint64_t first, root = whole->handle.object;
  struct span part = array_range(L, 2, whole, &first);
  if (block_at(root)->kind == BLOCK_SLICE) {
    const struct slice *slice = heap_payload(root);
    root = slice->root;
    first += slice->first;
  }
  struct array_handle *array = (struct array_handle *)handle_new(L, bind_array_class);
  uint64_t hold, object = slice_new(root, first, part.count, family_ledger(), &hold);
  if (!object) return bind_fail(L, -ENOMEM);
  open_array(L, array, object, hold);
  return 1;
}

/* ---- elements ---- */

/* What is no element: a method, the end of a list, or a mistake. Upvalue: the methods. */
static int index_slowly(lua_State *L) {
  if (lua_type(L, 2) == LUA_TSTRING) {
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    return 1;
  }
  struct array_handle *array = array_check(L, 1);
  int is_integer;
  lua_Integer i = lua_tointegerx(L, 2, &is_integer);
  if (!is_integer)
    return luaL_error(L, "an index of an Array is a whole number, not %s",
                      luaL_tolstring(L, 2, NULL));
  if ((uint64_t)i - 1 < array->span.count)
    return number_push(L, array->span.type, span_load(&array->span, (uint64_t)i - 1));
  if ((uint64_t)i - 1 > array->span.count) return out_of_bounds(L, 0, i, array->span.count);
  lua_pushnil(L); /* where ipairs ends */
  return 1;
}

static int array_index(lua_State *L) {
  const struct array_handle *array = as_array(L, 1);
  if (array && lua_type(L, 2) == LUA_TNUMBER) {
    lua_Integer i = lua_tointeger(L, 2);
    if ((uint64_t)i - 1 < array->span.count && lua_isinteger(L, 2))
      return number_push(L, array->span.type, span_load(&array->span, (uint64_t)i - 1));
  }
  return index_slowly(L);
}

static int newindex_slowly(lua_State *L) {
  struct array_handle *array = array_check_writable(L, 1);
  int is_integer;
  lua_Integer i = lua_tointegerx(L, 2, &is_integer);
  if (!is_integer || lua_type(L, 2) != LUA_TNUMBER)
    return luaL_error(L, "an index of an Array is a whole number, not %s",
                      luaL_tolstring(L, 2, NULL));
  if ((uint64_t)i - 1 >= array->span.count) return out_of_bounds(L, 0, i, array->span.count);
  uint64_t bits;
  if (!number_read(L, 3, array->span.type, &bits))
    return luaL_error(L, "cannot set element %I: %s", i, lua_tostring(L, -1));
  span_store(&array->span, (uint64_t)i - 1, bits);
  return 0;
}

static int array_newindex(lua_State *L) {
  const struct array_handle *array = as_array(L, 1);
  uint64_t bits;
  if (array && !array->is_readonly && lua_isinteger(L, 2)) {
    lua_Integer i = lua_tointeger(L, 2);
    if ((uint64_t)i - 1 < array->span.count && number_read(L, 3, array->span.type, &bits)) {
      span_store(&array->span, (uint64_t)i - 1, bits);
      return 0;
    }
  }
  return newindex_slowly(L);
}

static int array_len(lua_State *L) {
  const struct array_handle *array = as_array(L, 1);
  if (!array || !array->ready) array = array_check(L, 1);
  lua_pushinteger(L, (lua_Integer)array->span.count);
  return 1;
}

static void check_arithmetic(lua_State *L, const struct array_handle *array) {
  if (array->span.type->kind == NUMBER_BOOL)
    luaL_error(L, "an Array of type '?' has no such operation");
}

/* add(i, n): the element before. */
static int array_m_add(lua_State *L) {
  struct array_handle *array = array_check_writable(L, 1);
  const struct number *type = array->span.type;
  check_arithmetic(L, array);
  uint64_t i = check_index(L, 2, array), before;
  if (span_apply(&array->span, i, number_add, number_operand(L, 3, type), &before) < 0)
    return luaL_error(L, "the result is out of range for type '%c'", type->letter);
  return number_push(L, type, before);
}

static int array_m_cas(lua_State *L) {
  struct array_handle *array = array_check_writable(L, 1);
  uint64_t i = check_index(L, 2, array);
  uint64_t old = number_check(L, 3, array->span.type), new = number_check(L, 4, array->span.type);
  lua_pushboolean(L, span_cas(&array->span, i, old, new));
  return 1;
}

/* ---- many elements ---- */

/* get([i [, j]]): a list. */
static int array_m_get(lua_State *L) {
  struct array_handle *array = array_check(L, 1);
  uint64_t first;
  struct span part = array_range(L, 2, array, &first);
  if (part.count > INT_MAX) return luaL_error(L, "too many elements for a list");
  lua_createtable(L, (int)part.count, 0);
  array_stay(L, array);
  for (uint64_t k = 0; k < part.count; k++) {
    number_push(L, part.type, span_load(&part, k));
    lua_rawseti(L, -2, (lua_Integer)k + 1);
  }
  return 1;
}

/* The elements to be set at an argument: of a list, a string of bytes, or another Array. */
static struct span read_elements(lua_State *L, int arg, const struct number *type) {
  struct array_handle *from = as_array(L, arg);
  if (from) {
    from = array_check(L, arg);
    if (from->span.type->kind != type->kind)
      luaL_argerror(L, arg,
                    lua_pushfstring(L, "Array of type '%c' expected, got '%c'", type->letter,
                                    from->span.type->letter));
    return from->span;
  }
  if (lua_type(L, arg) == LUA_TSTRING && type->bytes == 1 && type->kind != NUMBER_BOOL) {
    size_t size;
    const char *bytes = lua_tolstring(L, arg, &size);
    return (struct span){(char *)(uintptr_t)bytes, size, type};
  }
  if (lua_type(L, arg) != LUA_TTABLE)
    luaL_argerror(L, arg, lua_pushfstring(L, "list expected, got %s", luaL_typename(L, arg)));
  return read_list(L, arg, type);
}

/* set(i, list): writes from element i on. */
static int array_m_set(lua_State *L) {
  struct array_handle *array = array_check_writable(L, 1);
  lua_Integer i = luaL_checkinteger(L, 2);
  struct span from = read_elements(L, 3, array->span.type);
  array = array_check_writable(L, 1); /* reading the list may have run Lua code */
  uint64_t count = array->span.count;
  if (i < 1 || (uint64_t)i > count + 1) return out_of_bounds(L, 2, i, count);
  if (from.count > count + 1 - (uint64_t)i)
    return luaL_argerror(L, 3,
                         lua_pushfstring(L, "%I elements, there is room for %I",
                                         (lua_Integer)from.count,
                                         (lua_Integer)(count + 1 - (uint64_t)i)));
  struct span to = span_part(array->span, (uint64_t)i - 1, from.count);
  span_copy(&to, &from);
  return 0;
}

/* fill(x [, i [, j]]) */
static int array_m_fill(lua_State *L) {
  struct array_handle *array = array_check_writable(L, 1);
  uint64_t first, bits = number_check(L, 2, array->span.type);
  struct span part = array_range(L, 3, array, &first);
  span_fill(&part, bits);
  return 0;
}

static int array_m_sum(lua_State *L) {
  struct array_handle *array = array_check(L, 1);
  uint64_t first;
  struct span part = array_range(L, 2, array, &first);
  uint64_t sum = span_sum(&part);
  if (part.type->is_float)
    lua_pushnumber(L, number_float(sum));
  else
    lua_pushinteger(L, (lua_Integer)sum);
  return 1;
}

static int best(lua_State *L, uint64_t of(const struct span *)) {
  struct array_handle *array = array_check(L, 1);
  uint64_t first;
  check_arithmetic(L, array);
  struct span part = array_range(L, 2, array, &first);
  if (part.count == 0) return 0;
  return number_push(L, part.type, of(&part));
}

static int array_m_min(lua_State *L) {
  return best(L, span_min);
}
static int array_m_max(lua_State *L) {
  return best(L, span_max);
}

/* ---- as a Lua value ---- */

static int array_next(lua_State *L) {
  struct array_handle *array = array_check(L, 1);
  lua_Integer i = luaL_checkinteger(L, 2);
  if ((uint64_t)i >= array->span.count) return 0;
  lua_pushinteger(L, i + 1);
  return 1 + number_push(L, array->span.type, span_load(&array->span, (uint64_t)i));
}

static int array_pairs(lua_State *L) {
  array_check(L, 1);
  lua_pushcfunction(L, array_next);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, 0);
  return 3;
}

static int array_tostring(lua_State *L) {
  struct array_handle *array = luaL_checkudata(L, 1, bind_array_class);
  uint64_t object = array->handle.object;
  if (object == 0) {
    lua_pushliteral(L, "Array (closed handle)");
    return 1;
  }
  const char *part = block_at(object)->kind == BLOCK_SLICE ? ", a slice" : "";
  if (!array->ready && settle(array) < 0)
    lua_pushfstring(L, "map_file('%s', not mapped here%s)", path_of(object), part);
  else if (array->file)
    lua_pushfstring(L, "map_file('%s', %I%s)", path_of(object), (lua_Integer)array->span.count,
                    part);
  else
    lua_pushfstring(L, "Array('%c', %I%s)", array->span.type->letter,
                    (lua_Integer)array->span.count, part);
  return 1;
}

void bind_array(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"get", array_m_get},   {"set", array_m_set}, {"fill", array_m_fill},
      {"add", array_m_add},   {"cas", array_m_cas}, {"sum", array_m_sum},
      {"min", array_m_min},   {"max", array_m_max}, {"slice", array_m_slice},
      {"close", array_close}, {NULL, NULL},
  };
  static const luaL_Reg events[] = {
      {"__newindex", array_newindex}, {"__len", array_len}, {"__pairs", array_pairs},
      {"__tostring", array_tostring}, {NULL, NULL},
  };
  bind_class(L, bind_array_class, methods, array_close);
  luaL_getmetatable(L, bind_array_class);
  luaL_setfuncs(L, events, 0);
  lua_getfield(L, -1, "__index");
  file_methods(L);
  lua_pushcclosure(L, array_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushcfunction(L, array_create);
  lua_setfield(L, -2, "array");
}
