/* Regular files in memory: see filemap.h. */
#include "os/filemap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/lift.h"

static char nothing[8]; /* where an empty file lies */

/* O_NONBLOCK: a FIFO of that name must not hold us up, we do not want it anyway. */
static int open_above_stdio(const char *path, int flags) {
  int fd;
  do fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
  while (fd < 0 && errno == EINTR);
  return lift(fd);
}

/* What the kernel makes up as it is read, as in /proc, says that it has no bytes, and has some. */
static int is_made_up(int fd) {
  char byte;
  struct stat info;
  return pread(fd, &byte, 1, 0) > 0 && fstat(fd, &info) == 0 && info.st_size == 0;
}

/* Its identity and length: 0 or -errno. */
static int identify(int fd, struct fileid *id, uint64_t *length) {
  struct stat info;
  if (fstat(fd, &info) != 0) return -errno;
  if (S_ISDIR(info.st_mode)) return -EISDIR;
  if (!S_ISREG(info.st_mode)) return -ENODEV;
  *id = (struct fileid){.device = info.st_dev, .inode = info.st_ino};
  *length = (uint64_t)info.st_size;
  struct statx more;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &more) == 0 && (more.stx_mask & STATX_BTIME))
    id->born = (uint64_t)more.stx_btime.tv_sec * 1000000000u + more.stx_btime.tv_nsec;
  return 0;
}

/* Beyond RLIMIT_FSIZE ftruncate would not fail, it would raise SIGXFSZ. */
static int is_allowed(uint64_t size) {
  struct rlimit limit;
  if (size > INT64_MAX) return 0;
  return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
         size <= limit.rlim_cur;
}

/* Space is taken now: a write to a hole of a full disk would be a SIGBUS. */
static int resize(int fd, uint64_t *length, uint64_t size) {
  if (!is_allowed(size)) return -EFBIG;
  if (ftruncate(fd, (off_t)size) != 0) return -errno;
  int rc = 0;
  if (size > *length) {
    do rc = fallocate(fd, 0, (off_t)*length, (off_t)(size - *length));
    while (rc != 0 && errno == EINTR);
    rc = rc == 0 || errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
  }
  if (rc < 0 && ftruncate(fd, (off_t)*length) != 0) return -errno;
  if (rc == 0) *length = size;
  return rc;
}

static int map_bytes(filemap *file) {
  file->base = nothing;
  if (file->size == 0) return 0;
  if (file->size > SIZE_MAX / 2) return -EFBIG;
  int protection = PROT_READ | (file->writable ? PROT_WRITE : 0);
  void *base = mmap(NULL, file->size, protection, MAP_SHARED, file->fd, 0);
  if (base == MAP_FAILED) return -errno;
  file->base = base;
  return 0;
}

static int open_as(filemap *file, const char *path, int flags, int creates, uint64_t size,
                   const struct fileid *wanted) {
  uint64_t length = 0;
  *file = (filemap){.fd = open_above_stdio(path, flags), .writable = (flags & O_ACCMODE) == O_RDWR};
  if (file->fd < 0) return file->fd;
  int rc = identify(file->fd, &file->id, &length);
  if (rc == 0 && wanted &&
      (wanted->device != file->id.device || wanted->inode != file->id.inode ||
       wanted->born != file->id.born))
    rc = -ESTALE;
  if (rc == 0 && creates && size != FILEMAP_WHOLE && size != length)
    rc = resize(file->fd, &length, size);
  file->size = size == FILEMAP_WHOLE ? length : size;
  if (rc == 0 && file->size > length) rc = -ENODATA;
  if (rc == 0 && length == 0 && !creates && is_made_up(file->fd)) rc = -ENODEV;
  if (rc == 0) rc = map_bytes(file);
  if (rc < 0) {
    close(file->fd);
    file->fd = -1;
  }
  return rc;
}

int filemap_open(filemap *file, const char *path, int access, uint64_t size) {
  if (access != FILEMAP_CREATE)
    return open_as(file, path, access == FILEMAP_READ ? O_RDONLY : O_RDWR, 0, size, NULL);
  int made = open_above_stdio(path, O_RDWR | O_CREAT | O_EXCL);
  if (made >= 0) close(made);
  int rc = open_as(file, path, O_RDWR | O_CREAT, 1, size, NULL);
  if (rc < 0 && made >= 0) unlink(path); /* as if nothing had been tried */
  return rc;
}

int filemap_reopen(filemap *file, const char *path, int writable, uint64_t size,
                   const struct fileid *id) {
  return open_as(file, path, writable ? O_RDWR : O_RDONLY, 0, size, id);
}

void filemap_close(filemap *file) {
  if (file->fd < 0) return;
  if (file->size > 0) munmap(file->base, file->size);
  close(file->fd);
  *file = (filemap){.fd = -1};
}

uint64_t filemap_length(const filemap *file) {
  struct stat info;
  return fstat(file->fd, &info) == 0 ? (uint64_t)info.st_size : UINT64_MAX;
}

int filemap_flush(const filemap *file) {
  if (file->size == 0) return 0;
  return msync(file->base, file->size, MS_SYNC) == 0 ? 0 : -errno;
}
