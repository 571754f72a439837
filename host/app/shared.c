/* Queues, numbers and arrays from C: the objects of Lua, by their own methods. See shared.h. */
#include "app/shared.h"

#include <string.h>

#include "app/value.h"
#include "bind/std.h"
#include "shm/family.h"

int shared_code(const char *name, double timeout) {
  static const struct {
    const char *name;
    int rc;
  } codes[] = {
      {"timeout", MPH_ETIMEDOUT}, {"full", MPH_EAGAIN},         {"empty", MPH_EAGAIN},
      {"closed", MPH_ECLOSED},    {"cancelled", MPH_ECANCELED}, {"gone", MPH_EGONE},
  };
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (strcmp(codes[i].name, name) == 0)
      return codes[i].rc == MPH_ETIMEDOUT && timeout == 0 ? MPH_EAGAIN : codes[i].rc;
  return MPH_OK;
}

int shared_check_process(void) {
  return family_is_foreign() ? MPH_EFORK : MPH_OK;
}

/* nil, message, name from stack index `base` on: the code, its message noted. */
static int world_answer(lua_State *L, const struct order *order, int base) {
  if (lua_gettop(L) != base + 2 || !lua_isnil(L, base) || lua_type(L, base + 2) != LUA_TSTRING)
    return MPH_OK;
  int rc = shared_code(lua_tostring(L, base + 2), order->timeout);
  if (rc < 0) host_note(order->host, rc, lua_tostring(L, base + 1));
  return rc;
}

static int is_closed_pool(lua_State *L, const struct order *order) {
  if (order->kind != MPH_KIND_POOL) return 0;
  lua_getfield(L, -1, "_state");
  const char *state = lua_tostring(L, -1);
  int closed = state && strcmp(state, "open") != 0;
  lua_pop(L, 1);
  return closed;
}

int shared_method(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  if ((order->rc = shared_check_process()) < 0) return 0;
  if ((order->rc = value_push_kind(L, order->object, order->kind)) < 0) return 0;
  int base = lua_gettop(L), nargs = (int)order->nargs;
  if (is_closed_pool(L, order) && (order->rc = MPH_ECLOSED) < 0) return 0;
  lua_getfield(L, -1, order->text);
  lua_insert(L, -2);
  if ((order->rc = value_push_all(L, order->args, order->nargs)) < 0) return 0;
  if (order->timeout >= 0 && ++nargs) lua_pushnumber(L, order->timeout);
  lua_call(L, nargs + 1, LUA_MULTRET);
  if ((order->rc = world_answer(L, order, base)) < 0) return 0;
  value_begin(L);
  for (int i = 0; i < (int)order->nresults; i++)
    value_read(L, order->host, base + i, &order->results[i]);
  return 0;
}

int shared_push_constructor(lua_State *L, const char *name) {
  int rc = shared_check_process();
  if (rc < 0) return rc;
  std_push_field(L, "require");
  lua_pushliteral(L, "mphost");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
  return lua_isnil(L, -1) ? MPH_EUNAVAILABLE : MPH_OK;
}

/* mp.<text>(args...): a reference to what it makes. */
static int construct(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  if ((order->rc = shared_push_constructor(L, order->text)) < 0) return 0;
  if ((order->rc = value_push_all(L, order->args, order->nargs)) < 0) return 0;
  lua_call(L, (int)order->nargs, 1);
  *order->ref = value_refer(L, order->host);
  return 0;
}

static int make(mph_host *h, bool valid, const char *class, const mph_value *args, size_t nargs,
                mph_ref *ref) {
  if (ref) *ref = 0;
  struct order order = {.text = class, .args = args, .nargs = nargs, .ref = ref};
  return host_run(h, valid && ref, construct, &order);
}

/* One value back; `result` NULL: none. */
static int call_method(mph_host *h, bool valid, mph_ref object, int kind, const char *method,
                       const mph_value *args, size_t nargs, mph_value *result) {
  struct order order = {.object = object,
                        .kind = kind,
                        .text = method,
                        .args = args,
                        .nargs = nargs,
                        .timeout = HOST_NO_TIMEOUT,
                        .results = result,
                        .nresults = result != NULL};
  return host_run(h, valid, shared_method, &order);
}

/* ---- queues ---- */

int mph_queue_open(mph_host *h, size_t capacity, mph_ref *queue) {
  mph_value arg = mph_int((long long)capacity);
  return make(h, capacity<1u << 30, "Queue", &arg, capacity> 0, queue);
}

int mph_queue_put(mph_host *h, mph_ref queue, mph_value value, double timeout) {
  struct order order = {.object = queue,
                        .kind = MPH_KIND_QUEUE,
                        .text = "put",
                        .args = &value,
                        .nargs = 1,
                        .timeout = timeout};
  bool valid = value.type != MPH_NIL && shared_valid_timeout(timeout);
  return host_run(h, valid, shared_method, &order);
}

int mph_queue_put_bytes(mph_host *h, mph_ref queue, const void *data, size_t size, double timeout) {
  mph_value value = mph_bytes(data, size);
  if (!data && size) value = mph_nil();
  return mph_queue_put(h, queue, value, timeout);
}

int mph_queue_get(mph_host *h, mph_ref queue, mph_value *value, double timeout) {
  if (value) *value = mph_nil();
  struct order order = {.object = queue,
                        .kind = MPH_KIND_QUEUE,
                        .text = "get",
                        .timeout = timeout,
                        .results = value,
                        .nresults = 1};
  return host_run(h, value && shared_valid_timeout(timeout), shared_method, &order);
}

/* The object's length, as an integer in order->results. */
static int do_length(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  if ((order->rc = shared_check_process()) < 0) return 0;
  if ((order->rc = value_push_kind(L, order->object, order->kind)) < 0) return 0;
  *order->results = mph_int(luaL_len(L, -1));
  return 0;
}

int mph_queue_length(mph_host *h, mph_ref queue) {
  mph_value n = mph_nil();
  struct order order = {.object = queue, .kind = MPH_KIND_QUEUE, .results = &n};
  int rc = host_run(h, true, do_length, &order);
  return rc < 0 ? rc : (int)n.integer;
}

int mph_queue_close(mph_host *h, mph_ref queue) {
  return call_method(h, true, queue, MPH_KIND_QUEUE, "close", NULL, 0, NULL);
}

/* ---- numbers ---- */

int mph_cell_open(mph_host *h, char type, mph_value init, mph_ref *cell) {
  mph_value args[] = {mph_bytes(&type, 1), init};
  return make(h, type, "Value", args, 2, cell);
}

/* cell.value, read into results or set to args. */
static int do_cell(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  if ((order->rc = shared_check_process()) < 0) return 0;
  if ((order->rc = value_push_kind(L, order->object, MPH_KIND_CELL)) < 0) return 0;
  if (order->args) {
    order->rc = value_push(L, order->args);
    if (order->rc == 0) lua_setfield(L, -2, "value");
  } else {
    lua_getfield(L, -1, "value");
    value_read(L, order->host, -1, order->results);
  }
  return 0;
}

int mph_cell_load(mph_host *h, mph_ref cell, mph_value *value) {
  if (value) *value = mph_nil();
  struct order order = {.object = cell, .results = value};
  return host_run(h, value, do_cell, &order);
}

int mph_cell_store(mph_host *h, mph_ref cell, mph_value value) {
  struct order order = {.object = cell, .args = &value};
  return host_run(h, true, do_cell, &order);
}

int mph_cell_add(mph_host *h, mph_ref cell, mph_value value, mph_value *before) {
  if (before) *before = mph_nil();
  return call_method(h, true, cell, MPH_KIND_CELL, "add", &value, 1, before);
}

int mph_cell_cas(mph_host *h, mph_ref cell, mph_value old, mph_value value) {
  mph_value args[] = {old, value}, done = mph_nil();
  int rc = call_method(h, true, cell, MPH_KIND_CELL, "cas", args, 2, &done);
  return rc < 0 ? rc : done.boolean;
}

/* ---- arrays ---- */

int mph_array_open(mph_host *h, char type, size_t n, mph_ref *array) {
  mph_value args[] = {mph_bytes(&type, 1), mph_int((long long)n)};
  return make(h, type && n > 0 && n <= INT64_MAX, "Array", args, 2, array);
}

int mph_array_length(mph_host *h, mph_ref array, size_t *n) {
  mph_value length = mph_nil();
  struct order order = {.object = array, .kind = MPH_KIND_ARRAY, .results = &length};
  int rc = host_run(h, n, do_length, &order);
  if (rc >= 0) *n = (size_t)length.integer;
  return rc;
}

/* How many elements go through a Lua table at once. */
#define STRIDE 1024

struct span {
  mph_ref array;
  size_t first, n;
  double *out;
  const double *in;
};

/* a:get(from, to), a list, into out. */
static void read_part(lua_State *L, lua_Integer from, int n, double *out) {
  lua_getfield(L, 2, "get");
  lua_pushvalue(L, 2);
  lua_pushinteger(L, from);
  lua_pushinteger(L, from + n - 1);
  lua_call(L, 3, 1);
  for (int i = 0; i < n; i++) {
    bool is_boolean = lua_rawgeti(L, 3, i + 1) == LUA_TBOOLEAN;
    out[i] = is_boolean ? lua_toboolean(L, -1) : lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
}

/* a:set(from, list). Whole numbers go as integers, which is what integer types take. */
static void write_part(lua_State *L, lua_Integer from, int n, const double *in) {
  lua_getfield(L, 2, "set");
  lua_pushvalue(L, 2);
  lua_pushinteger(L, from);
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_Integer whole;
    if (lua_numbertointeger(in[i], &whole) && (double)whole == in[i])
      lua_pushinteger(L, whole);
    else
      lua_pushnumber(L, in[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_call(L, 3, 0);
}

static int do_span(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  struct span *span = order->user;
  if ((order->rc = shared_check_process()) < 0) return 0;
  if ((order->rc = value_push_kind(L, span->array, MPH_KIND_ARRAY)) < 0) return 0;
  luaL_checkstack(L, 8, NULL);
  size_t length = (size_t)luaL_len(L, 2);
  if (span->first > length || span->n > length - span->first)
    return luaL_error(L, "elements %I to %I of an array of %I", (lua_Integer)span->first,
                      (lua_Integer)(span->first + span->n), (lua_Integer)length);
  for (size_t at = 0; at < span->n;) {
    int n = span->n - at < STRIDE ? (int)(span->n - at) : STRIDE;
    lua_Integer from = (lua_Integer)(span->first + at) + 1;
    if (span->out)
      read_part(L, from, n, span->out + at);
    else
      write_part(L, from, n, span->in + at);
    lua_settop(L, 2);
    at += (size_t)n;
  }
  return 0;
}

int mph_array_read(mph_host *h, mph_ref array, size_t first, size_t n, double *values) {
  struct span span = {.array = array, .first = first, .n = n, .out = values};
  struct order order = {.user = &span};
  return host_run(h, n == 0 || values, do_span, &order);
}

int mph_array_write(mph_host *h, mph_ref array, size_t first, size_t n, const double *values) {
  struct span span = {.array = array, .first = first, .n = n, .in = values};
  struct order order = {.user = &span};
  return host_run(h, n == 0 || values, do_span, &order);
}
