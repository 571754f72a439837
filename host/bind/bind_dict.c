/* core.dict: shared hash tables. No Lua runs under a dict's locks: values are encoded before, and
   copied out or held and decoded after. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bind/parcel.h"
#include "shm/dict.h"
#include "shm/family.h"
#include "shm/object.h"

#define SNAPSHOT "mphost.core.snapshot"

static uint64_t check(lua_State *L) {
  return handle_check(L, 1, bind_dict_class)->object;
}

/* ---- keys and values between Lua and shm/dict.h ---- */

static int to_key(lua_State *L, int index, struct dict_key *key) {
  int whole;
  switch (lua_type(L, index)) {
  case LUA_TSTRING:
    key->kind = DICT_STRING;
    key->bytes = lua_tolstring(L, index, &key->size);
    return 1;
  case LUA_TNUMBER:
    key->kind = DICT_INTEGER;
    key->word = (uint64_t)lua_tointegerx(L, index, &whole); /* a float that is whole too */
    return whole;
  case LUA_TBOOLEAN:
    key->kind = DICT_BOOLEAN;
    key->word = (uint64_t)lua_toboolean(L, index);
    return 1;
  default: return 0;
  }
}

/* What is no key in an error's words. */
static const char *not_a_key(lua_State *L, int index) {
  const char *got = lua_type(L, index) == LUA_TNUMBER ? "a float with a fraction, inf or nan"
                                                      : luaL_typename(L, index);
  return lua_pushfstring(L, "key: string, integer or boolean expected, got %s", got);
}

static void check_key(lua_State *L, int arg, struct dict_key *key) {
  if (!to_key(L, arg, key)) luaL_argerror(L, arg, not_a_key(L, arg));
}

/* In d[k]: there is no argument to name. */
static void check_index(lua_State *L, struct dict_key *key) {
  if (!to_key(L, 2, key)) luaL_error(L, "a Dict's %s", not_a_key(L, 2));
}

static void push_key(lua_State *L, const struct dict_key *key) {
  if (key->kind == DICT_STRING)
    lua_pushlstring(L, key->bytes, key->size);
  else if (key->kind == DICT_INTEGER)
    lua_pushinteger(L, (lua_Integer)key->word);
  else
    lua_pushboolean(L, key->word != 0);
}

static void decode(lua_State *L, const struct dict_value *value) {
  codec_handles handles = bind_handles(NULL);
  int rc = codec_decode(L, value->bytes, value->size, NULL, 0, &handles);
  if (codec_told(rc)) bind_raise(L);
  if (rc < 0) luaL_error(L, "not enough memory");
}

static int decode_held(lua_State *L) {
  decode(L, lua_touserdata(L, 1));
  return 1;
}

/* Decodes what is held in place, and drops it also when that raises. */
static void push_held(lua_State *L, struct dict_value *value, int slot) {
  int status = LUA_ERRMEM, room = lua_checkstack(L, 4);
  if (room) {
    lua_pushcfunction(L, decode_held);
    lua_pushlightuserdata(L, value);
    status = lua_pcall(L, 1, 1, 0);
  }
  handle_drop(value->word, slot);
  if (!room) luaL_error(L, "stack overflow");
  if (status == LUA_ERRMEM) lua_error(L);
  if (status != LUA_OK) bind_raise(L);
}

/* Pushes a value, nil for nothing; what is held for it is a hold of the process of the slot. */
static void push_value(lua_State *L, struct dict_value *value, int slot) {
  double x;
  switch (value->kind) {
  case DICT_NOTHING: lua_pushnil(L); return;
  case DICT_NUMBER: lua_pushinteger(L, (lua_Integer)value->word); return;
  case DICT_FLOAT:
    memcpy(&x, &value->word, sizeof x);
    lua_pushnumber(L, x);
    return;
  case DICT_HELD: push_held(L, value, slot); return;
  default: decode(L, value);
  }
}

/* Looks the key up and pushes its value or nil. */
static void push_found(lua_State *L, uint64_t dict, const struct dict_key *key, uint64_t *seen) {
  struct dict_value value;
  char room[DICT_COPY];
  int rc = dict_get(dict, key, &value, room, seen);
  if (rc < 0) bind_fail(L, rc);
  push_value(L, &value, family_index());
}

static int is_number(lua_State *L, int index, struct dict_value *value) {
  if (lua_type(L, index) != LUA_TNUMBER) return 0;
  if (lua_isinteger(L, index)) {
    *value = (struct dict_value){.kind = DICT_NUMBER, .word = (uint64_t)lua_tointeger(L, index)};
  } else {
    double x = lua_tonumber(L, index);
    *value = (struct dict_value){.kind = DICT_FLOAT};
    memcpy(&value->word, &x, sizeof x);
  }
  return 1;
}

/* The encoded value as the dict takes it; what is large or carries handles as a hold on an object
 * of this process's. 0 or -ENOMEM. */
static int wrap(struct parcel *parcel, size_t size, struct dict_value *value) {
  *value = (struct dict_value){.kind = DICT_BYTES, .bytes = parcel_bytes(parcel), .size = size};
  if (parcel->carried == 0 && size <= DICT_COPY) return 0;
  uint64_t block = parcel_block(parcel, size);
  if (!block) return -ENOMEM;
  value->kind = DICT_HELD;
  value->word = object_share(block, family_ledger());
  if (value->word) return 0;
  object_drop(block);
  return -ENOMEM;
}

/* Puts the value at index, or deletes if it is nil: as dict_put does. The handle, at 1, is looked
 * at last: an encoder's __pack may have closed it. name: see parcel_encode_of. */
static int put(lua_State *L, const struct dict_key *key, int index, int name,
               const uint64_t *expected) {
  struct dict_value value = {.kind = DICT_NOTHING};
  if (lua_isnil(L, index) || is_number(L, index, &value))
    return dict_put(check(L), key, &value, expected);
  struct parcel *parcel = parcel_open(L);
  size_t size = parcel_encode_of(L, parcel, index, name);
  struct handle *handle = lua_touserdata(L, 1);
  int rc = handle->object ? wrap(parcel, size, &value) : -EBADF;
  if (rc == 0) {
    rc = dict_put(handle->object, key, &value, expected);
    if (rc < 0 && value.kind == DICT_HELD) object_drop(value.word);
  }
  parcel_close(parcel);
  if (rc == -EBADF) check(L);
  return rc;
}

/* ---- changes that an update has to know of ---- */

/* While handle->taken is not 0, the registry has, under an address inside of the handle, a table:
   how often this state changed each key through the handle, and under `everything` how often all of
   them. Nothing of it is there as long as nobody comes between an update's reading and writing. */
#define WATCH "mphost.core.Watch"
static const char everything;

static void *watched(struct handle *handle) {
  return &handle->taken;
}

/* Adds one to the field of the table on top whose key is at `index`, or to `everything` (0). */
static void count(lua_State *L, int index) {
  if (index)
    lua_pushvalue(L, index);
  else
    lua_pushlightuserdata(L, (void *)&everything);
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  lua_pushinteger(L, lua_tointeger(L, -1) + 1);
  lua_remove(L, -2);
  lua_rawset(L, -3);
}

/* The handle at 1 has changed the key at `index`, or all (0). */
static void note_change(lua_State *L, int index) {
  struct handle *handle = lua_touserdata(L, 1);
  if (__builtin_expect(handle->taken == 0, 1)) return;
  luaL_checkstack(L, 6, NULL);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, watched(handle)) == LUA_TTABLE) count(L, index);
  lua_pop(L, 1);
}

/* How often the key at 2 was changed. */
static lua_Integer changes_seen(lua_State *L) {
  luaL_checkstack(L, 6, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, watched(lua_touserdata(L, 1)));
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  lua_rawgetp(L, -2, &everything);
  lua_Integer changes = lua_tointeger(L, -1) + lua_tointeger(L, -2);
  lua_pop(L, 3);
  return changes;
}

static int end_watch(lua_State *L) {
  struct handle **of = luaL_checkudata(L, 1, WATCH);
  if (!*of) return 0;
  if (--(*of)->taken == 0) {
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, watched(*of));
  }
  *of = NULL;
  return 0;
}

/* From now until the calling function ends: in its slot 4, to be closed, with the handle at 1,
 * which is on that function's stack. */
static void begin_watch(lua_State *L) {
  struct handle *handle = lua_touserdata(L, 1), **of = lua_newuserdatauv(L, sizeof(void *), 0);
  *of = NULL;
  luaL_setmetatable(L, WATCH);
  lua_replace(L, 4);
  if (handle->taken == 0) {
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, watched(handle));
  }
  handle->taken++;
  *of = handle;
  lua_toclose(L, 4);
}

static int put_or_raise(lua_State *L, const struct dict_key *key, int index,
                        const uint64_t *expected) {
  int rc = put(L, key, index, 0, expected);
  if (rc < 0 && rc != -EAGAIN) bind_fail(L, rc);
  if (rc >= 0) note_change(L, 2);
  return rc;
}

/* ---- d[k] ---- */

/* Upvalue of both: the methods, which come before keys. */
static int dict_index(lua_State *L) {
  struct dict_key key;
  uint64_t dict = check(L);
  if (lua_type(L, 2) == LUA_TSTRING) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  }
  check_index(L, &key);
  push_found(L, dict, &key, NULL);
  return 1;
}

static int dict_newindex(lua_State *L) {
  struct dict_key key;
  check(L);
  if (lua_type(L, 2) == LUA_TSTRING) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
      return luaL_error(L, "'%s' is a method of Dict; d:set('%s', v) stores under that key",
                        lua_tostring(L, 2), lua_tostring(L, 2));
  }
  check_index(L, &key);
  put_or_raise(L, &key, 3, NULL);
  return 0;
}

/* ---- methods ---- */

/* get(k [, default]) */
static int dict_m_get(lua_State *L) {
  struct dict_key key;
  uint64_t dict = check(L);
  check_key(L, 2, &key);
  lua_settop(L, 3);
  push_found(L, dict, &key, NULL);
  if (lua_isnil(L, -1)) lua_pushvalue(L, 3);
  return 1;
}

static int dict_m_set(lua_State *L) {
  struct dict_key key;
  check(L);
  check_key(L, 2, &key);
  luaL_checkany(L, 3);
  put_or_raise(L, &key, 3, NULL);
  return 0;
}

static int dict_m_has(lua_State *L) {
  struct dict_key key;
  uint64_t dict = check(L);
  check_key(L, 2, &key);
  lua_pushboolean(L, dict_has(dict, &key));
  return 1;
}

static int dict_m_delete(lua_State *L) {
  struct dict_key key;
  uint64_t dict = check(L);
  check_key(L, 2, &key);
  int rc = dict_put(dict, &key, &(struct dict_value){.kind = DICT_NOTHING}, NULL);
  note_change(L, 2);
  lua_pushboolean(L, rc);
  return 1;
}

/* add(k, n): the value before; 0 if there was none. */
static int dict_m_add(lua_State *L) {
  struct dict_key key;
  struct dict_value number, before;
  uint64_t dict = check(L);
  check_key(L, 2, &key);
  if (!is_number(L, 3, &number)) { /* a text of one serves, as in Lua and in a Value's add */
    luaL_checknumber(L, 3);
    lua_stringtonumber(L, lua_tostring(L, 3));
    is_number(L, -1, &number);
  }
  int rc = dict_add(dict, &key, &number, &before);
  if (rc == -EDOM)
    return luaL_error(L, "cannot add to the value of key '%s': it is not a number",
                      luaL_tolstring(L, 2, NULL));
  if (rc < 0) return bind_fail(L, rc);
  note_change(L, 2);
  push_value(L, &before, 0);
  return 1;
}

/* update(k, f): f's last result. f runs with no lock held, and again when somebody came between;
 * from the second time on it is found out whether that was f itself, which would go on for ever. */
static int dict_m_update(lua_State *L) {
  struct dict_key key;
  uint64_t seen;
  check(L);
  check_key(L, 2, &key);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  lua_pushnil(L);
  for (int again = 0;; again = 1) {
    lua_settop(L, 4);
    if (again && lua_isnil(L, 4)) begin_watch(L);
    lua_Integer changes = again ? changes_seen(L) : 0;
    lua_pushvalue(L, 3);
    push_found(L, check(L), &key, &seen);
    lua_call(L, 1, 1);
    int rc = put_or_raise(L, &key, 5, &seen);
    if (rc != -EAGAIN) break;
    if (again && changes_seen(L) != changes)
      return luaL_error(L, "the function of 'update' changed key '%s' itself",
                        luaL_tolstring(L, 2, NULL));
  }
  lua_settop(L, 5);
  return 1;
}

/* swap(k, v): the value before. */
static int dict_m_swap(lua_State *L) {
  struct dict_key key;
  uint64_t seen;
  check(L);
  check_key(L, 2, &key);
  luaL_checkany(L, 3);
  do {
    lua_settop(L, 3);
    push_found(L, check(L), &key, &seen);
  } while (put_or_raise(L, &key, 3, &seen) == -EAGAIN);
  lua_settop(L, 4);
  return 1;
}

/* cas(k, old, new): whether the value was old and now is new. */
static int dict_m_cas(lua_State *L) {
  struct dict_key key;
  uint64_t seen;
  check(L);
  check_key(L, 2, &key);
  luaL_checkany(L, 3);
  luaL_checkany(L, 4);
  int type = lua_type(L, 3);
  luaL_argcheck(L, type != LUA_TTABLE && type != LUA_TFUNCTION, 3,
                "a value that can be compared expected, not a table or function; see update");
  int equal;
  do {
    lua_settop(L, 4);
    push_found(L, check(L), &key, &seen);
    equal = lua_rawequal(L, 3, 5);
  } while (equal && put_or_raise(L, &key, 4, &seen) == -EAGAIN);
  lua_pushboolean(L, equal);
  return 1;
}

static int dict_m_clear(lua_State *L) {
  dict_clear(check(L));
  note_change(L, 0);
  return 0;
}

static int dict_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)dict_length(check(L)));
  return 1;
}

/* ---- snapshots ---- */

struct snapshot {
  struct buffer items;
  size_t at;
  int slot; /* whose the holds are */
};

static int free_snapshot(lua_State *L) {
  struct snapshot *s = lua_touserdata(L, 1);
  struct dict_key key;
  struct dict_value value;
  while (dict_next(&s->items, &s->at, &key, &value))
    if (value.kind == DICT_HELD) handle_drop(value.word, s->slot);
  free(s->items.data);
  memset(s, 0, sizeof *s);
  return 0;
}

/* Pushes a snapshot of the dict at 1. */
static struct snapshot *take_snapshot(lua_State *L, int only_keys) {
  struct snapshot *s = lua_newuserdatauv(L, sizeof *s, 0);
  memset(s, 0, sizeof *s);
  if (luaL_newmetatable(L, SNAPSHOT)) {
    lua_pushcfunction(L, free_snapshot);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  s->slot = family_index();
  int rc = dict_snapshot(check(L), &s->items, only_keys);
  if (rc < 0) s->items.size = 0; /* what was held has been dropped */
  if (rc < 0) bind_fail(L, rc);
  if (s->items.room >= 1 << 16) lua_gc(L, LUA_GCSTEP, (int)(s->items.room >> 10));
  return s;
}

/* The iterator of pairs: the state is the snapshot. At its end it is freed without delay. */
static int step(lua_State *L) {
  struct snapshot *s = luaL_checkudata(L, 1, SNAPSHOT);
  struct dict_key key;
  struct dict_value value;
  if (family_index() < 0) return luaL_error(L, BIND_FOREIGN);
  if (!dict_next(&s->items, &s->at, &key, &value)) return free_snapshot(L);
  push_key(L, &key);
  push_value(L, &value, s->slot);
  return 2;
}

static int dict_pairs(lua_State *L) {
  check(L);
  lua_settop(L, 1);
  lua_pushcfunction(L, step);
  take_snapshot(L, 0);
  return 2;
}

/* keys(): a list, in no order. */
static int dict_m_keys(lua_State *L) {
  check(L);
  lua_settop(L, 1);
  struct snapshot *s = take_snapshot(L, 1);
  struct dict_key key;
  struct dict_value value;
  lua_newtable(L);
  for (lua_Integer i = 1; dict_next(&s->items, &s->at, &key, &value); i++) {
    push_key(L, &key);
    lua_rawseti(L, 3, i);
  }
  lua_pushcfunction(L, free_snapshot);
  lua_pushvalue(L, 2);
  lua_call(L, 1, 0);
  return 1;
}

/* ---- the dict ---- */

/* dict([table]): a new one with the table's content. */
static int dict_create(lua_State *L) {
  int filled = !lua_isnoneornil(L, 1);
  if (filled) luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  struct handle *handle = handle_new(L, bind_dict_class);
  uint64_t hold, dict = dict_new(family_ledger(), &hold);
  if (!dict) return bind_fail(L, -ENOMEM);
  handle_open(L, handle, dict, hold);
  if (!filled) return 1;
  lua_insert(L, 1); /* put looks for the handle there */
  lua_pushnil(L);
  while (lua_next(L, 2)) {
    struct dict_key key;
    if (!to_key(L, 3, &key)) return luaL_argerror(L, 1, not_a_key(L, 3));
    int rc = put(L, &key, 4, 3, NULL);
    if (rc < 0) return bind_fail(L, rc);
    lua_settop(L, 3);
  }
  lua_settop(L, 1);
  return 1;
}

static int dict_tostring(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, bind_dict_class);
  if (handle->object == 0)
    lua_pushliteral(L, "Dict (closed handle)");
  else
    lua_pushfstring(L, "Dict #%I (%I keys)", (lua_Integer)handle->object,
                    (lua_Integer)dict_length(handle->object));
  return 1;
}

void bind_dict(lua_State *L) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  bind_class(L, WATCH, none, end_watch);
  static const luaL_Reg methods[] = {
      {"get", dict_m_get},
      {"set", dict_m_set},
      {"add", dict_m_add},
      {"update", dict_m_update},
      {"delete", dict_m_delete},
      {"has", dict_m_has},
      {"swap", dict_m_swap},
      {"cas", dict_m_cas},
      {"keys", dict_m_keys},
      {"clear", dict_m_clear},
      {NULL, NULL},
  };
  bind_class(L, bind_dict_class, methods, handle_close);
  luaL_getmetatable(L, bind_dict_class);
  lua_getfield(L, -1, "__index");
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, dict_index, 1);
  lua_setfield(L, -3, "__index");
  lua_pushcclosure(L, dict_newindex, 1);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, dict_len);
  lua_setfield(L, -2, "__len");
  lua_pushcfunction(L, dict_pairs);
  lua_setfield(L, -2, "__pairs");
  lua_pushcfunction(L, dict_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
  lua_pushcfunction(L, dict_create);
  lua_setfield(L, -2, "dict");
}
