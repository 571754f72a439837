/* A queue that redelivers (host/shm/hand.c in queue.c): what a consumer has taken stays the queue's
   until it says task_done, and goes back when the consumer dies.

   Assumptions
   - What queue.pml shows is taken for granted: a put is one step, the ring is a counter of messages
     that were put (tail) and one of messages that were taken (head), messages are their numbers.
     Producers do not die.
   - The locks are those of lock.pml, given back one at a time in any order some time after the owner's
     death; its death shows (family_lives) some time after it, too, before or after any of the locks.
   - A transaction of the journal (journal.c) is one step up to its commit, for nobody sees its notes, and is
     carried out in two: where the message is, then the counter, which others read without the lock. Who
     takes the journal's lock after a death carries out what is left first. To look and find nothing under
     that lock is one step.
   - Death: a consumer may stop for ever before any step, DEATHS of them in all.
   - A sleep ends by a wake, or, with SLICES, by itself: once after each thing that a death changes, so that
     who would wake for nothing again and again is seen to wait for ever. A flag is looked at and cleared and
     its sleepers are woken in one step.
   - hand_look before the lock happens or not: it depends on the time.
   - Each consumer says task_done for what it got before it gets again.

   The queue is closed after the last put. ASKER: somebody who is no consumer asks for the length, ASKER
   times (hand_look without any lock but the journal's). WAITER: somebody waits in wait_done.

   Properties
   - a message is delivered again only if the one that had it is dead and had not said task_done
   - a consumer is told "closed and empty" only when each message has been dealt with
   - nobody alive waits for ever beside a message that it could have, or in wait_done when all is dealt
     with; without deaths also without slices
   - at the end no message is lost: each is dealt with, or in a living one's hand, or none is alive

   MUTANT breaks the protocol: a property must fail. */

#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef EACH
#define EACH 2 /* messages */
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef SLICES
#define SLICES 0
#endif
#ifndef ASKER
#define ASKER 0
#endif
#ifndef WAITER
#define WAITER 0
#endif
#ifndef MUTANT
#define MUTANT 0
#endif

#define BACK_FIRST 1    /* a closed queue looks whether something came back before, not after, it looks into hands */
#define HANDS_FORGOT 2  /* and does not look into hands at all */
#define TWO_STEPS 3     /* what a dead one had is taken out of the hands and put back in two transactions */
#define NO_LOOK 4       /* who sleeps does not look for the dead */
#define LOOK_AT_ALL 5   /* what living ones have goes back, too */
#define TAKE_ALONE 6    /* head moves before, not with, the message */
#define NO_DONE_WAKE 7  /* task_done does not wake who waits for what may come back */
#define DONE_ALONE 8    /* acked moves before, not with, the message */
#define FLAG_ALONE 9    /* wait_done sleeps on acked, and the flag that it sleeps is cleared by each task_done */

#if DEATHS
#define MORTAL unless { !alive[me] }
#else
#define MORTAL
#endif

#define GET 0
#define JOURNAL 1
#define FREE 0
#define DIED 255

/* Where a message is; from HAND on: in that consumer's hand. */
#define RING 0
#define BACK 1
#define DEALT 2
#define LOST 3
#define HAND 10

/* Counters that transactions change. */
#define HEAD 0
#define BACK_COUNT 1
#define ACKED 2
#define NONE 3

#define MEMBERS (CONSUMERS + 1) /* the waiter is the last */

byte lock[2];
byte place[EACH + 1]; /* the last is no message */
byte w[4];
byte tail;
bit closed, get_asleep, done_asleep, done_turn; /* done_...: a gate (gate.h) */
bit committed; /* the journal: one message and one counter */
byte note_m, note_place, note_word, note_value;
byte sleeps[MEMBERS]; /* 0 not, 1 on get_asleep, 2 in wait_done */
bit slice[MEMBERS];   /* something changed: a sleep may end by itself */
bit alive[CONSUMERS] = 1, shows[CONSUMERS] = 1, left[CONSUMERS], waited;
byte deaths = DEATHS;
/* Ghosts: who has it, and whether task_done was said. */
byte has[EACH + 1];
bit dealt[EACH + 1];

#define ALL_DEALT (w[ACKED] == EACH || committed && note_word == ACKED && note_value == EACH)
#define JOURNAL_IS_FREE (lock[JOURNAL] == FREE || lock[JOURNAL] == DIED)

inline changed() {
  d_step {
    for (i : 0 .. MEMBERS - 1) { slice[i] = 1 };
    i = 0
  }
}

inline commit(m_, where, word, value) {
  note_m = m_;
  note_place = where;
  note_word = word;
  note_value = value;
  committed = 1;
  lock[JOURNAL] = me + 1
}

inline carry_out() {
  place[note_m] = note_place;
  atomic {
    w[note_word] = note_value;
    committed = 0;
    note_m = 0;
    note_place = 0;
    note_word = 0;
    note_value = 0;
    lock[JOURNAL] = FREE
  }
}

/* What a dead one committed is carried out first; then JOURNAL_IS_FREE && !committed may be true. */
inline pass_journal() {
  atomic { JOURNAL_IS_FREE && committed -> lock[JOURNAL] = me + 1 };
  place[note_m] = note_place;
  atomic {
    w[note_word] = note_value;
    committed = 0;
    lock[JOURNAL] = FREE;
    changed()
  }
}

inline take_get() {
  atomic { lock[GET] == FREE || lock[GET] == DIED -> died = (lock[GET] == DIED); lock[GET] = me + 1 };
  do
  :: atomic { !died || (JOURNAL_IS_FREE && !committed) -> died = 0; break }
  :: pass_journal()
  od
}

inline wake(flag, number) {
  atomic {
    if
    :: flag ->
       flag = 0;
       for (i : 0 .. MEMBERS - 1) { if :: sleeps[i] == number -> sleeps[i] = 0 :: else fi };
       i = 0
    :: else
    fi
  }
}

#define IS_LOST(m_) (place[m_] >= HAND && (!shows[place[m_] - HAND] || (MUTANT == LOOK_AT_ALL && place[m_] != HAND + me)))

/* The first message, if any, of which it is true; else EACH. */
#define FIND(is_it) m = 0; do :: m < EACH && !(is_it) -> m++ :: else -> break od

/* hand_look: what the dead have goes back, one transaction each. */
inline look() {
  do
  :: atomic {
       JOURNAL_IS_FREE && !committed ->
       FIND(IS_LOST(m));
       if
       :: m == EACH -> m = 0; break
       :: m < EACH && MUTANT == TWO_STEPS -> commit(m, LOST, NONE, 0)
       :: else -> commit(m, BACK, BACK_COUNT, w[BACK_COUNT] + 1); m = 0
       fi
     };
     carry_out();
     if
     :: MUTANT == TWO_STEPS ->
        atomic { JOURNAL_IS_FREE -> commit(m, BACK, BACK_COUNT, w[BACK_COUNT] + 1); m = 0 };
        carry_out()
     :: else
     fi
  :: pass_journal()
  od
}

/* hand_may_return: others have something, and it has nothing. */
inline look_into_hands() {
  do
  :: atomic {
       JOURNAL_IS_FREE && !committed ->
       may_return = 0;
       for (i : 0 .. EACH - 1) { may_return = may_return || (place[i] >= HAND && place[i] != HAND + me) };
       i = 0;
       break
     }
  :: pass_journal()
  od
}

/* The message is this one's by this transaction. */
inline take(m_, word, value) {
  assert(!dealt[m_]);
  assert(has[m_] == 0 || !alive[has[m_] - 1]);
  has[m_] = me + 1;
  commit(m_, HAND + me, word, value)
}

#define IS_READY (w[HEAD] != tail || w[BACK_COUNT])

proctype consumer(byte me) {
  byte i, m;
  bit died, may_return, back, shut;
  {
    do
    :: if :: look() :: skip fi;
       take_get();
       do /* wait_for_message */
       :: w[BACK_COUNT] -> break
       :: else ->
          atomic { shut = closed && w[HEAD] == tail; may_return = 0; back = 0 }; /* one word, tail */
          if :: w[HEAD] != tail -> break :: else fi;
          /* look_elsewhere */
          if :: MUTANT != NO_LOOK -> look() :: else fi;
          if :: MUTANT == BACK_FIRST -> back = (w[BACK_COUNT] > 0) :: else fi;
          if :: shut && MUTANT != HANDS_FORGOT -> look_into_hands() :: else fi;
          if :: MUTANT != BACK_FIRST -> back = (w[BACK_COUNT] > 0) :: else fi;
          if
          :: back -> break
          :: !back && shut && !may_return -> atomic { assert(ALL_DEALT); left[me] = 1; goto leave }
          :: else
          fi;
          /* wait_step */
          get_asleep = 1;
          atomic { may_return = 1; back = 0; shut = 0 };
          if
          :: IS_READY
          :: else ->
             if :: closed -> look_into_hands() :: else fi;
             if
             :: !may_return
             :: else ->
                atomic { if :: get_asleep -> sleeps[me] = 1 :: else fi };
                if
                :: sleeps[me] == 0
                :: atomic { SLICES && sleeps[me] && slice[me] -> sleeps[me] = 0; slice[me] = 0 }
                fi
             fi
          fi
       od;
       atomic { may_return = 0; back = 0; shut = 0 };
       if
       :: w[BACK_COUNT] -> /* hand_take */
          do
          :: atomic {
               JOURNAL_IS_FREE && !committed ->
               FIND(place[m] == BACK);
               assert(m < EACH);
               take(m, BACK_COUNT, w[BACK_COUNT] - 1);
               m = 0;
               break
             }
          :: pass_journal()
          od
       :: else -> /* take_block */
          if :: MUTANT == TAKE_ALONE -> m = w[HEAD]; w[HEAD] = m + 1 :: else -> m = w[HEAD] fi;
          do
          :: atomic { JOURNAL_IS_FREE && !committed -> take(m, HEAD, m + 1); m = 0; break }
          :: pass_journal()
          od
       fi;
       carry_out();
       lock[GET] = FREE;
       /* hand_done */
       do
       :: atomic {
            JOURNAL_IS_FREE && !committed ->
            FIND(place[m] == HAND + me);
            assert(m < EACH);
            if
            :: MUTANT == DONE_ALONE -> commit(EACH, RING, ACKED, w[ACKED] + 1)
            :: else -> commit(m, DEALT, ACKED, w[ACKED] + 1); dealt[m] = 1; m = 0
            fi;
            break
          }
       :: pass_journal()
       od;
       carry_out();
       if
       :: MUTANT == DONE_ALONE ->
          atomic { JOURNAL_IS_FREE && !committed -> commit(m, DEALT, NONE, 0); dealt[m] = 1; m = 0 };
          carry_out()
       :: else
       fi;
       atomic {
         if :: done_asleep && (w[ACKED] == EACH || MUTANT == FLAG_ALONE) -> done_turn = !done_turn :: else fi;
         if :: w[ACKED] == EACH || MUTANT == FLAG_ALONE -> wake(done_asleep, 2) :: else fi
       };
       if :: MUTANT != NO_DONE_WAKE -> wake(get_asleep, 1) :: else fi
    od;
leave: lock[GET] = FREE;
    goto end
  } MORTAL;
  /* The kernel gives back what a dead one held, and its death shows. */
  d_step { sleeps[me] = 0; i = 0; m = 0; died = 0; may_return = 0; back = 0; shut = 0 };
  do
  :: atomic { lock[GET] == me + 1 -> lock[GET] = DIED; changed() }
  :: atomic { lock[JOURNAL] == me + 1 -> lock[JOURNAL] = DIED; changed() }
  :: atomic { shows[me] -> shows[me] = 0; changed() }
  :: else -> break
  od;
end: skip
}

/* Puts all messages and closes the queue. */
proctype producer() {
  byte i;
  do
  :: tail < EACH -> tail++; wake(get_asleep, 1)
  :: else -> break
  od;
  closed = 1;
  wake(get_asleep, 1)
}

#if ASKER
proctype asker(byte me) {
  byte i, m, n;
  for (n : 1 .. ASKER) { look() }
}
#endif

#if WAITER
proctype waiter(byte me) {
  byte done;
  bit turn;
  do
  :: turn = done_turn;
     done_asleep = 1;
     done = w[ACKED];
     if :: done == EACH -> break :: else fi; /* all were put, or will be */
     atomic { if :: (MUTANT == FLAG_ALONE -> w[ACKED] == done : done_turn == turn) -> sleeps[me] = 2 :: else fi };
     if
     :: sleeps[me] == 0
     :: atomic { SLICES && sleeps[me] && slice[me] -> sleeps[me] = 0; slice[me] = 0 }
     fi
  od;
  waited = 1
}
#endif

proctype killer() {
  byte victim;
  do
  :: deaths == 0 -> break
  :: atomic {
       deaths > 0 ->
       select (victim : 0 .. CONSUMERS - 1);
       if :: alive[victim] && !left[victim] -> alive[victim] = 0 :: else fi;
       victim = 0;
       deaths--
     }
  od
}

init {
  byte i;
  bit some;
  atomic {
    for (i : 0 .. CONSUMERS - 1) { run consumer(i) };
    run producer();
#if ASKER
    run asker(CONSUMERS);
#endif
#if WAITER
    run waiter(CONSUMERS);
#endif
    if :: DEATHS -> run killer() :: else fi;
    i = 0
  };
  timeout;
  d_step {
    for (i : 0 .. CONSUMERS - 1) {
      assert(!alive[i] || left[i]); /* nobody alive waits for ever */
      some = some || alive[i]
    };
    if :: committed -> place[note_m] = note_place; w[note_word] = note_value :: else fi;
    if
    :: some ->
       assert(w[ACKED] == EACH);
       for (i : 0 .. EACH - 1) { assert(dealt[i] && place[i] == DEALT) };
       assert(!WAITER || waited)
    :: else
    fi
  }
}
