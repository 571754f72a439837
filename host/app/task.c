/* Pools and futures from C. */
#include "app/shared.h"
#include "app/value.h"

static int do_open(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  if ((order->rc = shared_push_constructor(L, "Pool")) < 0) return 0;
  if (order->size) lua_pushinteger(L, (lua_Integer)order->size);
  lua_call(L, order->size ? 1 : 0, 1);
  *order->ref = value_refer(L, order->host);
  return 0;
}

int mph_pool_open(mph_host *h, int workers, mph_ref *pool) {
  if (pool) *pool = 0;
  struct order order = {.size = (size_t)workers, .ref = pool};
  return host_run(h, pool && workers >= 0, do_open, &order);
}

/* Pushes method, pool and function: 0, or a code. */
static int push_call(lua_State *L, const struct order *order) {
  int rc = shared_check_process();
  if (rc == 0) rc = value_push_kind(L, order->object, MPH_KIND_POOL);
  if (rc < 0) return rc;
  lua_getfield(L, -1, order->text);
  lua_insert(L, -2);
  if (lua_isnil(L, -2)) return MPH_EUNAVAILABLE;
  return value_push_kind(L, order->function, MPH_KIND_FUNCTION);
}

static bool is_open(lua_State *L) {
  lua_getfield(L, -2, "_state");
  const char *state = lua_tostring(L, -1);
  bool open = !state || (state[0] == 'o' && state[1] == 'p');
  lua_pop(L, 1);
  return open;
}

static int push_items(lua_State *L, const struct order *order) {
  lua_createtable(L, (int)order->nargs, 1);
  for (size_t i = 0; i < order->nargs; i++) {
    int rc = value_push(L, &order->args[i]);
    if (rc < 0) return rc;
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_pushinteger(L, (lua_Integer)order->nargs);
  lua_setfield(L, -2, "n");
  return 0;
}

static int do_map(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  if ((order->rc = push_call(L, order)) < 0) return 0;
  if (!is_open(L) && (order->rc = MPH_ECLOSED) < 0) return 0;
  if ((order->rc = push_items(L, order)) < 0) return 0;
  lua_call(L, 3, 1);
  value_begin(L);
  for (size_t i = 0; i < order->nresults; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i + 1);
    value_read(L, order->host, -1, &order->results[i]);
    lua_pop(L, 1);
  }
  return 0;
}

int mph_map(mph_host *h, mph_ref pool, mph_ref f, const mph_value *items, size_t n,
            mph_value *results) {
  int rc = host_enter(h, n == 0 || (items && n <= INT32_MAX));
  if (rc < 0) return rc;
  struct order order = {.object = pool,
                        .function = f,
                        .text = "map",
                        .args = items,
                        .nargs = n,
                        .results = results,
                        .nresults = results ? n : 0};
  rc = host_do(h, do_map, &order);
  for (size_t i = 0; rc < 0 && i < order.nresults; i++) results[i] = mph_nil();
  return host_leave(h, rc);
}

static int do_submit(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  if ((order->rc = push_call(L, order)) < 0) return 0;
  if (!is_open(L) && (order->rc = MPH_ECLOSED) < 0) return 0;
  if ((order->rc = value_push_all(L, order->args, order->nargs)) < 0) return 0;
  lua_call(L, (int)order->nargs + 2, 1);
  *order->ref = value_refer(L, order->host);
  return 0;
}

int mph_submit(mph_host *h, mph_ref pool, mph_ref f, const mph_value *args, int nargs,
               mph_ref *future) {
  if (future) *future = 0;
  struct order order = {.object = pool,
                        .function = f,
                        .text = "submit",
                        .args = args,
                        .nargs = (size_t)nargs,
                        .ref = future};
  return host_run(h, future && nargs >= 0 && (nargs == 0 || args), do_submit, &order);
}

/* A method of a future or pool that answers with one value. */
static int ask(mph_host *h, mph_ref ref, int kind, const char *method, double timeout,
               mph_value *answer) {
  struct order order = {.object = ref,
                        .kind = kind,
                        .text = method,
                        .timeout = timeout,
                        .results = answer,
                        .nresults = answer != NULL};
  return host_do(h, shared_method, &order);
}

static int ask_whether(mph_host *h, mph_ref future, const char *method) {
  int rc = host_enter(h, true);
  if (rc < 0) return rc;
  mph_value answer = mph_nil();
  rc = ask(h, future, MPH_KIND_FUTURE, method, HOST_NO_TIMEOUT, &answer);
  return host_leave(
      h, rc < 0 ? rc : answer.type != MPH_NIL && (answer.type != MPH_BOOL || answer.boolean));
}

int mph_future_done(mph_host *h, mph_ref future) {
  return ask_whether(h, future, "done");
}

int mph_future_cancel(mph_host *h, mph_ref future) {
  return ask_whether(h, future, "cancel");
}

/* Waits first: what the task returned may look like a timeout. */
int mph_future_get(mph_host *h, mph_ref future, double timeout, mph_value *result) {
  if (result) *result = mph_nil();
  int rc = host_enter(h, result && shared_valid_timeout(timeout));
  if (rc < 0) return rc;
  rc = ask(h, future, MPH_KIND_FUTURE, "wait", timeout, NULL);
  if (rc >= 0) rc = ask(h, future, MPH_KIND_FUTURE, "get", HOST_NO_TIMEOUT, result);
  return host_leave(h, rc);
}

static int do_close(lua_State *L) {
  struct order *order = lua_touserdata(L, 1);
  if ((order->rc = shared_check_process()) < 0) return 0;
  if ((order->rc = value_push_kind(L, order->object, MPH_KIND_POOL)) < 0) return 0;
  lua_getfield(L, -1, order->text);
  lua_pushvalue(L, -2);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "join");
  lua_insert(L, -2);
  if (order->timeout >= 0) lua_pushnumber(L, order->timeout);
  lua_call(L, order->timeout >= 0 ? 2 : 1, 1);
  if (!lua_toboolean(L, -1)) order->rc = MPH_ETIMEDOUT;
  return 0;
}

int mph_pool_close(mph_host *h, mph_ref pool, double timeout) {
  struct order order = {.object = pool, .text = "close", .timeout = timeout};
  return host_run(h, shared_valid_timeout(timeout), do_close, &order);
}

int mph_pool_kill(mph_host *h, mph_ref pool) {
  struct order order = {.object = pool, .text = "terminate", .timeout = MPH_FOREVER};
  return host_run(h, true, do_close, &order);
}
