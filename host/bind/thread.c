/* The end of threads: see thread.h. */
#include "bind/thread.h"

#include <pthread.h>
#include <stdlib.h>

#define MOST 8

typedef void at_end(void);

static _Thread_local at_end *ends[MOST];
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void call_ends(void *unused) {
  (void)unused;
  for (int i = 0; i < MOST && ends[i]; i++) {
    at_end *end = ends[i];
    ends[i] = NULL;
    end();
  }
}

static void make_key(void) {
  if (pthread_key_create(&key, call_ends) != 0) abort();
}

void thread_at_end(at_end *end) {
  int i = 0;
  while (i < MOST && ends[i] && ends[i] != end) i++;
  if (i == MOST) abort(); /* a fixed, small number of files ask */
  if (ends[i]) return;
  pthread_once(&once, make_key);
  pthread_setspecific(key, ends);
  ends[i] = end;
}
