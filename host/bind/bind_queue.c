/* core.queue: queues of Lua values. */
#include <errno.h>

#include "bind/interrupt.h"
#include "bind/message.h"
#include "os/clock.h"
#include "shm/family.h"

static uint64_t check(lua_State *L) {
  return handle_check(L, 1, bind_queue_class)->object;
}

/* With timeout 0 the answer names the state, not the clock. */
static int fail(lua_State *L, int rc, int64_t deadline, const char *state) {
  if (rc != -EAGAIN && !(rc == -ETIMEDOUT && deadline == 0)) return bind_fail(L, rc);
  lua_pushnil(L);
  lua_pushfstring(L, "the queue is %s", state);
  lua_pushstring(L, state);
  return 3;
}

static int queue_create(lua_State *L) {
  lua_Integer capacity = luaL_optinteger(L, 1, 0);
  int redeliver = lua_toboolean(L, 2);
  luaL_argcheck(L, capacity >= 0 && capacity < 1 << 30, 1, "capacity out of range");
  struct handle *handle = handle_new(L, bind_queue_class);
  uint64_t hold, queue = queue_new((uint64_t)capacity, redeliver, family_ledger(), &hold);
  if (!queue) return bind_fail(L, -ENOMEM);
  handle_open(L, handle, queue, hold);
  return 1;
}

static int put(lua_State *L, int64_t deadline) {
  uint64_t queue = check(L);
  if (lua_isnoneornil(L, 2)) return luaL_argerror(L, 2, "nil cannot be put; mp.null stands for it");
  int rc = message_put(L, queue, 2, deadline);
  if (rc < 0) return fail(L, rc, deadline, "full");
  lua_pushboolean(L, 1);
  return 1;
}

static int queue_m_put(lua_State *L) {
  return put(L, bind_deadline(L, 3));
}

static int queue_m_try_put(lua_State *L) {
  return put(L, 0);
}

static int queue_m_get(lua_State *L) {
  uint64_t queue = check(L);
  int64_t deadline = bind_deadline(L, 2);
  int rc = message_get(L, queue, deadline);
  return rc < 0 ? fail(L, rc, deadline, "empty") : 1;
}

static int queue_m_try_get(lua_State *L) {
  int rc = message_get(L, check(L), 0);
  return rc < 0 ? fail(L, rc, 0, "empty") : 1;
}

/* put_many(list [, timeout]): how many went in; when not all did, also the message and name of why.
 * What cannot be sent raises before any is put. */
static int queue_m_put_many(lua_State *L) {
  uint64_t queue = check(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  int64_t deadline = bind_deadline(L, 3);
  lua_Integer n = luaL_len(L, 2);
  luaL_argcheck(L, n >= 0 && n <= INT32_MAX, 2, "its length is out of range");
  int rc;
  lua_settop(L, 3);
  size_t put = n > 0 ? message_put_many(L, queue, 2, (size_t)n, deadline, &rc) : 0;
  int results = put == (size_t)n ? 1 : fail(L, rc, deadline, "full");
  if (results == 1) lua_pushnil(L);
  lua_pushinteger(L, (lua_Integer)put);
  lua_replace(L, -results - 1);
  return results;
}

/* get_many(max [, timeout]): waits for the first, takes what is there up to max. When some of them
 * could not be decoded here, the second result says why. */
static int queue_m_get_many(lua_State *L) {
  uint64_t queue = check(L);
  lua_Integer most = luaL_checkinteger(L, 2);
  luaL_argcheck(L, most >= 1, 2, "at least 1 expected");
  int64_t deadline = bind_deadline(L, 3);
  lua_settop(L, 3);
  lua_newtable(L);
  lua_Integer n = 0, got = 0;
  int bad = 0, rc;
  do {
    rc = message_get_many(L, queue, 4, &n, (size_t)(most - got), got ? 0 : deadline, &bad);
    if (rc > 0) got += rc;
  } while (rc > 0 && got < most);
  if (got == 0 && !bad) return fail(L, rc, deadline, "empty");
  if (rc == 0 && got == 0)
    return bind_raise(L); /* no memory for the first: it is in the queue again */
  if (!bad) lua_settop(L, 4);
  return 1 + bad;
}

static int queue_m_close(lua_State *L) {
  queue_close(check(L));
  return 0;
}

static int queue_m_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)queue_length(check(L)));
  return 1;
}

static int queue_m_empty(lua_State *L) {
  lua_pushboolean(L, queue_length(check(L)) == 0);
  return 1;
}

static int queue_m_full(lua_State *L) {
  uint64_t queue = check(L), capacity = queue_capacity(queue);
  lua_pushboolean(L, capacity && queue_length(queue) >= capacity);
  return 1;
}

static int queue_m_task_done(lua_State *L) {
  uint64_t queue = check(L);
  if (queue_task_done(queue) < 0)
    return luaL_error(L, queue_redelivers(queue)
                             ? "task_done was called, but this process has no message in hand"
                             : "task_done was called more often than messages were put");
  return 0;
}

static int queue_m_wait_done(lua_State *L) {
  uint64_t queue = check(L);
  int64_t deadline = bind_deadline(L, 2);
  int rc;
  do rc = queue_wait_done(queue, deadline);
  while (interrupt_again(L, rc));
  if (rc < 0) return bind_fail(L, rc);
  lua_pushboolean(L, 1);
  return 1;
}

/* Upvalue: the handle. It is given to whoever asks for an iterator and nothing else. */
static int iterate(lua_State *L) {
  const struct handle *handle = lua_touserdata(L, lua_upvalueindex(1));
  if (handle->object == 0) return bind_closed(L, 0, handle->class);
  bind_check_family(L);
  int rc = message_get(L, handle->object, CLOCK_NEVER);
  if (rc == -EPIPE) return 0;
  return rc < 0 ? bind_fail(L, rc) : 1;
}

static int queue_m_iter(lua_State *L) {
  check(L);
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, iterate, 1);
  return 1;
}

static int queue_m_tostring(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_queue_class);
  if (handle->object == 0)
    lua_pushliteral(L, "Queue (closed handle)");
  else
    lua_pushfstring(L, "Queue #%I (%I messages%s)", (lua_Integer)handle->object,
                    (lua_Integer)queue_length(handle->object),
                    queue_is_closed(handle->object) ? ", closed" : "");
  return 1;
}

/* Whether a get would not wait: for mp.wait. */
static int queue_m_ready(lua_State *L) {
  lua_pushboolean(L, queue_is_ready(check(L)));
  return 1;
}

/* The same, and the next message rings the bell: for event loops. */
static int queue_m_listen(lua_State *L) {
  queue_listen(check(L));
  return queue_m_ready(L);
}

void bind_queue(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"put", queue_m_put},
      {"try_put", queue_m_try_put},
      {"get", queue_m_get},
      {"try_get", queue_m_try_get},
      {"put_many", queue_m_put_many},
      {"get_many", queue_m_get_many},
      {"close", queue_m_close},
      {"empty", queue_m_empty},
      {"full", queue_m_full},
      {"task_done", queue_m_task_done},
      {"wait_done", queue_m_wait_done},
      {"iter", queue_m_iter},
      {"_ready", queue_m_ready},
      {"_listen", queue_m_listen},
      {NULL, NULL},
  };
  bind_class(L, bind_queue_class, methods, handle_close);
  bind_metamethod(L, bind_queue_class, "__len", queue_m_len);
  bind_metamethod(L, bind_queue_class, "__tostring", queue_m_tostring);
  lua_pushcfunction(L, queue_create);
  lua_setfield(L, -2, "queue");
}
