/* The Lua half of the library as it is linked in: lua/mphost/pool.lua is the module "mphost.pool"
 * with the chunk name "@mphost/pool.lua". The table is written at build time by embed.cmake. */
#ifndef APP_EMBED_H
#define APP_EMBED_H

#include <stddef.h>

struct embed_file {
  const char *module; /* NULL ends the table; "": a text that is no module */
  const char *chunk;
  const unsigned char *text;
  size_t size;
};

extern const struct embed_file embed_files[];

#endif
