/* What has a name that another process of this program understands: the way there from
 * package.loaded.
 *
 *   module value           package.loaded["socket"]          table or function
 *   field of a module      package.loaded["socket"].sleep    function; table, for classes
 *   field of a field       package.loaded["socket"].tcp.new  the same, up to WIRE_PATH_MOST fields
 *   the globals table      dd
 *
 * C functions cannot travel otherwise, so any loaded module will do for them. Everything else is
 * named only if the receiver is sure to have the same: the module is Lua's own, this library's,
 * preloaded, or `require` finds a file for it; and a Lua function does not come from the main
 * script or the prompt, which may have put it into the module here and nowhere else. A table that
 * is a mere field is data and travels by value, unless it is looked up as a metatable or looks
 * like a class (has __index, __name or __unpack): those keep their identity. Below a module's own
 * fields more is asked; see collect.h.
 *
 * The names stand in a weak table in the registry and are collected on first use (collect.c), then
 * again when package.loaded has changed, when a C function turns up that has no name, and when a
 * name turns out to lead elsewhere by now. For that may happen at any time, and a name
 * of a Lua function or a table is followed whenever it is asked for; else a function that wraps
 * another in its module would find itself in its place. Such a value goes by value then. A C
 * function cannot: its name stands as long as it lives, through all collections, and at the other
 * end it is what it was here unless somebody replaced it there, too.
 *
 * A bit set of addresses answers nearly all questions that have no for an answer without touching
 * that table; a stale address in it does no harm. */
#ifndef MPHOST_CODEC_NAMES_H
#define MPHOST_CODEC_NAMES_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

/* First byte of a name: as any value, or only where it stands as a metatable. */
enum { NAMES_VALUE = 'v', NAMES_METATABLE = 'm', NAMES_BITS = 4096, NAMES_STACK = 24 };

/* The registry's field with the _ENV of the library's modules (bind/std.h): a function of theirs
 * that has to travel as code finds the receiver's globals instead. */
#define NAMES_STD "mphost.std"

/* What Lua's own iterators are: functions with a state of their own, made at run time. */
enum { NAMES_MADE = 3 };

typedef struct names {
  lua_CFunction made[NAMES_MADE];
  uint64_t loaded; /* package.loaded when names were collected, as one word */
  uint64_t bits[NAMES_BITS / 64];
} names;

static inline uint32_t names_bit(const void *address) {
  return (uint32_t)((uint64_t)(uintptr_t)address * 0x9e3779b97f4a7c15u >> 52);
}

static inline void names_note(names *n, const void *address) {
  uint32_t bit = names_bit(address);
  n->bits[bit / 64] |= UINT64_C(1) << bit % 64;
}

static inline int names_may_know(const names *n, const void *address) {
  uint32_t bit = names_bit(address);
  return (int)(n->bits[bit / 64] >> bit % 64 & 1);
}

/* Is that the function of closures that string.gmatch, coroutine.wrap or io.lines make? Wherever
 * one stands, it is another one in each process: it has no name. */
static inline int names_is_made(const names *n, lua_CFunction f) {
  for (int i = 0; i < NAMES_MADE; i++)
    if (f == n->made[i]) return 1;
  return 0;
}

/* This state's names; they live as long as it. What collects needs NAMES_STACK slots. */
names *names_get(lua_State *L);

enum { NAMES_NONE, NAMES_PUSHED, NAMES_STALE };

/* Pushes the name of the value on top, its use and then the bytes to send; or nothing, if it has
 * none, none for this use, or one that leads elsewhere by now. */
int names_push(lua_State *L, int metatable);

void names_collect(lua_State *L, names *n);
/* Collects if package.loaded has changed: 1 if so. */
int names_refresh(lua_State *L, names *n);

/* Was the Lua function at index written in the main script, or typed? It never has a name then:
 * what the receiver requires is another. */
int names_are_of_script(lua_State *L, int index);

/* The globals of a fresh state, in order; is that one of them? */
enum { NAMES_STANDARD = 35 };
extern const char *const names_standard[NAMES_STANDARD];
int names_are_standard(const char *name, size_t size);

#endif
