/* Tables back from bytes: made at their full size, as far as the message can back its counts. */
#include "codec/decode.h"

#include <lauxlib.h>

enum {
  TABLE_MOST = 1 << 26,     /* presized; a larger table grows as its elements come */
  TABLE_RUN_LEAST = 32,     /* from so many numbers on a whole list is made by table_push_run, */
  TABLE_RUN_MOST = 1 << 12, /* up to so many: they lie on Lua's stack */
};

static const char table_maker_key = 'm'; /* its address matters */

static int64_t table_int(const uint8_t *at, size_t width) {
  uint64_t word = 0;
  unsigned shift = 64 - 8 * (unsigned)width;
  memcpy(&word, at, width);
  return (int64_t)(word << shift) >> shift;
}

static size_t table_width(unsigned tag) {
  return tag == WIRE_FLOATS ? sizeof(double) : (size_t)1 << (tag - WIRE_INTS8);
}

/* A list that is one run of n numbers, and as short as that: pushes it, all set, and returns 1.
   Lua's own `{...}` sets elements at less than half of what lua_rawseti costs. */
static int table_push_run(decoder *d, uint32_t n) {
  lua_State *L = d->L;
  uint16_t count;
  if (n < TABLE_RUN_LEAST || n > TABLE_RUN_MOST || decode_left(d) < 1 + sizeof count) return 0;
  unsigned tag = *d->at;
  memcpy(&count, d->at + 1, sizeof count);
  if (tag < WIRE_INTS8 || tag > WIRE_FLOATS || count != n) return 0;
  size_t width = table_width(tag);
  const uint8_t *body = d->at + 1 + sizeof count;
  if ((size_t)(d->end - body) < n * width || !lua_checkstack(L, (int)n + 8)) return 0;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &table_maker_key) != LUA_TFUNCTION) {
    lua_pop(L, 1);
    if (luaL_loadbufferx(L, "return {...}", 12, "=list", "t") != LUA_OK) return lua_error(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &table_maker_key);
  }
  for (uint32_t i = 0; i < n; i++, body += width) {
    if (tag == WIRE_FLOATS) {
      double value;
      memcpy(&value, body, sizeof value);
      lua_pushnumber(L, value);
    } else {
      lua_pushinteger(L, table_int(body, width));
    }
  }
  lua_call(L, (int)n, 1);
  d->at = body;
  return 1;
}

static int table_new(decoder *d, enum decode_kind kind, uint32_t n, unsigned each) {
  if (n > d->budget / each) return decode_fail(d, "count beyond the message's size");
  d->budget -= (size_t)n * each;
  int size = n < TABLE_MOST ? (int)n : TABLE_MOST;
  uint32_t ordinal = d->objects++;
  int whole = kind == DECODE_LIST && table_push_run(d, n);
  if (!whole) lua_createtable(d->L, kind == DECODE_LIST ? size : 0, kind == DECODE_LIST ? 0 : size);
  decode_adopt(d, ordinal);
  decode_frame *f = decode_push(d, kind, ordinal);
  f->n = n;
  if (whole) f->i = n;
  return DECODE_FRAME;
}

static int table_open_plain(decoder *d, unsigned tag) {
  if ((tag & ~(unsigned)WIRE_FEW) == WIRE_LIST) return table_new(d, DECODE_LIST, tag & WIRE_FEW, 1);
  if (tag != WIRE_LIST8 && tag != WIRE_LIST32 && tag != WIRE_RECORD) {
    d->at--;
    return decode_fail(d, "unknown tag");
  }
  if (decode_left(d) < (tag == WIRE_LIST8 ? 1 : 4)) return decode_fail(d, "truncated count");
  if (tag == WIRE_LIST8) return table_new(d, DECODE_LIST, *d->at++, 1);
  uint32_t n = decode_u32(d);
  return tag == WIRE_LIST32 ? table_new(d, DECODE_LIST, n, 1) : table_new(d, DECODE_PAIRS, n, 2);
}

int decode_table_open(decoder *d, unsigned tag) {
  int meta = tag == WIRE_META;
  if (meta) {
    if (decode_left(d) == 0) return decode_fail(d, "truncated");
    tag = *d->at++;
  }
  int rc = table_open_plain(d, tag);
  if (rc == DECODE_FRAME) d->frames[d->depth - 1].meta = (uint8_t)meta;
  return rc;
}

/* `count` integers of `width` bytes each, into elements i + 1 and on of CURRENT. */
static void table_set_ints(decoder *d, decode_frame *f, uint32_t count, size_t width) {
  lua_State *L = d->L;
  int current = decode_slot(d, DECODE_CURRENT);
  for (uint32_t i = 0; i < count; i++) {
    lua_pushinteger(L, table_int(d->at + i * width, width));
    lua_rawseti(L, current, (lua_Integer)f->i + 1 + i);
  }
}

static void table_set_floats(decoder *d, decode_frame *f, uint32_t count) {
  lua_State *L = d->L;
  int current = decode_slot(d, DECODE_CURRENT);
  for (uint32_t i = 0; i < count; i++) {
    double value;
    memcpy(&value, d->at + i * sizeof value, sizeof value);
    lua_pushnumber(L, value);
    lua_rawseti(L, current, (lua_Integer)f->i + 1 + i);
  }
}

static int table_run(decoder *d, decode_frame *f, unsigned tag) {
  uint16_t count;
  size_t width = table_width(tag);
  if (decode_left(d) < 1 + sizeof count) return decode_fail(d, "truncated run");
  memcpy(&count, d->at + 1, sizeof count);
  d->at += 1 + sizeof count;
  if (count == 0 || count > f->n - f->i) return decode_fail(d, "run beyond its list");
  if (decode_left(d) < count * width) return decode_fail(d, "truncated run");
  if (tag == WIRE_FLOATS)
    table_set_floats(d, f, count);
  else
    table_set_ints(d, f, count, width);
  d->at += count * width;
  f->i += count;
  return 0;
}

/* The elements are read: what ends a list? */
static int table_list_end(decoder *d, decode_frame *f) {
  if (decode_left(d) == 0) return decode_fail(d, "truncated list");
  unsigned tag = *d->at++;
  f->kind = DECODE_PAIRS;
  f->i = f->n = 0;
  if (tag == WIRE_END) return 0;
  if (tag != WIRE_PAIRS || decode_left(d) < 4) return decode_fail(d, "no end of list");
  f->n = decode_u32(d);
  if (f->n > d->budget / 2) return decode_fail(d, "count beyond the message's size");
  d->budget -= 2 * (size_t)f->n;
  return 0;
}

static int table_list(decoder *d, decode_frame *f) {
  lua_State *L = d->L;
  int current = decode_slot(d, DECODE_CURRENT);
  while (f->i < f->n) {
    int rc = decode_scalar(d);
    if (rc < 0) return rc;
    if (rc == 1) {
      lua_rawseti(L, current, (lua_Integer)++f->i);
      continue;
    }
    unsigned tag = *d->at;
    if (tag < WIRE_INTS8 || tag > WIRE_FLOATS) return decode_child(d);
    rc = table_run(d, f, tag);
    if (rc != 0) return rc;
  }
  return table_list_end(d, f);
}

/* The key on top is one that a table can have: `rawset` would raise. */
static int table_check_key(decoder *d) {
  lua_State *L = d->L;
  int type = lua_type(L, -1);
  if (type == LUA_TNIL) return decode_fail(d, "nil as a key");
  if (type != LUA_TNUMBER || lua_isinteger(L, -1)) return 0;
  double key = lua_tonumberx(L, -1, NULL);
  return key == key ? 0 : decode_fail(d, "NaN as a key");
}

static int table_pairs(decoder *d, decode_frame *f) {
  lua_State *L = d->L;
  int current = decode_slot(d, DECODE_CURRENT);
  if (f->keyed) return decode_child(d);
  for (; f->i < f->n; f->i++) {
    int rc = decode_scalar(d);
    if (rc <= 0) return rc < 0 ? rc : decode_child(d);
    rc = lua_type(L, -1) == LUA_TSTRING ? 0 : table_check_key(d);
    if (rc != 0) return rc;
    rc = decode_scalar(d);
    if (rc < 0) return rc;
    if (rc == 0) {
      f->keyed = 1;
      decode_keep(d);
      return decode_child(d);
    }
    lua_rawset(L, current);
  }
  if (!f->meta) return decode_finish(d);
  f->kind = DECODE_META;
  return decode_child(d);
}

int decode_table_step(decoder *d, decode_frame *f) {
  if (f->kind == DECODE_LIST) return table_list(d, f);
  return f->kind == DECODE_PAIRS ? table_pairs(d, f) : decode_finish(d);
}

static int table_deliver_pair(decoder *d, decode_frame *f) {
  if (f->keyed) {
    decode_recall(d);
    lua_insert(d->L, -2);
    lua_rawset(d->L, decode_slot(d, DECODE_CURRENT));
    f->keyed = 0;
    f->i++;
    return 0;
  }
  int rc = table_check_key(d);
  if (rc != 0) return rc;
  f->keyed = 1;
  decode_keep(d);
  return 0;
}

int decode_table_deliver(decoder *d, decode_frame *f) {
  lua_State *L = d->L;
  switch ((enum decode_kind)f->kind) {
  case DECODE_LIST: lua_rawseti(L, decode_slot(d, DECODE_CURRENT), (lua_Integer)++f->i); return 0;
  case DECODE_PAIRS: return table_deliver_pair(d, f);
  default:
    if (!lua_istable(L, -1) && !lua_isnil(L, -1))
      return decode_fail(d, "metatable that is no table");
    if (d->flags & DECODE_INERT)
      lua_pop(L, 1);
    else
      lua_setmetatable(L, decode_slot(d, DECODE_CURRENT));
    return 0;
  }
}
