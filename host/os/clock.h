/* Monotonic time in nanoseconds, and the one place where a timeout becomes a deadline.

   A deadline is an absolute CLOCK_MONOTONIC time. Timeouts are turned into deadlines once, at the
   edge of the API, and stay so: a call that is woken ten times still ends when it was asked to end.
 */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER INT64_MAX /* the deadline of a call without a timeout */
#define CLOCK_SLICE 50000000  /* ns: the longest sleep in one go; see futex.h */

/* Nanoseconds since an arbitrary start; never goes back. */
int64_t clock_now(void);

/* The same as of the last tick of the system's clock, 1 to 10 ms ago: a quarter of the price. */
int64_t clock_tick(void);

/* The deadline `seconds` from now; not positive: a time already past; huge or NaN: CLOCK_NEVER. */
int64_t clock_deadline(double seconds);

/* The earlier of the deadline and one slice from now. */
int64_t clock_slice(int64_t deadline);

/* Sleeps until the deadline, or until a signal handler ran: 0, or -EINTR. */
int clock_sleep_until(int64_t deadline);

#endif
