/* Members of the family as threads of one process: what ThreadSanitizer can look at.

   Built with SHM_MEMBERS_ARE_THREADS (shm/region.h): what is each process's is each thread's: its
   slot, its open transaction, and where it sees the region. A crew of threads is made once; each
   has a slot of its own and a mapping of its own choice. A case gives all of them the same orders.
   Nothing here orders the threads but the beginning and the end of the case. */
#ifndef SPEC_SHM_THREADS_H
#define SPEC_SHM_THREADS_H

#include "support.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "shm/cell.h"
#include "shm/dict.h"
#include "shm/job.h"
#include "shm/queue.h"
#include "threads_tsan.h"

#define CREW 6

/* In a thread a failed assertion of cmocka's would jump to another's stack. */
#define sure(condition)                                                                            \
  do {                                                                                             \
    if (!(condition)) sure_failed(#condition, __FILE__, __LINE__);                                 \
  } while (0)

static inline _Noreturn void sure_failed(const char *what, const char *file, int line) {
  fprintf(stderr, "%s:%d: thread: %s\n", file, line, what);
  _exit(70);
}

typedef void orders(int who);

static int rounds = 3; /* how long cases last */
static int two_mappings;
static int broken; /* the orders are weakened while the crew is at work */
static orders *given;
static int crew_slot[CREW];
/* Two: who comes late out of a barrier sees what others did before they came to it again. */
static pthread_barrier_t gate, finish;

static void *serve(void *arg) {
  int who = (int)(intptr_t)arg;
  region = first;
  sure(family_enter(crew_slot[who]) == 0);
  for (;;) {
    pthread_barrier_wait(&gate);
    if (!given) return NULL;
    region = two_mappings && who % 2 ? second : first;
    given(who);
    pthread_barrier_wait(&finish);
  }
}

static void rest(int who) {
  (void)who;
}

/* All of the crew do as told, at once. */
static void crew_do(orders *what) {
  given = what;
  weaken = broken && what != rest;
  pthread_barrier_wait(&gate);
  pthread_barrier_wait(&finish);
  weaken = 0;
}

static pthread_t crew[CREW];

static int crew_begin(void **state) {
  (void)state;
  /* A small region: two mappings of the usual one and their shadows are a lot of address space. */
  struct rlimit limit = {(rlim_t)1 << 30, (rlim_t)1 << 30};
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
  assert_int_equal(family_open(), 0);
  map_again();
  pthread_barrier_init(&gate, NULL, CREW + 1);
  pthread_barrier_init(&finish, NULL, CREW + 1);
  for (int i = 0; i < CREW; i++) {
    assert_true((crew_slot[i] = family_claim()) > 0);
    assert_int_equal(pthread_create(&crew[i], NULL, serve, (void *)(intptr_t)i), 0);
  }
  crew_do(rest); /* all have entered */
  return 0;
}

static int crew_end(void **state) {
  (void)state;
  given = NULL;
  pthread_barrier_wait(&gate);
  for (int i = 0; i < CREW; i++) {
    pthread_join(crew[i], NULL);
    family_reap(crew_slot[i]);
  }
  return 0;
}

#endif
