/* The robust lock (host/shm/robust.c) and what the kernel does for it when its owner dies.

   Assumptions
   - A step is one access to the word or the list, or one system call. Steps of different processes
     interleave in any order; all of them see one memory (the word's accesses are on one word, and
     the kernel sees a dead process's stores in program order: ORDER() in robust.c).
   - Death: with DEATHS > 0 a process may stop for ever before any step. Some time later the kernel
     walks its robust list (an entry that is pending only at the end) and marks the word OWNER_DIED
     and wakes one waiter if WAITERS is set; for a pending entry whose word has no owner it wakes one
     waiter (Linux since 5.2 or the stable kernels of that time: KERNEL_WAKES). Dying sleepers leave the futex's
     queue first.
   - A sleep ends by a wake, which chooses any sleeper, or, with SLICES, by itself; that is modelled
     only where it makes a difference: when the lock has no owner. With TIMEOUTS a waiter may give up
     whenever it has looked.
   - Spinning before the first sleep is left out: it only looks.

   Properties
   - mutual exclusion
   - who takes the lock after an owner that died inside is told so
   - nobody alive waits for ever: without deaths also without slices, whoever gives up; with deaths
     slices are needed (a waiter that was woken, was overtaken and dies takes the mark with it that
     others sleep) and suffice.

   MUTANT breaks the protocol: a property must fail. */

#ifndef PROCESSES
#define PROCESSES 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef SLICES
#define SLICES 0
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 0
#endif
#ifndef KERNEL_WAKES
#define KERNEL_WAKES 1
#endif
#ifndef MUTANT
#define MUTANT 0
#endif

#define NO_KEEP 1       /* who was woken takes the lock without marking it for those that still sleep */
#define NO_COMPARE 2    /* the sleep does not compare the word */
#define NO_PENDING 3    /* unlock does not tell the kernel what it is about to do */
#define NO_EXCHANGE 4   /* unlock reads the word and stores 0 in two steps */
#define LINK_LATE 5     /* lock is not pending: dies before it is linked, and the kernel knows nothing */
#define LEAVE_UNMARKED 6 /* who gives up after it was woken does not mark the lock for those that sleep */

#if DEATHS
#define MORTAL unless { !alive[me] }
#else
#define MORTAL /* spin searches less without the escapes */
#endif

#define TID 7
#define WAITERS 8
#define DIED 16

byte word;
bit alive[PROCESSES] = 1, pending[PROCESSES], linked[PROCESSES], asleep[PROCESSES], done[PROCESSES];
byte deaths = DEATHS;
/* Ghosts: what nobody can see. */
byte inside;  /* in the critical section, a dead one too until the kernel gives the lock back */
bit broken;   /* an owner died inside and nobody was told yet */

inline wake_one() {
  atomic {
    if
    :: asleep[0] -> asleep[0] = 0
    :: asleep[1] -> asleep[1] = 0
#if PROCESSES > 2
    :: asleep[2] -> asleep[2] = 0
#endif
#if PROCESSES > 3
    :: asleep[3] -> asleep[3] = 0
#endif
    :: else
    fi
  }
}

inline bury(is_pending) {
  if
  :: atomic { (word & TID) == me + 1 -> old = word; word = (word & WAITERS) | DIED;
              broken = broken || in; inside = inside - in; in = 0 };
     if :: old & WAITERS -> wake_one() :: else fi
  :: atomic { (word & TID) == 0 && is_pending && KERNEL_WAKES -> skip }; wake_one()
  :: else
  fi
}

proctype process(byte me) {
  byte old, keep, round;
  bit in;
  {
    do
    :: round == ROUNDS -> break
    :: round < ROUNDS ->
       /* robust_lock_until */
       if :: MUTANT != LINK_LATE -> pending[me] = 1 :: else fi;
       keep = 0;
       if
       :: atomic { word == 0 -> word = me + 1; old = 0; goto owned }
       :: atomic { word != 0 -> skip }
       fi;
again: old = word;
       if
       :: !(old & TID) ->
          if
          :: atomic { word == old -> word = (me + 1) | (old & WAITERS) | keep; goto owned }
          :: atomic { word != old -> goto again }
          fi
       :: else
       fi;
       if
       :: TIMEOUTS ->
          if
          :: !keep || (old & WAITERS) || MUTANT == LEAVE_UNMARKED
          :: else ->
             if
             :: atomic { word == old -> word = old | WAITERS }
             :: atomic { word != old -> goto again }
             fi
          fi;
          pending[me] = 0;
          goto next
       :: true
       fi;
       if
       :: old & WAITERS
       :: else ->
          if
          :: atomic { word == old -> word = old | WAITERS }
          :: atomic { word != old -> goto again }
          fi
       fi;
       if :: MUTANT != NO_KEEP -> keep = WAITERS :: else fi;
       atomic { if :: word == (old | WAITERS) || MUTANT == NO_COMPARE -> asleep[me] = 1 :: else fi };
       if
       :: !asleep[me]
       :: atomic { SLICES && asleep[me] && (word & TID) == 0 -> asleep[me] = 0 }
       fi;
       goto again;

owned: atomic { in = 1; inside++; assert(inside == 1); assert(!broken || (old & DIED)); broken = 0 };
       linked[me] = 1;
       pending[me] = 0;
       /* inside */
       if :: MUTANT != NO_PENDING -> pending[me] = 1 :: else fi;
       linked[me] = 0;
       if
       :: MUTANT == NO_EXCHANGE -> old = word; atomic { inside = inside - in; in = 0; word = 0 }
       :: else -> atomic { inside = inside - in; in = 0; old = word; word = 0 }
       fi;
       if :: old & WAITERS -> wake_one() :: else fi;
       pending[me] = 0;
next:  round++
    od;
    atomic { done[me] = 1; goto end }
  } MORTAL;
  /* the kernel */
  asleep[me] = 0;
  if :: linked[me] && !pending[me] -> bury(0) :: else fi;
  if :: pending[me] -> bury(1) :: else fi;
  done[me] = 1;
end: skip
}

/* The word between taking it and `owned` is covered by pending; `in` is set with owned: a death
   before is not inside. */
proctype killer() {
  do
  :: deaths == 0 -> break
  :: break
  :: atomic { deaths > 0 && !done[0] && alive[0] -> alive[0] = 0; deaths-- }
  :: atomic { deaths > 0 && !done[1] && alive[1] -> alive[1] = 0; deaths-- }
  od
}

init {
  byte i;
  atomic {
    for (i : 0 .. PROCESSES - 1) { run process(i) }
    if :: DEATHS -> run killer() :: else fi
  };
  timeout;
  for (i : 0 .. PROCESSES - 1) { assert(done[i]) }
}
