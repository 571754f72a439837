/* Tables: the list part element by element or in packed runs, the other keys, the metatable; and
 * objects, which a __pack field turns into a plain value. */
#include "codec/encode.h"

#include <errno.h>
#include <lauxlib.h>

enum {
  TABLE_RUN_MIN = 8, /* fewer numbers are not worth a run's head */
  TABLE_BATCH = 8,   /* elements on Lua's stack at a time */
};

static int table_begin_pairs(encoder *e, encode_frame *f, enum wire_tag tag) {
  int rc = wire_room(&e->out, WIRE_HEAD);
  if (rc != 0) return rc;
  wire_set_byte(e->out.sink, tag);
  f->kind = ENCODE_PAIRS;
  f->count = 0;
  f->patch = wire_length(&e->out);
  wire_set_u32(e->out.sink, 0);
  return 0;
}

static int table_begin_list(encoder *e, encode_frame *f, uint32_t n) {
  int rc = wire_room(&e->out, WIRE_HEAD);
  if (rc != 0) return rc;
  codec_sink *sink = e->out.sink;
  f->kind = ENCODE_LIST;
  f->n = n;
  if (n <= WIRE_FEW) {
    wire_set_byte(sink, WIRE_LIST | n);
  } else if (n <= UINT8_MAX) {
    wire_set_byte(sink, WIRE_LIST8);
    wire_set_byte(sink, n);
  } else {
    wire_set_byte(sink, WIRE_LIST32);
    wire_set_u32(sink, n);
  }
  return 0;
}

/* Pushes that field of the metatable of the value on top and returns 1, or pushes nothing. */
static int table_push_meta(lua_State *L, const char *field) {
  if (!lua_getmetatable(L, -1)) return 0;
  lua_pushstring(L, field);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    lua_pop(L, 2);
    return 0;
  }
  lua_remove(L, -2);
  return 1;
}

int encode_table_open(encoder *e, uint32_t ordinal) {
  lua_State *L = e->L;
  int meta = lua_getmetatable(L, -1);
  if (meta) {
    lua_pop(L, 1);
    if (table_push_meta(L, "__pack")) {
      lua_pop(L, 1);
      return encode_object_open(e, ordinal);
    }
    int rc = wire_put_byte(&e->out, WIRE_META);
    if (rc != 0) return rc;
  }
  lua_Unsigned n = lua_rawlen(L, -1);
  encode_frame *f = encode_push(e, ENCODE_LIST, ordinal);
  f->meta = (uint8_t)meta;
  /* No list is longer than its count can tell: such a one is pairs altogether. */
  return n == 0 || n > UINT32_MAX ? table_begin_pairs(e, f, WIRE_RECORD)
                                  : table_begin_list(e, f, (uint32_t)n);
}

/* Integers stand at `body` eight bytes each; as few bytes as hold them all suffice. */
static enum wire_tag table_narrow(char *body, uint32_t count, int64_t least, int64_t most) {
  if (least >= INT8_MIN && most <= INT8_MAX) {
    for (uint32_t i = 0; i < count; i++) body[i] = body[8 * i];
    return WIRE_INTS8;
  }
  if (least >= INT16_MIN && most <= INT16_MAX) {
    for (uint32_t i = 0; i < count; i++) memmove(body + 2 * i, body + 8 * i, 2);
    return WIRE_INTS16;
  }
  if (least >= INT32_MIN && most <= INT32_MAX) {
    for (uint32_t i = 0; i < count; i++) memmove(body + 4 * i, body + 8 * i, 4);
    return WIRE_INTS32;
  }
  return WIRE_INTS64;
}

/* Pushes up to `limit` elements after number i + done, as long as they are numbers of the kind
 * asked for; how many. */
static uint32_t table_push_alike(encoder *e, const encode_frame *f, uint32_t done, uint32_t limit,
                                 int integers) {
  lua_State *L = e->L;
  int current = encode_slot(e, ENCODE_CURRENT);
  lua_Integer next = (lua_Integer)f->i + done;
  for (uint32_t n = 0; n < limit; n++) {
    if (lua_rawgeti(L, current, ++next) != LUA_TNUMBER || lua_isinteger(L, -1) != integers) {
      lua_pop(L, 1);
      return n;
    }
  }
  return limit;
}

static void table_copy_ints(lua_State *L, char *body, uint32_t count, int64_t *least,
                            int64_t *most) {
  for (uint32_t n = 0; n < count; n++) {
    int64_t value = lua_tointegerx(L, (int)n - (int)count, NULL);
    *least = value < *least ? value : *least;
    *most = value > *most ? value : *most;
    memcpy(body + 8 * n, &value, sizeof value);
  }
}

static void table_copy_floats(lua_State *L, char *body, uint32_t count) {
  for (uint32_t n = 0; n < count; n++) {
    double value = lua_tonumberx(L, (int)n - (int)count, NULL);
    memcpy(body + 8 * n, &value, sizeof value);
  }
}

/* Copies the numbers of one kind from element i + 1 on to `body`, by the stackful. */
static uint32_t table_copy_numbers(encoder *e, const encode_frame *f, char *body, uint32_t limit,
                                   int integers, enum wire_tag *tag) {
  int64_t least = INT64_MAX, most = INT64_MIN;
  uint32_t count = 0, step = TABLE_BATCH;
  while (step == TABLE_BATCH && count < limit) {
    uint32_t most_now = limit - count < TABLE_BATCH ? limit - count : TABLE_BATCH;
    step = table_push_alike(e, f, count, most_now, integers);
    if (integers)
      table_copy_ints(e->L, body + 8 * (size_t)count, step, &least, &most);
    else
      table_copy_floats(e->L, body + 8 * (size_t)count, step);
    lua_pop(e->L, (int)step);
    count += step;
  }
  *tag = integers ? WIRE_INTS64 : WIRE_FLOATS;
  if (integers && count >= TABLE_RUN_MIN) *tag = table_narrow(body, count, least, most);
  return count;
}

/* Too few for a run: the numbers at `body` one by one, which takes at most nine bytes each. */
static void table_put_few(codec_sink *sink, const char *body, uint32_t count, enum wire_tag tag) {
  char copy[8 * TABLE_RUN_MIN];
  memcpy(copy, body, 8 * (size_t)count);
  for (uint32_t i = 0; i < count; i++) {
    if (tag == WIRE_FLOATS) {
      double value;
      memcpy(&value, copy + 8 * i, sizeof value);
      wire_set_float(sink, value);
    } else {
      int64_t value;
      memcpy(&value, copy + 8 * i, sizeof value);
      wire_set_int(sink, value);
    }
  }
}

/* Element i + 1 is on top and a number. Writes it, and all that follow in its kind, as one run. */
static int table_put_numbers(encoder *e, encode_frame *f) {
  uint32_t limit = f->n - f->i < WIRE_RUN ? f->n - f->i : WIRE_RUN;
  int rc = wire_room(&e->out, 8 * (size_t)limit + 8 * TABLE_RUN_MIN);
  if (rc != 0) return rc;
  codec_sink *sink = e->out.sink;
  enum wire_tag tag;
  int integers = lua_isinteger(e->L, -1);
  lua_pop(e->L, 1);
  char *body = sink->at + 3; /* tag and count */
  uint32_t count = table_copy_numbers(e, f, body, limit, integers, &tag);
  f->i += count;
  f->count += count;
  if (count < TABLE_RUN_MIN) {
    table_put_few(sink, body, count, tag);
    return 0;
  }
  uint16_t head = (uint16_t)count;
  wire_set_byte(sink, tag);
  wire_set_bytes(sink, &head, sizeof head);
  size_t width = tag == WIRE_FLOATS ? 8 : (size_t)1 << (tag - WIRE_INTS8);
  sink->at += count * width;
  return 0;
}

/* The list part held `count` values; does the table hold no other? One look at each key: whether
 * key n stands in the array cannot be asked, so `next` cannot be sent past it. */
static int table_has_no_more(encoder *e, uint32_t count) {
  lua_State *L = e->L;
  int current = encode_slot(e, ENCODE_CURRENT);
  lua_pushnil(L);
  while (lua_next(L, current)) {
    lua_pop(L, 1);
    if (count-- == 0) {
      lua_pop(L, 1);
      return 0;
    }
  }
  return 1;
}

static int table_end(encoder *e, encode_frame *f) {
  if (f->meta) {
    f->meta = 0;
    f->kind = ENCODE_META;
    lua_State *L = e->L;
    if (!lua_getmetatable(L, encode_slot(e, ENCODE_CURRENT))) lua_pushnil(L);
    return encode_open_metatable(e);
  }
  encode_pop(e);
  return 0;
}

static int table_list(encoder *e, encode_frame *f) {
  lua_State *L = e->L;
  int current = encode_slot(e, ENCODE_CURRENT);
  while (f->i < f->n) {
    int type = lua_rawgeti(L, current, (lua_Integer)f->i + 1);
    if (type == LUA_TNUMBER && f->n - f->i >= TABLE_RUN_MIN) {
      int rc = table_put_numbers(e, f);
      if (rc != 0) return rc;
      continue;
    }
    f->i++;
    f->count += type != LUA_TNIL;
    int rc = wire_put_scalar(&e->out, L, -1, type);
    if (rc <= 0) return rc < 0 ? rc : encode_open(e);
    lua_pop(L, 1);
  }
  if (!table_has_no_more(e, f->count)) return table_begin_pairs(e, f, WIRE_PAIRS);
  int rc = wire_put_byte(&e->out, WIRE_END);
  return rc != 0 ? rc : table_end(e, f);
}

/* A key and its value are on top, and one of them needs a frame. */
static int table_open_pair(encoder *e, encode_frame *f, int key_written) {
  lua_State *L = e->L;
  f->started = 1;
  f->keyed = !key_written;
  if (key_written) {
    lua_insert(L, -2);
  } else {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
  }
  encode_keep(e);
  return encode_open(e);
}

static int table_open_value(encoder *e, encode_frame *f) {
  f->keyed = 0;
  encode_recall(e);
  lua_rawget(e->L, encode_slot(e, ENCODE_CURRENT));
  return encode_open(e);
}

static int table_in_list(lua_State *L, int index, uint32_t n) {
  if (!lua_isinteger(L, index)) return 0;
  lua_Integer key = lua_tointegerx(L, index, NULL);
  return key >= 1 && key <= n;
}

static int table_pairs(encoder *e, encode_frame *f) {
  lua_State *L = e->L;
  int current = encode_slot(e, ENCODE_CURRENT);
  if (f->keyed) return table_open_value(e, f);
  if (f->started)
    encode_recall(e);
  else
    lua_pushnil(L);
  for (; lua_next(L, current); lua_pop(L, 1)) {
    if (f->n > 0 && table_in_list(L, -2, f->n)) continue;
    f->count++;
    int rc = wire_put_scalar(&e->out, L, -2, lua_type(L, -2));
    if (rc <= 0) return rc < 0 ? rc : table_open_pair(e, f, 0);
    rc = wire_put_scalar(&e->out, L, -1, lua_type(L, -1));
    if (rc <= 0) return rc < 0 ? rc : table_open_pair(e, f, 1);
  }
  memcpy(wire_place(&e->out, f->patch), &f->count, sizeof f->count);
  return table_end(e, f);
}

int encode_table_step(encoder *e, encode_frame *f) {
  if (f->kind == ENCODE_LIST) return table_list(e, f);
  return f->kind == ENCODE_PAIRS ? table_pairs(e, f) : table_end(e, f);
}

int encode_object_open(encoder *e, uint32_t ordinal) {
  lua_State *L = e->L;
  if (!table_push_meta(L, "__pack")) return trail_refuse(e, NULL);
  int stays = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
  lua_pop(L, 1);
  if (stays) return trail_refuse(e, NULL);
  if (!table_push_meta(L, "__unpack")) return trail_refuse(e, "it has __pack, but no __unpack");
  lua_pop(L, 1);
  int rc = wire_put_byte(&e->out, WIRE_OBJECT);
  if (rc != 0) return rc;
  *memo_entry_of(&e->memo, L, lua_topointer(L, -1)) |= ENCODE_PACKING;
  encode_push(e, ENCODE_OBJECT, ordinal)->n = 2;
  return 0;
}

static int object_pack(encoder *e) {
  lua_State *L = e->L;
  lua_pushvalue(L, encode_slot(e, ENCODE_CURRENT));
  if (!table_push_meta(L, "__pack")) return trail_refuse(e, "its __pack is gone");
  lua_insert(L, -2);
  int status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_OK) return encode_open(e);
  if (status == LUA_ERRMEM) return lua_error(L);
  const char *text = lua_tostring(L, -1);
  lua_pushfstring(L, "error in its __pack: %s", text != NULL ? text : luaL_typename(L, -1));
  return trail_refuse(e, lua_tostring(L, -1));
}

int encode_object_step(encoder *e, encode_frame *f) {
  lua_State *L = e->L;
  switch (f->i++) {
  case 0:
    if (!lua_getmetatable(L, encode_slot(e, ENCODE_CURRENT))) lua_pushnil(L);
    return encode_open_metatable(e);
  case 1: return object_pack(e);
  default:
    *memo_entry_of(&e->memo, L, lua_topointer(L, encode_slot(e, ENCODE_CURRENT))) &=
        ~ENCODE_PACKING;
    encode_pop(e);
    return 0;
  }
}
