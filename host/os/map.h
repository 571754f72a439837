/* One reservation of shared memory that has no name anywhere: an unnamed file in memory (memfd).

   Address space is reserved large and costs nothing; pages come when they are committed. Committing
   before use turns "no memory" into an error at the allocation instead of a SIGBUS at the first
   touch. */
#ifndef OS_MAP_H
#define OS_MAP_H

#include <stddef.h>

#define MAP_PAGE                                                                                   \
  4096 /* granularity of commit and discard; larger hardware pages are multiples of it */

typedef struct map {
  char *base;
  size_t size; /* bytes of address space */
  int fd;      /* close-on-exec */
} map;

/* Reserves at most `size` bytes, less where limits forbid (half, a quarter ... down to `least`).
   The mapping is shared with all processes forked later, at the same address. 0 or -errno
   (-EFBIG: RLIMIT_FSIZE is below `least`). It lies where a program that is started afresh has
   nothing yet, if there is such a place: map_attach finds it free there. */
int map_reserve(map *m, size_t size, size_t least);

/* Maps a reservation of another process, whose descriptor this one was given, at the address that
   it has there: 0, -EEXIST (something else is there), -errno. The descriptor is the map's then. */
int map_attach(map *m, int fd, void *base, size_t size);

/* Gives the memory back; the descriptor is closed. */
void map_release(map *m);

/* Makes [offset, offset + size) real memory: 0, -ENOMEM (os/memory.h) or -ENOSPC. Contents are
   kept, new pages zero. */
int map_commit(const map *m, size_t offset, size_t size);

/* Copies many bytes to an offset that is committed. `fresh`: nobody has touched it since it was:
   the system writes it then, which neither clears its pages first nor maps them here one by one.
   Otherwise they are mapped here, many at a time. */
void map_write(const map *m, size_t offset, const void *bytes, size_t size, int fresh);

/* Gives the whole pages inside [offset, offset + size) back to the system; they read as zero then.
 */
int map_discard(const map *m, size_t offset, size_t size);

#endif
