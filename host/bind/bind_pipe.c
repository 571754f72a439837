/* core.pipe: connections, the two ends of pipes. */
#include <errno.h>

#include "bind/message.h"
#include "os/clock.h"
#include "shm/family.h"
#include "shm/pipe.h"
#include "shm/queue.h"

static uint64_t check(lua_State *L) {
  return handle_check(L, 1, bind_pipe_class)->object;
}

/* The queue that this end reads. */
static uint64_t check_in(lua_State *L) {
  uint64_t in = pipe_end(check(L))->in;
  if (!in) luaL_error(L, "this end of the pipe only sends");
  return in;
}

static int pipe_create(lua_State *L) {
  uint64_t end[2], hold[2];
  struct handle *first = handle_new(L, bind_pipe_class), *second = handle_new(L, bind_pipe_class);
  int rc = pipe_new(lua_toboolean(L, 1), family_ledger(), end, hold);
  if (rc < 0) return bind_fail(L, rc);
  lua_pushvalue(L, -2);
  handle_open(L, first, end[0], hold[0]);
  lua_pop(L, 1);
  handle_open(L, second, end[1], hold[1]);
  return 2;
}

static int pipe_m_send(lua_State *L) {
  uint64_t out = pipe_end(check(L))->out;
  if (!out) return luaL_error(L, "this end of the pipe only receives");
  if (lua_isnoneornil(L, 2))
    return luaL_argerror(L, 2, "nil cannot be sent; mp.null stands for it");
  int rc = message_put(L, out, 2, CLOCK_NEVER);
  if (rc < 0) return bind_fail(L, rc);
  lua_pushboolean(L, 1);
  return 1;
}

/* After a wait in vain: whether nothing will ever come. */
static int is_over(uint64_t end) {
  family_bury();
  uint64_t in = pipe_end(end)->in;
  return queue_is_closed(in) && queue_length(in) == 0;
}

/* Who waits without a deadline and is the only one that has the other end, too, waits for itself.
   An end that a forked child only inherited, and that all others have given up, it gives up as
   well: then the pipe is closed, 1. Otherwise the end is open, what this process sends by it later
   will come, and to wait for it now is a mistake. */
static int check_deadlock(lua_State *L, uint64_t end) {
  struct handle *peer = handle_of(L, pipe_end(end)->peer);
  if (!peer || !pipe_is_lonely(end, 1) || queue_length(pipe_end(end)->in) > 0) return 0;
  if (peer->slot == family_index())
    return luaL_error(L, "deadlock: only this process has the pipe's other end and would wait for "
                         "itself for ever (close that end here when others have it)");
  peer->object = 0;
  handle_drop(peer->hold, peer->slot);
  return 1;
}

static int pipe_m_recv(lua_State *L) {
  uint64_t in = check_in(L), end = check(L);
  int64_t deadline = bind_deadline(L, 2);
  for (;;) {
    int rc = message_get(L, in, clock_slice(deadline));
    if (rc == 0) return 1;
    if (rc != -ETIMEDOUT && rc != -EAGAIN) return bind_fail(L, rc);
    if (is_over(end)) return bind_fail(L, -EPIPE);
    if (deadline == CLOCK_NEVER && check_deadlock(L, end)) return bind_fail(L, -EPIPE);
    if (clock_now() >= deadline) return bind_fail(L, -ETIMEDOUT);
  }
}

/* Whether recv would return at once: a message is there, or none will ever come. */
static int pipe_m_poll(lua_State *L) {
  uint64_t in = check_in(L), end = check(L);
  int64_t deadline = lua_isnoneornil(L, 2) ? 0 : bind_deadline(L, 2);
  int ready = queue_is_ready(in);
  while (!ready && !(ready = is_over(end)) && clock_now() < deadline) {
    ready = queue_wait(in, clock_slice(deadline)) == 0;
    if (!ready && deadline == CLOCK_NEVER) ready = check_deadlock(L, end);
  }
  lua_pushboolean(L, ready);
  return 1;
}

static int pipe_m_close(lua_State *L) {
  luaL_checkudata(L, 1, bind_pipe_class);
  return handle_close(L);
}

static int pipe_m_readable(lua_State *L) {
  lua_pushboolean(L, pipe_end(check(L))->in != 0);
  return 1;
}

static int pipe_m_writable(lua_State *L) {
  lua_pushboolean(L, pipe_end(check(L))->out != 0);
  return 1;
}

static int pipe_m_closed(lua_State *L) {
  lua_pushboolean(L, ((struct handle *)luaL_checkudata(L, 1, bind_pipe_class))->object == 0);
  return 1;
}

static int pipe_m_tostring(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_pipe_class);
  if (handle->object)
    lua_pushfstring(L, "Connection #%I", (lua_Integer)handle->object);
  else
    lua_pushliteral(L, "Connection (closed)");
  return 1;
}

/* Whether recv would not wait: for mp.wait. */
static int pipe_m_ready(lua_State *L) {
  uint64_t in = check_in(L);
  lua_pushboolean(L, queue_is_ready(in) || is_over(check(L)));
  return 1;
}

void bind_pipe(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"send", pipe_m_send},        {"recv", pipe_m_recv},         {"poll", pipe_m_poll},
      {"close", pipe_m_close},      {"readable", pipe_m_readable}, {"writable", pipe_m_writable},
      {"is_closed", pipe_m_closed}, {"_ready", pipe_m_ready},      {NULL, NULL},
  };
  bind_class(L, bind_pipe_class, methods, handle_close);
  bind_metamethod(L, bind_pipe_class, "__tostring", pipe_m_tostring);
  lua_pushcfunction(L, pipe_create);
  lua_setfield(L, -2, "pipe");
}
