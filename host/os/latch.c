/* The process's own lock: see latch.h. */
#include "os/latch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define MOST 8

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t registered = PTHREAD_ONCE_INIT;
typedef void (*at_fork)(void);
static _Atomic(at_fork) children[MOST];

static void before_fork(void) {
  pthread_mutex_lock(&mutex);
}

static void in_parent(void) {
  pthread_mutex_unlock(&mutex);
}

static void in_child(void) {
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < MOST; i++) {
    at_fork child = atomic_load(&children[i]);
    if (child) child();
  }
}

static void register_once(void) {
  pthread_atfork(before_fork, in_parent, in_child);
}

void latch_lock(void) {
  pthread_once(&registered, register_once);
  pthread_mutex_lock(&mutex);
}

void latch_unlock(void) {
  pthread_mutex_unlock(&mutex);
}

/* Without the lock: it is asked for under it, too. */
void latch_at_fork(void (*child)(void)) {
  pthread_once(&registered, register_once);
  for (int i = 0; i < MOST; i++) {
    at_fork none = NULL;
    if (atomic_compare_exchange_strong(&children[i], &none, child) || none == child) return;
  }
  abort(); /* a fixed, small number of rooms ask */
}
