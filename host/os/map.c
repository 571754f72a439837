/* memfd mappings: see map.h. */
#include "os/map.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "os/lift.h"
#include "os/memory.h"

/* ftruncate beyond RLIMIT_FSIZE would not fail, it would raise SIGXFSZ. */
static size_t within_file_limit(size_t size) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return size;
  while (size > limit.rlim_cur) size /= 2;
  return size;
}

/* A part of the address space that neither the program, nor its heap, stack and libraries come
   near, nor a sanitizer's shadow; on machines whose address space ends below it nothing is there to
   be had. Where in it differs from run to run, as all addresses do. */
#define QUIET ((uintptr_t)1 << 45)
#define STEP ((uintptr_t)1 << 38)
#define TRIES 8

static void *quiet_place(int attempt) {
  const uint8_t *random = (const uint8_t *)getauxval(AT_RANDOM); /* 16 bytes of this image's own */
  return (void *)(QUIET + STEP * ((random ? *random % 32 : 0) + (uintptr_t)attempt));
}

static void *map_shared(void *at, size_t size, int fd, int flags) {
  return mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | flags, fd, 0);
}

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define SHADOWLESS 1 /* ThreadSanitizer has no shadow for these addresses */
#else
#define SHADOWLESS 0
#endif

/* Valgrind keeps books about addresses up there that take gigabytes, and each process looks through
 * all that is mapped when it ends. */
#define VALGRIND_MOST ((size_t)256 << 20)

static int in_valgrind(void) {
  const char *preloaded = getenv("LD_PRELOAD");
  return preloaded && strstr(preloaded, "/vgpreload_");
}

static void *map_somewhere(size_t size, int fd) {
  for (int i = 0; i < TRIES && size <= STEP && !SHADOWLESS && !in_valgrind(); i++) {
    void *base = map_shared(quiet_place(i), size, fd, MAP_FIXED_NOREPLACE);
    if (base == quiet_place(i)) return base;
    if (base != MAP_FAILED) munmap(base, size); /* a kernel that takes it for a hint */
  }
  return map_shared(NULL, size, fd, 0);
}

int map_attach(map *m, int fd, void *base, size_t size) {
  void *got = map_shared(base, size, fd, MAP_FIXED_NOREPLACE);
  if (got == MAP_FAILED) return -errno;
  if (got != base) {
    munmap(got, size);
    return -EEXIST;
  }
  madvise(base, size, MADV_DONTDUMP);
  *m = (map){.base = base, .size = size, .fd = fd};
  return 0;
}

int map_reserve(map *m, size_t size, size_t least) {
  int fd = lift(memfd_create("mphost", MFD_CLOEXEC));
  if (fd < 0) return fd;
  int rc = -EFBIG;
  if (in_valgrind() && size > VALGRIND_MOST) size = VALGRIND_MOST;
  for (size = within_file_limit(size); size >= least; size /= 2) {
    if (ftruncate(fd, (off_t)size) != 0) {
      rc = -errno;
      continue;
    }
    void *base = map_somewhere(size, fd);
    if (base == MAP_FAILED) {
      rc = -errno;
      continue;
    }
    madvise(base, size, MADV_DONTDUMP); /* a core file of the script's, not of its data */
    *m = (map){.base = base, .size = size, .fd = fd};
    return 0;
  }
  close(fd);
  return rc;
}

void map_release(map *m) {
  munmap(m->base, m->size);
  close(m->fd);
  *m = (map){.fd = -1};
}

static int retried(int fd, int mode, size_t offset, size_t size) {
  while (fallocate(fd, mode, (off_t)offset, (off_t)size) != 0)
    if (errno != EINTR) return -errno;
  return 0;
}

#define RESERVE ((uint64_t)32 << 20)     /* never taken: the system itself needs some */
#define CREDIT_MOST ((uint64_t)64 << 20) /* taken at most between two looks */

/* fallocate does not fail for want of memory, it brings the system to kill processes. Looking costs
   some 50 us. */
static int is_there(uint64_t size) {
  static _Thread_local uint64_t credit; /* so much may be taken without looking again */
  if (size > credit) {
    uint64_t available = memory_available();
    if (available < RESERVE || available - RESERVE < size) return 0;
    credit = size + (available - RESERVE - size) / 16;
    if (credit > size + CREDIT_MOST) credit = size + CREDIT_MOST;
  }
  credit -= size;
  return 1;
}

/* Beyond a limit that was lowered after the reservation fallocate and pwrite raise SIGXFSZ in this
   thread: it is taken away unless it was pending already. */
struct quiet {
  sigset_t before, pending;
};

static sigset_t one_signal(void) {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGXFSZ);
  return one;
}

static void quiet_begin(struct quiet *quiet) {
  sigset_t one = one_signal();
  sigpending(&quiet->pending);
  pthread_sigmask(SIG_BLOCK, &one, &quiet->before);
}

static void quiet_end(const struct quiet *quiet, int was_raised) {
  sigset_t one = one_signal();
  if (was_raised && !sigismember(&quiet->pending, SIGXFSZ))
    sigtimedwait(&one, NULL, &(struct timespec){0});
  pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
}

int map_commit(const map *m, size_t offset, size_t size) {
  if (!is_there(size)) return -ENOMEM;
  struct quiet quiet;
  quiet_begin(&quiet);
  int rc = retried(m->fd, 0, offset, size);
  quiet_end(&quiet, rc == -EFBIG);
  return rc;
}

/* How many of the bytes the system wrote; it need not be all. */
static size_t write_by_system(const map *m, size_t offset, const char *bytes, size_t size) {
  struct quiet quiet;
  size_t done = 0;
  ssize_t n = 0;
  quiet_begin(&quiet);
  while (done < size &&
         ((n = pwrite(m->fd, bytes + done, size - done, (off_t)(offset + done))) > 0 ||
          (n < 0 && errno == EINTR)))
    if (n > 0) done += (size_t)n;
  quiet_end(&quiet, n < 0 && errno == EFBIG);
  return done;
}

/* Linux maps so many bytes at a read of a page that is there, for writing too; at a write only its
   page. */
#define AROUND ((size_t)64 << 10)

static void touch(const map *m, size_t offset, size_t size) {
  for (size_t at = offset; at < offset + size; at = at / AROUND * AROUND + AROUND)
    (void)*(volatile const char *)(m->base + at);
}

void map_write(const map *m, size_t offset, const void *bytes, size_t size, int fresh) {
  size_t done = 0;
  if (fresh)
    done = write_by_system(m, offset, bytes, size);
  else
    touch(m, offset, size);
  memcpy(m->base + offset + done, (const char *)bytes + done, size - done);
}

int map_discard(const map *m, size_t offset, size_t size) {
  size_t from = (offset + MAP_PAGE - 1) / MAP_PAGE * MAP_PAGE;
  size_t to = (offset + size) / MAP_PAGE * MAP_PAGE;
  if (from >= to) return 0;
  return retried(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, to - from);
}
