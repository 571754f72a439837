/* core.event: flags that processes wait for. */
#include <errno.h>

#include "bind/sync.h"
#include "os/clock.h"
#include "shm/event.h"
#include "shm/family.h"

static struct event *check(lua_State *L) {
  return heap_payload(handle_check(L, 1, bind_event_class)->object);
}

static int event_create(lua_State *L) {
  struct handle *handle = handle_new(L, bind_event_class);
  uint64_t hold, event = event_new(family_ledger(), &hold);
  sync_open(L, handle, event, hold);
  return 1;
}

static int event_m_set(lua_State *L) {
  event_set(check(L));
  return 0;
}

static int event_m_clear(lua_State *L) {
  event_clear(check(L));
  return 0;
}

static int event_m_is_set(lua_State *L) {
  lua_pushboolean(L, event_is_set(check(L)));
  return 1;
}

/* wait([timeout]) */
static int event_m_wait(lua_State *L) {
  struct event *event = check(L);
  int64_t deadline = bind_deadline(L, 2);
  uint32_t since = event_now(event);
  int rc;
  sync_retry(L, rc, event_wait(event, since, deadline));
  return sync_true(L, rc);
}

static int event_close(lua_State *L) {
  luaL_checkudata(L, 1, bind_event_class);
  return handle_close(L);
}

static int event_tostring(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_event_class);
  if (handle->object)
    lua_pushfstring(L, "Event #%I (%s)", (lua_Integer)handle->object,
                    event_is_set(heap_payload(handle->object)) ? "set" : "not set");
  else
    lua_pushliteral(L, "Event (closed handle)");
  return 1;
}

void bind_event(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"set", event_m_set},   {"clear", event_m_clear}, {"is_set", event_m_is_set},
      {"wait", event_m_wait}, {"close", event_close},   {NULL, NULL},
  };
  bind_class(L, bind_event_class, methods, event_close);
  bind_metamethod(L, bind_event_class, "__tostring", event_tostring);
  lua_pushcfunction(L, event_create);
  lua_setfield(L, -2, "event");
}
