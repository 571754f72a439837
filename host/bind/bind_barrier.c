/* core.barrier: barriers, and their actions.

   In the process that made the barrier and in its children the action is the function itself, the
   handle's user value. Elsewhere it is decoded from the bytes that the barrier keeps, once a
   handle: a function, or the text of why it could not be encoded. */
#include <errno.h>
#include <string.h>

#include "bind/parcel.h"
#include "bind/sync.h"
#include "os/clock.h"
#include "shm/barrier.h"
#include "shm/family.h"
#include "shm/object.h"

#define ACTING "mphost.core.Acting"

static struct barrier *check(lua_State *L) {
  return heap_payload(handle_check(L, 1, bind_barrier_class)->object);
}

/* ---- making one ---- */

static int encode_action(lua_State *L) {
  struct parcel *parcel = parcel_open(L);
  size_t size = parcel_encode(L, parcel, 1);
  uint64_t block = parcel_block(parcel, size);
  parcel_close(parcel);
  if (!block) return bind_fail(L, -ENOMEM);
  lua_pushinteger(L, (lua_Integer)block);
  return 1;
}

/* A block of the ledger with the value at index, or with the reason why it cannot be sent; 0: no
 * memory for either. */
static uint64_t action_block(lua_State *L, int index) {
  int top = lua_gettop(L);
  uint64_t block = 0;
  lua_pushvalue(L, index);
  for (int i = 0; i < 2 && !block; i++) {
    lua_pushcfunction(L, encode_action);
    lua_insert(L, -2);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK)
      block = (uint64_t)lua_tointeger(L, -1);
    else
      luaL_tolstring(L, -1, NULL);
  }
  lua_settop(L, top);
  return block;
}

/* barrier(parties, action or nil, timeout or nil) */
static int barrier_create(lua_State *L) {
  lua_Integer parties = luaL_checkinteger(L, 1);
  luaL_argcheck(L, parties >= 1 && parties <= BARRIER_MOST, 1, "number of parties out of range");
  if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_Number timeout = luaL_optnumber(L, 3, 0);
  luaL_argcheck(L, timeout == timeout, 3, "a number of seconds expected, got nan");
  lua_settop(L, 3);
  struct handle *handle = handle_new(L, bind_barrier_class);
  uint64_t hold, block = barrier_new((uint32_t)parties, family_ledger(), &hold);
  sync_open(L, handle, block, hold);
  struct barrier *b = heap_payload(block);
  if (!lua_isnoneornil(L, 3) && timeout < 9e9)
    b->patience = timeout > 0 ? (uint64_t)(timeout * 1e9) + 1 : 1;
  if (lua_isnil(L, 2)) return 1;
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 4, 1);
  uint64_t action = action_block(L, 2);
  if (!action) return bind_fail(L, -ENOMEM);
  object_move(action, &block_at(block)->owned);
  b->action = action;
  return 1;
}

/* ---- the action ---- */

/* Pushes the action for this process; raises when it cannot be had. */
static void push_action(lua_State *L, const struct barrier *b) {
  if (lua_getiuservalue(L, 1, 1) == LUA_TFUNCTION) return;
  lua_pop(L, 1);
  parcel_unpack(L, b->action, 1);
  if (!lua_isfunction(L, -1))
    luaL_error(L, "the barrier's action cannot be had in this process: %s", lua_tostring(L, -1));
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, 1);
}

/* A round whose action may have to run: however that is left, the round is decided. */
struct acting {
  struct arrival arrival;
  struct barrier *barrier;
  uint64_t hold;      /* the action may close the handle; 0: dropped */
  int slot;           /* a child that the action forks does not decide */
  enum ending ending; /* BARRIER_PENDING: not yet */
};

static void end_acting(struct acting *acting, enum ending ending) {
  if (acting->slot != family_index() || !acting->hold) return;
  if (acting->ending == BARRIER_PENDING)
    acting->ending = barrier_end(acting->barrier, &acting->arrival, ending);
  object_drop(acting->hold);
  acting->hold = 0;
}

static int acting_close(lua_State *L) {
  end_acting(luaL_checkudata(L, 1, ACTING), BARRIER_FAILED);
  return 0;
}

/* ---- waiting ---- */

static const char *const reasons[] = {
    [BARRIER_RESET] = "the barrier was reset",
    [BARRIER_TIMED_OUT] = "the barrier is broken: another party's time was over",
    [BARRIER_GONE] = "the barrier is broken: a party died",
    [BARRIER_ABORTED] = "the barrier is broken: it was aborted",
    [BARRIER_FAILED] = "the barrier is broken: its action raised an error",
};

static int answer(lua_State *L, enum ending ending, uint32_t index) {
  if (ending == BARRIER_PASSED) {
    lua_pushinteger(L, index);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, reasons[ending]);
  lua_pushstring(L, ending == BARRIER_GONE ? "gone" : "cancelled");
  return 3;
}

static int acted(lua_State *L, int status, lua_KContext context) {
  struct acting *acting = (struct acting *)context;
  (void)status;
  end_acting(acting, BARRIER_PASSED);
  return answer(L, acting->ending, acting->arrival.index);
}

/* The last party: runs the action and ends the round. */
static int act(lua_State *L, struct barrier *b, const struct arrival *arrival) {
  struct acting *acting = lua_touserdata(L, 3);
  acting->arrival = *arrival;
  acting->ending = BARRIER_PENDING;
  push_action(L, b);
  lua_callk(L, 0, 0, (lua_KContext)acting, acted);
  return acted(L, LUA_OK, (lua_KContext)acting);
}

/* Before it arrives, so that no lack of memory can come between arrival and decision. */
static void push_acting(lua_State *L, struct barrier *b) {
  uint64_t object = ((struct handle *)lua_touserdata(L, 1))->object;
  struct acting *acting = lua_newuserdatauv(L, sizeof *acting, 0);
  *acting = (struct acting){.barrier = b, .slot = family_index(), .ending = BARRIER_PASSED};
  luaL_setmetatable(L, ACTING);
  acting->hold = object_hold(object, family_ledger());
  if (!acting->hold) bind_fail(L, -ENOMEM);
  lua_toclose(L, -1);
}

/* wait([timeout]): the place in the order of arrival, 1..parties. */
static int barrier_m_wait(lua_State *L) {
  struct barrier *b = check(L);
  int64_t deadline = bind_deadline(L, 2);
  if (lua_isnoneornil(L, 2) && b->patience) deadline = clock_deadline((double)b->patience / 1e9);
  lua_settop(L, 2);
  luaL_checkstack(L, 8, NULL);
  if (b->action) push_acting(L, b);
  struct arrival arrival;
  int rc;
  if (b->action)
    sync_retry(L, rc, barrier_arrive(b, &arrival, deadline));
  else
    sync_retry(L, rc, barrier_meet(b, &arrival, deadline));
  if (rc == 1) return answer(L, BARRIER_PASSED, arrival.index);
  if (rc == -ECANCELED) {
    enum ending why = barrier_state(b);
    return answer(L, why < BARRIER_TIMED_OUT ? BARRIER_RESET : why, 0);
  }
  if (rc < 0) return bind_fail(L, rc);
  if (arrival.index == b->parties) return act(L, b, &arrival);
  while ((rc = barrier_await(b, &arrival, deadline)) == -EINTR) {
    if (sync_again(L)) continue;
    barrier_give_up(b, &arrival);
    return lua_error(L);
  }
  return rc < 0 ? bind_fail(L, rc) : answer(L, (enum ending)rc, arrival.index);
}

static int barrier_m_reset(lua_State *L) {
  barrier_reset(check(L));
  return 0;
}

static int barrier_m_abort(lua_State *L) {
  barrier_abort(check(L));
  return 0;
}

static int barrier_close(lua_State *L) {
  luaL_checkudata(L, 1, bind_barrier_class);
  return handle_close(L);
}

/* Upvalue: the methods. */
static int barrier_index(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  const char *field = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (strcmp(field, "parties") == 0)
    lua_pushinteger(L, check(L)->parties);
  else if (strcmp(field, "n_waiting") == 0)
    lua_pushinteger(L, barrier_waiting(check(L)));
  else if (strcmp(field, "broken") == 0)
    lua_pushboolean(L, barrier_state(check(L)) >= BARRIER_TIMED_OUT);
  else
    lua_pushnil(L);
  return 1;
}

static int barrier_tostring(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_barrier_class);
  if (handle->object == 0) {
    lua_pushliteral(L, "Barrier (closed handle)");
    return 1;
  }
  struct barrier *b = heap_payload(handle->object);
  lua_pushfstring(L, "Barrier #%I (%s%d of %d)", (lua_Integer)handle->object,
                  barrier_state(b) >= BARRIER_TIMED_OUT ? "broken, " : "", (int)barrier_waiting(b),
                  (int)b->parties);
  return 1;
}

void bind_barrier(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"wait", barrier_m_wait},
      {"reset", barrier_m_reset},
      {"abort", barrier_m_abort},
      {"close", barrier_close},
      {NULL, NULL},
  };
  static const luaL_Reg none[] = {{NULL, NULL}};
  bind_class(L, ACTING, none, acting_close);
  bind_class(L, bind_barrier_class, methods, barrier_close);
  luaL_getmetatable(L, bind_barrier_class);
  lua_getfield(L, -1, "__index");
  lua_pushcclosure(L, barrier_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, barrier_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
  lua_pushcfunction(L, barrier_create);
  lua_setfield(L, -2, "barrier");
}
