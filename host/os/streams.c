/* Streams at a fork: see streams.h. */
#include "os/streams.h"

#include <stdio.h>
#include <stdio_ext.h>

#include "os/tether.h"

/* glibc's own walk over all open streams: exported, and in no header. */
extern void *_IO_iter_begin(void) __attribute__((weak));
extern void *_IO_iter_end(void) __attribute__((weak));
extern void *_IO_iter_next(void *) __attribute__((weak));
extern FILE *_IO_iter_file(void *) __attribute__((weak));
extern void _IO_list_lock(void) __attribute__((weak));
extern void _IO_list_unlock(void) __attribute__((weak));

static void flush_free(FILE *stream) {
  if (ftrylockfile(stream) != 0) return;
  if (__fpending(stream)) fflush_unlocked(stream);
  funlockfile(stream);
}

static void forget(FILE *stream) {
  if (__fpending(stream)) __fpurge(stream);
}

static void each(void (*what)(FILE *)) {
  if (!_IO_iter_begin || !_IO_iter_file || !_IO_list_lock) {
    what(stdout);
    what(stderr);
    return;
  }
  _IO_list_lock();
  for (void *i = _IO_iter_begin(); i != _IO_iter_end(); i = _IO_iter_next(i))
    what(_IO_iter_file(i));
  _IO_list_unlock();
}

void streams_flush(void) {
  if (tether_has_threads())
    each(flush_free);
  else
    fflush(NULL);
}

/* Whether there were threads is what the parent knew; here there is one. */
void streams_forget(void) {
  each(forget);
}

static void (*at_leave)(void);

void streams_at_leave(void (*last)(void)) {
  at_leave = last;
}

void streams_leave(void) {
  fflush(NULL);
  if (at_leave) at_leave();
}
