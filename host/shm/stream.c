/* Taking turns in writing: see stream.h. */
#include "shm/stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/region.h"
#include "shm/robust.h"

#define STREAMS 64
#define SLICE 50 /* ms */
#define ERASE "\r\033[K"

struct stream {
  _Atomic uint64_t key;
  _Atomic uint32_t torn;
  _Atomic uint32_t bar;
  robust lock;
  uint64_t pad1;
};
_Static_assert(sizeof(struct stream) == 64, "one cache line");
_Static_assert(REGION_STREAMS + STREAMS * sizeof(struct stream) <= REGION_CRASHES,
               "they have their place");

static struct stream *streams(void) {
  return region_at(REGION_STREAMS);
}

void stream_init(void) {
  for (int i = 0; i < STREAMS; i++) robust_init(&streams()[i].lock);
}

/* Never 0. Two things of one key would share a lock: they may. */
static uint64_t key_of(const struct stat *about) {
  uint64_t z = (uint64_t)about->st_ino + ((uint64_t)about->st_dev << 48);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  return (z ^ (z >> 27)) | 1;
}

int stream_find(int fd) {
  struct stat about;
  if (!region.base || fstat(fd, &about) != 0 || S_ISREG(about.st_mode)) return STREAM_NONE;
  uint64_t key = key_of(&about);
  for (int i = 0; i < STREAMS; i++) {
    uint64_t there = 0;
    if (atomic_compare_exchange_strong(&streams()[i].key, &there, key) || there == key) return i;
  }
  return STREAM_NONE;
}

static int write_all(int fd, const char *bytes, size_t size) {
  while (size > 0) {
    ssize_t n = write(fd, bytes, size);
    if (n > 0) {
      bytes += n;
      size -= (size_t)n;
    } else if (n < 0 && errno == EAGAIN) {
      struct pollfd room = {.fd = fd, .events = POLLOUT};
      poll(&room, 1, SLICE);
    } else if (n == 0 || errno != EINTR) {
      return n == 0 ? -EIO : -errno;
    }
  }
  return 0;
}

static void erase_bar(struct stream *s, int fd) {
  if (!atomic_load(&s->bar)) return;
  write_all(fd, ERASE, sizeof ERASE - 1);
  atomic_store(&s->bar, 0);
}

int stream_bar(int stream, int fd, const char *text, size_t size) {
  if (stream < 0) return -ENOTTY;
  struct stream *s = &streams()[stream];
  robust_lock(&s->lock);
  erase_bar(s, fd);
  if (size) atomic_store(&s->bar, 1); /* before: who dies in it has it taken away by others */
  int rc = write_all(fd, text, size);
  robust_unlock(&s->lock);
  return rc;
}

int stream_write(int stream, int fd, const char *bytes, size_t size) {
  if (stream < 0) return write_all(fd, bytes, size);
  struct stream *s = &streams()[stream];
  int died = robust_lock(&s->lock) == ROBUST_DIED;
  if (died && atomic_load(&s->torn)) write_all(fd, "\n", 1);
  erase_bar(s, fd);
  atomic_store(&s->torn, size > PIPE_BUF);
  int rc = write_all(fd, bytes, size);
  atomic_store(&s->torn, 0);
  robust_unlock(&s->lock);
  return rc;
}
