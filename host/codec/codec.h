/* Lua values as bytes and back: the one serialiser of the house, for queues, pools, dicts and
 * files.
 *
 *   message   91 value        91 names this version of the format, of which it is no tag
 *
 *   00..7f            integer 0..127        e0..ff            integer -32..-1
 *   80..8f elements   list of 0..15         a0..bf bytes      string of 0..31 bytes
 *   c0 nil   c1 false   c2 true             c3                mp.null (light userdata NULL)
 *   c4 f64            float, its bits       c5..c8 i8..i64    integer
 *   c9 u8, ca u32, cb u64, bytes            string            (all numbers little endian)
 *   cc u8, cd u32, elements                 list
 *   ce u32 count, count x (key value)       table without list part
 *   cf..d2 u16 count, count x i8..i64       integers: count elements of a list in one piece
 *   d3 u16 count, count x f64               floats: the same
 *   d4 | d5 u32 count, count x (key value)  closes every list: no more keys | its other keys
 *   d6 u8, d7 u32                           the object with this ordinal, again
 *   d8 table metatable                      table with a metatable
 *   d9 metatable value                      object: metatable.__unpack(value) makes it, of what
 *                                           metatable.__pack(object) gave; __pack = false: it stays
 *   da u64                                  handle, its word
 *   db function                             see encode_func.c
 *   dc kind module path                     by name: package.loaded[module] where the path is nil;
 * a field of it, a string; or 8n and 2 to 4 fields, each of the one before dd the receiver's
 * globals table
 *
 * Objects (d9 to dd, and tables) are numbered from 0 as their first byte is
 * met; cells (the variables that upvalues name) have a second numbering of the same kind.
 *
 * What always holds:
 *  - A message needs nothing outside itself but the modules and handles that it names, and ends
 *    where its value ends.
 *  - Nothing recurses: depth lives in frames and tables that Lua's collector owns, so neither a
 *    million levels nor a memory error in their midst costs more than memory, and nothing leaks.
 *  - The decoder believes no count: the elements announced by all containers together may not
 *    exceed the message's bytes (each takes at least one), so memory stays proportional to size.
 *  - Bytecode can do anything to the process that loads it. It travels under a 64-bit hash that
 *    is checked before lua_load, so damage is found; that is no authentication. Bytes of unknown
 *    origin are decoded with CODEC_NO_CODE.
 */
#ifndef MPHOST_CODEC_H
#define MPHOST_CODEC_H

#include <errno.h>
#include <lua.h>
#include <stddef.h>
#include <stdint.h>

#define CODEC_LARGE ((size_t)1 << 20)

/* Where encoded bytes go. The encoder writes at `at`, never past `end`; when it needs room it calls
 * `more`, which must make end - at >= need. `more` may move the bytes written since the sink was
 * made, in one piece: they go on standing right before `at`, where the encoder completes counts
 * that it could not know earlier, and takes bytes back. It keeps no pointer into the sink. `code`
 * becomes 1 when it writes something that CODEC_NO_CODE would refuse, or find only where it is
 * loaded: a function, or a name; nothing clears it. `key` is where on Lua's stack the key is that
 * the value has in what is sent piece by piece, 0: it is all, CODEC_ARGUMENTS: it is the list of a
 * call's; only for what is said of it.
 * `fill`, unless NULL, copies strings of CODEC_LARGE bytes and more to `at`, for which there is
 * room; it moves nothing. */
#define CODEC_ARGUMENTS (-1)

typedef struct codec_sink {
  char *at, *end;
  int (*more)(struct codec_sink *sink, size_t need); /* 0 or -errno, but never -EINVAL */
  int code, key;
  void (*fill)(struct codec_sink *sink, const char *bytes, size_t size);
} codec_sink;

/* How this library's own userdata travel. The codec only carries the word. */
typedef struct codec_handles {
  void *context;
  /* 1 and the word when the userdata at index is a handle; 0 when it is none; -errno, of which
   * -EBADF (it is closed) and -EPERM (it must not leave) are refused with its path */
  int (*out)(lua_State *L, int index, void *context, uint64_t *word);
  /* pushes the handle that the word stands for: 0; or -errno and nothing pushed, of which -ENOMEM
   * says that it would be there if shared memory were */
  int (*in)(lua_State *L, uint64_t word, void *context);
} codec_handles;

enum {
  CODEC_NO_CODE = 1,         /* decode: refuse every function, and load no module */
  CODEC_REPLACE_GLOBALS = 2, /* decode: globals that come with functions are set whatever is there,
                                for a worker, where the sender's word counts. Without it they only
                                fill gaps: who merely receives a function keeps all it has. */
};

/* Appends one message for the value at index.
 *  0        written
 *  -EINVAL  it cannot be sent; a message that names the culprit's path is pushed
 *  -errno   the sink's or a handle's, or -ENOMEM for Lua's stack; nothing pushed
 * On failure the caller discards what was written. Raises Lua's memory error, and what `next` does
 * when a __pack or a finaliser adds keys to the very table that it walks; nothing else. Scalars and
 * strings take no stack slot and allocate nothing. */
int codec_encode(lua_State *L, int index, codec_sink *sink, const codec_handles *handles);

/* Does now what the first codec_encode of a state does once: the names of modules and their fields.
 * Before a fork it is done for all children. Raises Lua's memory error. */
void codec_prepare(lua_State *L);

/* Around forks of processes that decode with CODEC_REPLACE_GLOBALS: the names that they inherit are
 * the sender's, as those that come by messages; so they can be taken away, and Lua's own be what
 * they were. A child need do nothing for it, and what it makes itself afterwards is its own. The
 * first pushes what the second takes, which raises nothing. The first raises Lua's memory error. */
void codec_lend_globals(lua_State *L);
void codec_lent_globals(lua_State *L);

/* Undoes what messages did to the globals of a fresh state (print, os, ...), as a worker does
 * before each task: where the sender's are its own again, nothing about them comes. Raises Lua's
 * memory error. */
void codec_restore_globals(lua_State *L);

/* Reads one message from bytes[0..size) and pushes its value; *used, unless NULL, becomes its
 * length. 0; -EBADMSG, or -ENOBUFS: no shared memory for a handle, with a message pushed; or
 * -ENOMEM for Lua's stack with nothing pushed.
 * After a failure *used is 0, or the length still when the bytes are a message and only what it
 * names is not here, or its __unpack failed.
 * Trusts nothing; runs code only by `require` and __unpack, protected. Globals that come along
 * are set when the whole message has been read, or before an __unpack that may want them: where
 * there is none, or with CODEC_REPLACE_GLOBALS in any case, also to nil when an earlier message had
 * set them, or the process was forked with them (codec_lend_globals). Raises Lua's memory error.
 * One free stack slot is the caller's to have. */
int codec_decode(lua_State *L, const char *bytes, size_t size, size_t *used, unsigned flags,
                 const codec_handles *handles);

/* Whether codec_decode has pushed why it failed. */
static inline int codec_told(int rc) {
  return rc == -EBADMSG || rc == -ENOBUFS;
}

#endif
