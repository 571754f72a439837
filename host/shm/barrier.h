/* A barrier: parties wait until all of a round are there, then go on together.

   guard     robust lock over arrivals and decisions; held for some hundred instructions, never
             while waiting or while the action runs
   last      the round decided last and how (enum ending), in one word: storing it is the decision.
             The round after it is the one that parties arrive in; a broken one must be reset first.
   owner     of an entry: 0 free; the party's process (family.h). Stored last when it arrives, under
             the guard; cleared by the party when it goes, or by others when it is dead
   ticket    of an entry: the round, and how it ended once `last` is about to speak of another one.
             Written by the party before its owner, then under the guard
   high      entries from here on were never taken; under the guard, before the owner of the last
   one gate      where parties sleep; each decision wakes all

   How many have arrived is counted, not stored: entries of the current round. A party finds its
   round's ending in `last`, or, when that has moved on, in its ticket: tickets of round r are
   settled before round r+1 is decided.
   Dies holding the guard: all is derived from single stores, the next owner has nothing to repair.
   Dies after its arrival and before the round's decision: the round is broken (gone) by whoever
   sees it, sleepers look each slice. Dies after the decision: its entry is free.
   Without an action the last party decides instead of arriving: until that store it has not come.
   With one it runs that between its arrival and its decision, as one that waits: if it
   dies there, or somebody else breaks the round meanwhile, that was the decision. */
#ifndef SHM_BARRIER_H
#define SHM_BARRIER_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm/gate.h"
#include "shm/heap.h"
#include "shm/robust.h"

#define BARRIER_MOST 10000 /* parties */

enum ending {
  BARRIER_PENDING = 0,
  BARRIER_PASSED,
  BARRIER_RESET,
  BARRIER_TIMED_OUT, /* from here on it is broken */
  BARRIER_GONE,
  BARRIER_ABORTED,
  BARRIER_FAILED /* its action raised an error */
};

struct party {
  _Atomic uint64_t owner;
  _Atomic uint64_t ticket;
};

struct barrier {
  robust guard;
  uint32_t parties; /* these four never change after the barrier is known */
  uint32_t entries;
  uint64_t action;   /* block with its code, owned by the barrier; 0: none */
  uint64_t patience; /* ns: the timeout of waits that have none of their own; 0: none */
  _Atomic uint64_t last;
  struct gate gate;
  _Atomic uint32_t high;
  uint32_t pad[11];
  struct party party[];
};
_Static_assert(sizeof(struct barrier) == 128, "entries begin on a line of their own");

/* A party's place in a round. */
struct arrival {
  uint64_t round;
  uint32_t entry;
  uint32_t index; /* 1..parties, in the order of arrival */
};

/* A new barrier with one hold: its offset and *hold; 0: no memory. */
uint64_t barrier_new(uint32_t parties, struct link *list, uint64_t *hold);

/* Comes to the barrier: 0; -ECANCELED: it is broken (barrier_state); -ETIMEDOUT, -EINTR: there was
   no place until the deadline, it has not come. Who gets index == parties must end the round
   (barrier_end), the others barrier_await it. */
int barrier_arrive(struct barrier *b, struct arrival *a, int64_t deadline);

/* The same where there is no action: who comes last ends the round by coming, in one step: 1, and
   it has passed. The others get 0 and must barrier_await it. */
int barrier_meet(struct barrier *b, struct arrival *a, int64_t deadline);

/* Waits for the ending of the round: enum ending; -ETIMEDOUT: this party's time was over, which
   broke the round; -EINTR: to be called again. */
int barrier_await(struct barrier *b, const struct arrival *a, int64_t deadline);

/* The party goes without waiting any longer, which breaks the round as barrier_abort does. */
void barrier_give_up(struct barrier *b, const struct arrival *a);

/* The last party's decision: the round's ending, which is another one if somebody was faster. */
enum ending barrier_end(struct barrier *b, const struct arrival *a, enum ending ending);

/* Breaks the barrier, unless it is broken. */
void barrier_abort(struct barrier *b);
/* Sends those that wait away (BARRIER_RESET); the barrier is whole again. */
void barrier_reset(struct barrier *b);

/* How the last round ended, dead parties of the current one taken into account: from
   BARRIER_TIMED_OUT on it is broken. */
enum ending barrier_state(struct barrier *b);

/* Parties that wait now. */
uint32_t barrier_waiting(struct barrier *b);

#endif
