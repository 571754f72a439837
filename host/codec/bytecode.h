/* Reads what string.dump wrote, to learn which globals a function reads.
 *
 *   header    1b 4c 75 61  54  00  19 93 0d 0a 1a 0a  04 08 08  int 5678h  float 370.5
 *             u8 upvalues, then the main prototype
 *   prototype source  linedefined lastlinedefined  u8 params vararg stack
 *             n x u32 code,  n x constant (u8 type, payload),  n x upvalue (u8 instack index kind),
 *             n x prototype,
 *             n x u8 lineinfo,  n x (pc line),  n x local (name from to),  n x upvalue name
 *   counts and lines are big-endian groups of 7 bits, the last one with bit 7 set; a string is its
 *   length + 1 (0: none) and its bytes
 *
 * This is Lua 5.4's format 0, with 4-byte instructions, 8-byte integers and floats; the header
 * says so, and anything else is refused. No count is trusted, no byte beyond the end is read. */
#ifndef MPHOST_CODEC_BYTECODE_H
#define MPHOST_CODEC_BYTECODE_H

#include <stddef.h>
#include <stdint.h>

enum { BYTECODE_UPVALUES = 256 }; /* an index is a byte */

/* A name, not ended by a zero byte. May be told more than once. */
typedef void bytecode_tell(void *context, const char *name, size_t size);

/* Tells every name that the code indexes the globals table with, in nested functions too; bit i of
 * env says that upvalue i of the outermost one is that table. A name written only is not told.
 * Seen are _ENV.name, the long form that the compiler takes for late or long constants, and
 * _G.name; not what runs through a local copy of _ENV. 0 or -EBADMSG. */
int bytecode_globals(const char *code, size_t size, const uint8_t env[BYTECODE_UPVALUES / 8],
                     bytecode_tell *tell, void *context);

#endif
