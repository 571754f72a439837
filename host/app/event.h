/* What a host's descriptor for event loops is made of. See event.c. */
#ifndef APP_EVENT_H
#define APP_EVENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "app/deaths.h"
#include "mphost.h"

struct watch {
  mph_ref ref;
  mph_ready ready;
  void *user;
};

struct loop {
  struct watch *watches;
  int watch_count, watch_room;
  int epoll, timer; /* -1: not asked for yet */
  pid_t pid;        /* whose they are: a forked child has copies that it must not touch */
  bool listens;     /* the bell and deaths are in the set */
  bool ticks;
  bool soon;    /* something that was looked at is to be looked at again after a while */
  bool settled; /* a watched future is, since the last look at all */
  bool dispatching;
  struct deaths deaths;
};

void event_begin(struct loop *loop);

/* While the family is there still; and again when it may be gone. */
void event_end(struct loop *loop);
void event_free(struct loop *loop);

#endif
