/* One pass over the dump; within a prototype the code is looked at after the constants and the
 * upvalues that give it meaning, and marks the constants that are names of globals. */
#include "codec/bytecode.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum {
  OP_LOADK = 3,
  OP_LOADKX = 4,
  OP_GETUPVAL = 9,
  OP_GETTABUP = 11,
  OP_GETTABLE = 12,
  OP_GETFIELD = 14,
  CONSTANT_FLOAT = 0x13,
  CONSTANT_INT = 0x03,
  CONSTANT_SHORT = 0x04,
  CONSTANT_LONG = 0x14,
  CONSTANTS_MARKED = 1 << 17, /* LOADK's operand has 17 bits */
  NESTED_MOST = 250,          /* Lua's parser stops at 200 */
  HEADER = 31,
};

typedef struct reader {
  const uint8_t *at, *end;
  bool bad;
  bytecode_tell *tell;
  void *context;
  uint8_t *marked; /* a bit for each constant that LOADK can name */
} reader;

typedef struct constants {
  const uint8_t *at;
  size_t count;
  size_t global_table; /* which one is "_G"; count if none is */
} constants;

static const uint8_t *reader_take(reader *r, size_t size) {
  if (r->bad || size > (size_t)(r->end - r->at)) {
    r->bad = true;
    return NULL;
  }
  r->at += size;
  return r->at - size;
}

static unsigned reader_byte(reader *r) {
  const uint8_t *byte = reader_take(r, 1);
  return byte == NULL ? 0 : *byte;
}

static size_t reader_number(reader *r) {
  size_t number = 0;
  for (;;) {
    unsigned byte = reader_byte(r);
    if (number > SIZE_MAX >> 8) r->bad = true;
    if (r->bad) return 0;
    number = number << 7 | (byte & 0x7f);
    if (byte & 0x80) return number;
  }
}

/* A count of things that take at least `least` bytes each. */
static size_t reader_count(reader *r, size_t least) {
  size_t count = reader_number(r);
  if (count > (size_t)(r->end - r->at) / least) r->bad = true;
  return r->bad ? 0 : count;
}

static const uint8_t *reader_string(reader *r, size_t *size) {
  size_t length = reader_number(r);
  *size = length == 0 ? 0 : length - 1;
  return reader_take(r, *size);
}

/* Its text, if the constant is a string. */
static const uint8_t *reader_constant(reader *r, size_t *size) {
  unsigned type = reader_byte(r);
  if (type == CONSTANT_SHORT || type == CONSTANT_LONG) return reader_string(r, size);
  if (type == CONSTANT_FLOAT || type == CONSTANT_INT) reader_take(r, 8);
  return NULL;
}

static constants reader_constants(reader *r) {
  constants k = {.count = reader_count(r, 1)};
  k.at = r->at;
  k.global_table = k.count;
  for (size_t i = 0; i < k.count && !r->bad; i++) {
    size_t size;
    const uint8_t *name = reader_constant(r, &size);
    if (name != NULL && size == 2 && memcmp(name, "_G", 2) == 0) k.global_table = i;
  }
  return k;
}

static unsigned code_op(const uint8_t *at) {
  return at[0] & 0x7f;
}

static unsigned code_a(const uint8_t *at) {
  return at[0] >> 7 | (at[1] & 0x7fu) << 1;
}

static unsigned code_b(const uint8_t *at) {
  return at[2];
}

static unsigned code_c(const uint8_t *at) {
  return at[3];
}

static unsigned code_bx(const uint8_t *at) {
  return at[1] >> 7 | (unsigned)at[2] << 1 | (unsigned)at[3] << 9;
}

static size_t code_ax(const uint8_t *at) {
  return at[0] >> 7 | (size_t)at[1] << 1 | (size_t)at[2] << 9 | (size_t)at[3] << 17;
}

static bool env_has(const uint8_t *env, unsigned upvalue) {
  return env[upvalue / 8] >> upvalue % 8 & 1;
}

/* One that LOADK cannot name is told at once: there are few of those, in few functions. */
static void reader_tell_far(const reader *r, const constants *k, size_t constant) {
  reader names = {.at = k->at, .end = r->end};
  for (size_t i = 0; i <= constant && i < k->count && !names.bad; i++) {
    size_t size;
    const uint8_t *name = reader_constant(&names, &size);
    if (i == constant && name != NULL) r->tell(r->context, (const char *)name, size);
  }
}

static void reader_mark(reader *r, const constants *k, size_t constant) {
  if (constant >= CONSTANTS_MARKED) return reader_tell_far(r, k, constant);
  r->marked[constant / 8] |= (uint8_t)(1u << constant % 8);
}

/* From `at` on, is the globals table, held by register `table`, indexed at once? By a field, or in
 * the long form by a key loaded for it. What _G yields there is the globals table again. */
static void reader_follow(reader *r, const uint8_t *at, size_t left, const constants *k,
                          unsigned table) {
  while (left > 0) {
    const uint8_t *get = at;
    size_t name;
    if (code_op(at) == OP_GETFIELD && code_b(at) == table) {
      name = code_c(at);
    } else if ((code_op(at) == OP_LOADK && left >= 2) || (code_op(at) == OP_LOADKX && left >= 3)) {
      bool far = code_op(at) == OP_LOADKX; /* its operand is the next word */
      get = at + (far ? 8 : 4);
      name = far ? code_ax(at + 4) : code_bx(at);
      if (code_op(get) != OP_GETTABLE || code_b(get) != table || code_c(get) != code_a(at)) return;
    } else {
      return;
    }
    reader_mark(r, k, name);
    if (name != k->global_table) return;
    table = code_a(get);
    left -= (size_t)(get + 4 - at) / 4;
    at = get + 4;
  }
}

static void reader_look(reader *r, const uint8_t *at, size_t left, const constants *k,
                        const uint8_t *env) {
  unsigned op = code_op(at);
  if ((op != OP_GETTABUP && op != OP_GETUPVAL) || !env_has(env, code_b(at))) return;
  if (op == OP_GETTABUP) {
    reader_mark(r, k, code_c(at));
    if (code_c(at) != k->global_table) return;
  }
  reader_follow(r, at + 4, left - 1, k, code_a(at));
}

static void reader_tell_marked(reader *r, const constants *k) {
  reader names = {.at = k->at, .end = r->end};
  for (size_t i = 0; i < k->count && i < CONSTANTS_MARKED; i++) {
    size_t size;
    const uint8_t *name = reader_constant(&names, &size);
    if (name != NULL && r->marked[i / 8] >> i % 8 & 1)
      r->tell(r->context, (const char *)name, size);
  }
}

static void reader_code(reader *r, const uint8_t *code, size_t count, const constants *k,
                        const uint8_t *env) {
  size_t marks = k->count < CONSTANTS_MARKED ? k->count : CONSTANTS_MARKED;
  memset(r->marked, 0, marks < 256 ? 256 / 8 : (marks + 7) / 8);
  for (size_t i = 0; i < count; i++) reader_look(r, code + 4 * i, count - i, k, env);
  reader_tell_marked(r, k);
}

static void reader_debug(reader *r) {
  size_t size;
  reader_take(r, reader_count(r, 1));
  for (size_t n = reader_count(r, 2); n > 0 && !r->bad; n--) {
    reader_number(r);
    reader_number(r);
  }
  for (size_t n = reader_count(r, 3); n > 0 && !r->bad; n--) {
    reader_string(r, &size);
    reader_number(r);
    reader_number(r);
  }
  for (size_t n = reader_count(r, 1); n > 0 && !r->bad; n--) reader_string(r, &size);
}

/* Upvalue descriptions: which of them lead to an outer one that is the globals table. */
static void reader_upvalues(reader *r, const uint8_t *outer, uint8_t *env) {
  size_t count = reader_count(r, 3);
  for (size_t i = 0; i < count && i < BYTECODE_UPVALUES; i++) {
    const uint8_t *upvalue = reader_take(r, 3);
    if (upvalue != NULL && upvalue[0] == 0 && env_has(outer, upvalue[1]))
      env[i / 8] |= (uint8_t)(1u << i % 8);
  }
  if (count > BYTECODE_UPVALUES) r->bad = true;
}

/* `main` tells the outermost prototype: its upvalues are those of `outer` whatever they say. */
static void reader_prototype(reader *r, const uint8_t *outer, bool main, int depth) {
  size_t size;
  uint8_t env[BYTECODE_UPVALUES / 8] = {0};
  reader_string(r, &size);
  reader_number(r);
  reader_number(r);
  reader_take(r, 3);
  size_t count = reader_count(r, 4);
  const uint8_t *code = reader_take(r, 4 * count);
  constants k = reader_constants(r);
  reader_upvalues(r, outer, env);
  if (main) memcpy(env, outer, sizeof env);
  if (!r->bad) reader_code(r, code, count, &k, env);
  for (size_t n = reader_count(r, 8); n > 0 && !r->bad; n--) {
    if (depth == NESTED_MOST) r->bad = true;
    if (!r->bad) reader_prototype(r, env, false, depth + 1);
  }
  reader_debug(r);
}

static void reader_header(reader *r) {
  static const uint8_t expected[HEADER] = "\x1bLua\x54\x00\x19\x93\r\n\x1a\n\x04\x08\x08"
                                          "\x78\x56\0\0\0\0\0\0\0\0\0\0\0\x28\x77\x40";
  const uint8_t *header = reader_take(r, HEADER);
  if (header != NULL && memcmp(header, expected, HEADER) != 0) r->bad = true;
  reader_byte(r);
}

int bytecode_globals(const char *code, size_t size, const uint8_t env[BYTECODE_UPVALUES / 8],
                     bytecode_tell *tell, void *context) {
  uint8_t marked[CONSTANTS_MARKED / 8]; /* each prototype clears the part it uses */
  reader r = {.at = (const uint8_t *)code,
              .end = (const uint8_t *)code + size,
              .tell = tell,
              .context = context,
              .marked = marked};
  reader_header(&r);
  if (!r.bad) reader_prototype(&r, env, true, 0);
  return r.bad || r.at != r.end ? -EBADMSG : 0;
}
