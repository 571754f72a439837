/* Processes by epoll: see deaths.h. */
#include "app/deaths.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "os/proc.h"
#include "shm/family.h"

static void drop(struct death *death, int epoll) {
  if (death->fd < 0) return;
  if (epoll >= 0) epoll_ctl(epoll, EPOLL_CTL_DEL, death->fd, NULL);
  close(death->fd);
  death->fd = -1;
}

static bool make_room(struct deaths *d, int count) {
  if (count <= d->count) return true;
  struct death *more = realloc(d->slot, (size_t)(count + 16) * sizeof *more);
  if (!more) return false;
  for (int i = d->count; i < count + 16; i++) more[i] = (struct death){.fd = -1};
  d->slot = more;
  d->count = count + 16;
  return true;
}

/* Watches the process that is in the slot now: 1 it is dead, 0, or -errno. */
static int watch(struct death *death, int epoll, int slot, pid_t pid, uint64_t gen) {
  drop(death, epoll);
  int fd = proc_open_pid(pid);
  if (fd < 0 && fd != -ESRCH) return fd;
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = DEATHS_SLOT + (uint64_t)slot};
  if (fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  *death = (struct death){.gen = gen, .fd = fd < 0 ? -1 : fd, .known = true};
  return fd < 0;
}

bool deaths_watch(struct deaths *d, int epoll) {
  uint32_t arrivals = family_arrivals();
  if (d->slot && !d->blind && arrivals == d->arrivals) return false;
  int high = family_high();
  bool found = false;
  d->arrivals = arrivals;
  d->blind = !make_room(d, high > 0 ? high : 1);
  for (int i = 1; i < high && i < d->count; i++) { /* the first: all others die with it */
    uint64_t gen;
    pid_t pid = family_pid(i, &gen);
    if (pid == 0 || i == family_index() || (d->slot[i].known && d->slot[i].gen == gen)) continue;
    int rc = watch(&d->slot[i], epoll, i, pid, gen);
    if (rc < 0) d->blind = true;
    if (rc > 0) found = true;
  }
  return found;
}

void deaths_note(struct deaths *d, int epoll, uint64_t data) {
  if (data - DEATHS_SLOT < (uint64_t)d->count) drop(&d->slot[data - DEATHS_SLOT], epoll);
}

void deaths_end(struct deaths *d, int epoll) {
  for (int i = 0; i < d->count; i++) drop(&d->slot[i], epoll);
  free(d->slot);
  *d = (struct deaths){0};
}
