/* Sleeping on 32-bit words in shared memory, and waking the sleepers.

   The words lie in memory that other processes map too, so no call is ever FUTEX_PRIVATE.
   Rule of the house: nobody sleeps longer than CLOCK_SLICE at a time. A waker that is killed
   between its store and its wake would otherwise leave a sleeper behind for ever; with slices the
   sleeper looks again after 50 ms at the latest. Callers loop: check, sleep a slice, check. */
#ifndef OS_FUTEX_H
#define OS_FUTEX_H

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

#define FUTEX_MANY 128 /* words that futex_wait_many can watch */

/* While this is set no sleep begins: waits return -EINTR at once. A signal handler sets it to be
   noticed also when the signal did not come during a sleep but just before; with slices that is
   after 50 ms at the latest. Who set it clears it. */
extern volatile sig_atomic_t futex_disturbed;

/* Sleeps while *word == expected, until the deadline (absolute, ns).
   0 woken (perhaps for nothing), -EAGAIN the word differs, -ETIMEDOUT, -EINTR a signal handler ran.
 */
int futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);

/* The same over n <= FUTEX_MANY words: returns as soon as one of them differs or is woken.
   Where the kernel has no futex_waitv it sleeps on the first word for at most a millisecond. */
int futex_wait_many(_Atomic uint32_t *const *words, const uint32_t *expected, int n,
                    int64_t deadline);

/* Wakes up to n sleepers of this word: how many. */
int futex_wake(_Atomic uint32_t *word, int n);

/* How many times a waiter should look before it sleeps: 0 where this process has one CPU only. */
int futex_spins(void);

/* Tells the CPU that this is a spin loop. */
static inline void futex_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb" ::: "memory");
#endif
}

#endif
