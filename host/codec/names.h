/* What has a name that another process of this program understands: the way there from
 * package.loaded.
 *
 *   module value           package.loaded["socket"]          table or function
 *   field of a module      package.loaded["socket"].sleep    function; table, for classes
 *   the globals table      dd
 *
 * C functions cannot travel otherwise, so any loaded module will do for them. Everything else is
 * named only if the receiver is sure to have the same: the module is Lua's own, this library's,
 * preloaded, or `require` finds a file for it; and a Lua function does not come from the main
 * script or the prompt, which may have put it into the module here and nowhere else. A table that
 * is a mere field is data and travels by value, unless it is looked up as a metatable or looks
 * like a class (has __index, __name or __unpack): those keep their identity.
 *
 * The names stand in a weak table in the registry and are collected on first use, then again when
 * package.loaded has changed. A bit set of addresses answers nearly all questions that have no
 * for an answer without touching that table; a stale address in it does no harm. */
#ifndef MPHOST_CODEC_NAMES_H
#define MPHOST_CODEC_NAMES_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

/* First byte of a name: as any value, or only where it stands as a metatable. */
enum { NAMES_VALUE = 'v', NAMES_METATABLE = 'm', NAMES_BITS = 4096, NAMES_STACK = 24 };

/* The registry's field with the _ENV of the library's modules (bind/std.h): a function of theirs that
 * has to travel as code finds the receiver's globals instead. */
#define NAMES_STD "mphost.std"

typedef struct names {
  uint64_t loaded; /* package.loaded when names were collected, as one word */
  uint64_t bits[NAMES_BITS / 64];
} names;

static inline uint32_t names_bit(const void *address) {
  return (uint32_t)((uint64_t)(uintptr_t)address * 0x9e3779b97f4a7c15u >> 52);
}

static inline int names_may_know(const names *n, const void *address) {
  uint32_t bit = names_bit(address);
  return (int)(n->bits[bit / 64] >> bit % 64 & 1);
}

/* This state's names; they live as long as it. What collects needs NAMES_STACK slots. */
names *names_get(lua_State *L);

/* Pushes the name of the value on top, its use and then the bytes to send, and returns 1; or
 * pushes nothing. */
int names_push(lua_State *L);

void names_collect(lua_State *L, names *n);
/* Collects if package.loaded has changed: 1 if so. */
int names_refresh(lua_State *L, names *n);

/* Was the Lua function at index written in the main script, or typed? It never has a name then:
 * what the receiver requires is another. */
int names_are_of_script(lua_State *L, int index);

/* Is that a global of a fresh state? */
int names_are_standard(const char *name, size_t size);

#endif
