/* A mapped file that a family shares: what of it is an object, and what each process has.

   The object says which file it is; the bytes lie where each process maps them (os/filemap.h). A
   process that opened the file, or was forked by one that had it, has its mapping. Another opens it
   when it gets the handle: by its name, and, if that leads elsewhere by now, through /proc at the
   descriptor of a process that has it. Whatever it finds, it is the same file or none: device,
   inode and time of birth are compared.

   id, size, writable, path   written by the creator before anybody else knows the object
   holder[]   pid << 32 | descriptor of processes that have it; set by its process in an empty place
              (compare-and-swap), cleared by the same when it closes. All full: it is not noted,
              which only costs others a way.
   Process dies: its word stays and leads nowhere, or, the number being used again, to another file,
   which shows. The next that wants the place takes it when there is no such process.

   Attachments are this process's own: one a file, however many handles and slices use it. A forked
   child has copies of them, in the same places, as it has copies of the handles. */
#ifndef SHM_FILE_H
#define SHM_FILE_H

#include <stdatomic.h>
#include <stdint.h>

#include "os/filemap.h"
#include "shm/heap.h"

#define FILE_HOLDERS 8

struct file {
  struct fileid id;
  uint64_t size;
  uint64_t writable;
  _Atomic uint64_t holder[FILE_HOLDERS];
  uint64_t length; /* of the path */
  char path[];     /* absolute, ends with a zero */
};

struct attachment {
  filemap map;
  _Atomic int64_t looked;  /* in this tick of the clock its length was asked for ... */
  _Atomic uint64_t length; /* ... and was this; by any thread, under the latch */
  uint64_t object;
  _Atomic int uses;
  struct attachment *next, **link;
};

/* Opens a file (filemap_open) as a new object with one hold and attaches it: 0 or -errno. */
int file_new(const char *path, int access, uint64_t size, struct link *list, uint64_t *object,
             uint64_t *hold, struct attachment **attachment);

/* This process's mapping of a file object that it holds; one more use of it: 0 or -errno.
   -ESTALE: the file of that name is another one, and nobody who has it was found. */
int file_attach(uint64_t object, struct attachment **attachment);

/* How long the file is now; asked once a tick of the clock (os/clock.h), for it is a system call.
 */
uint64_t file_length(struct attachment *attachment);

/* One more use. */
static inline struct attachment *file_share(struct attachment *attachment) {
  attachment->uses++;
  return attachment;
}

/* One use less; the last closes it. */
void file_detach(struct attachment *attachment);

#endif
