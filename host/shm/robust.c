/* A lock that survives its owner: see robust.h. */
#include "shm/robust.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/futex.h"
#include "os/latch.h"

#define SPINS 100 /* looks before the first sleep; critical sections are some 50 ns long */

struct entry {
  struct entry *next; /* bit 0 set: a priority-inheritance mutex of the C library's */
};
struct head {
  struct entry list;
  long futex_offset;
  struct entry *pending;
};

/* This thread's list, and its id; forgotten in a forked child, where the id is another one. */
static _Thread_local struct head *my_head;
static _Thread_local uint32_t my_tid;
static _Thread_local int my_count;
static _Atomic int foreign_layout; /* the same for all threads, each of which finds it out */

#define ORDER()                                                                                    \
  atomic_signal_fence(memory_order_seq_cst) /* the kernel reads our stores in program order */

static void forget_thread(void) {
  my_tid = 0;
}

static void learn_thread(void) {
  size_t size;
  syscall(SYS_get_robust_list, 0, &my_head, &size);
  my_tid = (uint32_t)syscall(SYS_gettid);
  my_count = 0;
  long offset = (long)offsetof(robust, word) - (long)offsetof(robust, node);
  int foreign = my_head == NULL || my_head->futex_offset != offset;
  atomic_store_explicit(&foreign_layout, foreign, memory_order_relaxed);
  latch_at_fork(forget_thread);
}

/* Relaxed: it says nothing about other memory. */
static inline int is_foreign(void) {
  return atomic_load_explicit(&foreign_layout, memory_order_relaxed);
}

static inline void know_thread(void) {
  if (__builtin_expect(my_tid == 0, 0)) learn_thread();
}

static struct entry *entry_of(robust *lock) {
  return (struct entry *)&lock->node;
}

static void **prev_of(struct entry *entry) {
  return (void **)((uintptr_t)entry & ~(uintptr_t)1) - 1;
}

static void link_lock(robust *lock) {
  struct entry *first = my_head->list.next;
  lock->node = first;
  lock->prev = &my_head->list;
  ORDER();
  *prev_of(first) = entry_of(lock);
  ORDER();
  my_head->list.next = entry_of(lock);
}

static void unlink_lock(robust *lock) {
  struct entry *next = lock->node, *prev = lock->prev;
  *prev_of(next) = prev;
  ORDER();
  prev->next = next;
  ORDER();
}

static void set_pending(robust *lock) {
  my_head->pending = lock ? entry_of(lock) : NULL;
  ORDER();
}

static int owned(robust *lock, uint32_t old) {
  ORDER();
  link_lock(lock);
  ORDER();
  set_pending(NULL);
  my_count++;
  return old & FUTEX_OWNER_DIED ? ROBUST_DIED : ROBUST_OK;
}

static int take(robust *lock, uint32_t *old, uint32_t flags) {
  return atomic_compare_exchange_strong_explicit(&lock->word, old, my_tid | flags,
                                                 memory_order_acquire, memory_order_relaxed);
}

/* One look, then a sleep of at most a slice. 1 taken, 0 look again, -ETIMEDOUT, -EINTR. */
static int wait_turn(robust *lock, uint32_t *keep, uint32_t *old, int64_t deadline) {
  *old = atomic_load_explicit(&lock->word, memory_order_relaxed);
  if (!(*old & FUTEX_TID_MASK)) return take(lock, old, (*old & FUTEX_WAITERS) | *keep);
  int late = deadline != CLOCK_NEVER && clock_now() >= deadline;
  if (late && !*keep) return -ETIMEDOUT;
  uint32_t marked = *old | FUTEX_WAITERS;
  if (*old != marked && !atomic_compare_exchange_strong(&lock->word, old, marked)) return 0;
  if (late) return -ETIMEDOUT; /* the mark stays: a wake that was ours may have been another's */
  *keep = FUTEX_WAITERS;       /* we may have been woken instead of others that still sleep */
  return futex_wait(&lock->word, marked, clock_slice(deadline)) == -EINTR ? -EINTR : 0;
}

static int lock_slowly(robust *lock, int64_t deadline) {
  uint32_t keep = 0, old;
  int spins = futex_spins() ? SPINS : 0;
  for (int i = 0; i < spins; i++) {
    old = atomic_load_explicit(&lock->word, memory_order_relaxed);
    if (old == 0 && take(lock, &old, 0)) return owned(lock, 0);
    futex_pause();
  }
  for (;;) {
    int rc = wait_turn(lock, &keep, &old, deadline);
    if (rc > 0) return owned(lock, old);
    if (rc < 0) {
      set_pending(NULL);
      return rc;
    }
  }
}

static pthread_mutex_t *as_mutex(robust *lock) {
  return (pthread_mutex_t *)(void *)lock;
}

static int from_pthread(robust *lock, int rc) {
  if (rc == 0 || rc == EOWNERDEAD) my_count++;
  if (rc != EOWNERDEAD) return -rc;
  pthread_mutex_consistent(as_mutex(lock));
  return ROBUST_DIED;
}

static int lock_mutex(robust *lock, int64_t deadline) {
  if (deadline == CLOCK_NEVER) return from_pthread(lock, pthread_mutex_lock(as_mutex(lock)));
  struct timespec t = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};
  return from_pthread(lock, pthread_mutex_clocklock(as_mutex(lock), CLOCK_MONOTONIC, &t));
}

static void init_mutex(robust *lock) {
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(as_mutex(lock), &kind);
  pthread_mutexattr_destroy(&kind);
}

void robust_init(robust *lock) {
  know_thread();
  memset(lock, 0, sizeof *lock);
  if (is_foreign()) init_mutex(lock);
}

int robust_lock_until(robust *lock, int64_t deadline) {
  know_thread();
  if (is_foreign()) return lock_mutex(lock, deadline);
  uint32_t free = 0;
  set_pending(lock);
  if (__builtin_expect(take(lock, &free, 0), 1)) return owned(lock, 0);
  return lock_slowly(lock, deadline);
}

int robust_lock(robust *lock) {
  int rc;
  do rc = robust_lock_until(lock, CLOCK_NEVER);
  while (rc == -EINTR);
  return rc;
}

int robust_trylock(robust *lock) {
  know_thread();
  if (is_foreign()) return from_pthread(lock, pthread_mutex_trylock(as_mutex(lock)));
  set_pending(lock);
  uint32_t old = atomic_load_explicit(&lock->word, memory_order_relaxed);
  if (!(old & FUTEX_TID_MASK) && take(lock, &old, old & FUTEX_WAITERS)) return owned(lock, old);
  set_pending(NULL);
  return -EBUSY;
}

void robust_unlock(robust *lock) {
  my_count--;
  if (is_foreign()) {
    pthread_mutex_unlock(as_mutex(lock));
    return;
  }
  set_pending(lock);
  unlink_lock(lock);
  /* seq_cst: callers look for sleepers right after, and must see a flag set before their commit. */
  uint32_t old = atomic_exchange(&lock->word, 0);
  if (__builtin_expect(old & FUTEX_WAITERS, 0)) futex_wake(&lock->word, 1);
  ORDER();
  set_pending(NULL);
}

void robust_expect_waiters(robust *lock) {
  if (!is_foreign()) atomic_fetch_or(&lock->word, FUTEX_WAITERS);
}

int robust_is_mine(const robust *lock) {
  know_thread();
  return (atomic_load_explicit(&lock->word, memory_order_relaxed) & FUTEX_TID_MASK) == my_tid;
}

int robust_is_ours(const robust *lock) {
  uint32_t tid = atomic_load(&lock->word) & FUTEX_TID_MASK;
  return tid && !robust_is_mine(lock) && syscall(SYS_tgkill, getpid(), (pid_t)tid, 0) == 0;
}

int robust_held(void) {
  know_thread();
  return my_count;
}

int robust_held_in(const void *memory, size_t size) {
  know_thread();
  if (!my_head) return 0;
  const struct entry *entry = my_head->list.next;
  while (entry != &my_head->list) {
    entry = (const struct entry *)((uintptr_t)entry & ~(uintptr_t)1);
    if ((uintptr_t)entry - (uintptr_t)memory < size) return 1;
    entry = entry->next;
  }
  return 0;
}

int robust_is_free(const robust *lock) {
  return (atomic_load(&lock->word) & FUTEX_TID_MASK) == 0;
}
