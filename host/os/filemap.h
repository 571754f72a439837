/* Regular files in memory: opened, identified, mapped.

   A file is known by its device, inode and time of birth, not by its name: names come and go. A
   descriptor is kept beside the mapping: the length is asked of it, and through /proc it is a way
   to the file for others when its name is gone.

   What is mapped is as long as the file was then. When somebody makes the file shorter, memory
   behind its new end is gone, and touching it ends the process with SIGBUS: filemap_length tells
   before. */
#ifndef OS_FILEMAP_H
#define OS_FILEMAP_H

#include <stdint.h>

enum { FILEMAP_READ, FILEMAP_WRITE, FILEMAP_CREATE };

#define FILEMAP_WHOLE UINT64_MAX /* as long as the file is */

struct fileid {
  uint64_t device, inode;
  uint64_t born; /* ns; 0: the file system does not know */
};

typedef struct filemap {
  char *base; /* never NULL once mapped; of an empty file: some address */
  uint64_t size;
  int fd; /* close-on-exec, above stdio's */
  int writable;
  struct fileid id;
} filemap;

/* Opens and maps the first `size` bytes of a file: 0 or -errno.
   FILEMAP_READ     the file must be there
   FILEMAP_WRITE    the same, to read and write
   FILEMAP_CREATE   it is made when it is not there, and made `size` bytes long: cut, or filled up
                    with zeros that have their place on the disk
   -EISDIR a directory, -ENODEV something else that is no regular file, -ENODATA it is shorter. */
int filemap_open(filemap *file, const char *path, int access, uint64_t size);

/* Opens it again under any name, if it is still the same one: 0 or -errno (-ESTALE: it is not). */
int filemap_reopen(filemap *file, const char *path, int writable, uint64_t size,
                   const struct fileid *id);

void filemap_close(filemap *file);

/* How long the file is now; UINT64_MAX: cannot tell. */
uint64_t filemap_length(const filemap *file);

/* Writes what has changed to the disk and waits for it: 0 or -errno. */
int filemap_flush(const filemap *file);

#endif
