/* The queue (host/shm/queue.c) on its two locks, with the journal (journal.c) under it.

   Assumptions
   - A step is one access to one shared word (a record is written and read in two halves), one commit,
     or one system call. Steps interleave in any order and all processes see one memory: what the
     code orders by acquire, release and the full fence of unlock is taken for granted here and
     looked at by ThreadSanitizer (spec/shm/threads_spec.c). Words that only the holder of a lock
     uses are read together with the step that needs them.
   - The locks are those of lock.pml: exclusive, and given back marked DIED, one at a time in any
     order, some time after their owner died; who takes a DIED lock passes the journal's once.
   - Death: a process may stop for ever before any step, DEATHS of them in all.
   - What a dead member committed and did not carry out counts as put or taken, but need not be seen by
     those who sleep before somebody passes the journal's lock (at the latest who reaps it).
   - A sleep ends by a wake, or, with SLICES, by itself where that makes a difference.
   - A producer that finds the ring full waits for a consumer to leave `get` or to make room.
     The code tries again every millisecond; waiting is the same but for the turns in vain.
   - Messages that go in or out together are one here, for one store commits them all. Redelivery
     (hand.c) has a model of its own, redelivery.pml.
   - Counts do not wrap, as 2^31 messages are not put meanwhile.

   What is put: EACH messages by each producer, every second one a block of its own if BLOCKS (its
   owner changes with tail or head in one transaction). CAPACITY 0: no limit, the ring grows.
   CLOSER: somebody closes the queue at some moment.

   Properties
   - each consumer finds whole records only, and of each producer the next one that was committed:
     nothing torn, lost, doubled or out of order; a record that is being read is not written to
   - a block belongs to the queue exactly while its record is in it: the journal's transactions
     happen whole or not at all, also when their maker dies at any step
   - nobody alive waits for ever: without deaths also without slices; with deaths slices suffice

   MUTANT breaks the protocol: a property must fail. */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef EACH
#define EACH 2
#endif
#ifndef CAPACITY
#define CAPACITY 1
#endif
#ifndef RING
#define RING 2 /* records in the first ring: a power of two */
#endif
#ifndef BLOCKS
#define BLOCKS 0
#endif
#ifndef CLOSER
#define CLOSER 0
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef SLICES
#define SLICES 0
#endif
#ifndef MUTANT
#define MUTANT 0
#endif

#define FLAG_AFTER_LOOK 1  /* the flag of a sleeper is set after its last look */
#define COMMIT_FIRST 2     /* tail is stored before the record is written */
#define WAKE_EARLY 3       /* the flag is looked at before the commit */
#define TAKE_FIRST 4       /* head is stored before the record is read */
#define NO_PASS 5          /* who inherits a lock does not pass the journal */
#define NO_REDO 6          /* transactions are carried out without a log */
#define CLEAR_LATE 7       /* the flag is cleared after the wake */
#define GROW_ALONE 8       /* the ring grows without the consumers' lock */
#define COUNT_FIRST 9      /* the log is committed before its last note is written */

#define MEMBERS (PRODUCERS + CONSUMERS + CLOSER)
#if DEATHS
#define MORTAL unless { !alive[me] }
#else
#define MORTAL /* spin searches less without the escapes */
#endif

#define PUT 0
#define GET 1
#define JOURNAL 2
#define FREE 0
#define DIED 255

/* Words that transactions change. A position is bits 4 to 6, a count of messages bits 0 to 3. */
#define TAIL 0
#define HEAD 1
#define TAIL_SEEN 2
#define HEAD_SEEN 3
#define SIZE 4
#define OWNER 5
#define WORDS (OWNER + PRODUCERS * EACH)
#define CLOSED 128
#define COUNT(x) ((x) & 15)
#define POSITION(x) (((x) >> 4) & 7)
#define ADVANCED(x) (((x) & CLOSED) | ((((x) >> 4) + 1) & 7) << 4 | (COUNT(x) + 1))
#define CELL(at) (w[SIZE] - 1 + (POSITION(at) & (w[SIZE] - 1))) /* rings of 1, 2 and 4 behind each other */

#define IN_QUEUE 100 /* an owner; others are members + 1, 0 is nobody */

byte lock[3];
byte w[WORDS];
byte front[7], back[7]; /* the halves of the records: message + 1 */
bit get_asleep, put_asleep;
byte notes, note_word[6], note_value[6]; /* the journal */

byte sleeps[MEMBERS]; /* 0 not, 1 on get_asleep, 2 on put_asleep */
bit alive[MEMBERS] = 1, done[MEMBERS];
byte deaths = DEATHS;
/* Ghosts */
byte put_count[PRODUCERS], taken_count[PRODUCERS];

#define MESSAGE(who, k) ((who) * EACH + (k))
#define IS_BLOCK(k) (BLOCKS && (k) % 2 == 0)
#define IS_FULL(tail, head) (CAPACITY && COUNT(tail) - COUNT(head) >= CAPACITY)
#define FITS(head) (POSITION(w[TAIL]) + 8 - POSITION(head)) % 8 + 1 <= w[SIZE]

inline carry_out() {
  i = 0;
  do
  :: i < notes -> w[note_word[i]] = note_value[i]; i++
  :: else -> break
  od;
  notes = 0
}

inline take_lock(which) {
  atomic { lock[which] == FREE || lock[which] == DIED -> died = (lock[which] == DIED); lock[which] = me + 1 }
}

inline journal_lock() {
  atomic { lock[JOURNAL] == FREE || lock[JOURNAL] == DIED -> lock[JOURNAL] = me + 1; noted = 0 };
  if :: notes && MUTANT != NO_REDO -> carry_out() :: else fi
}

/* An end's lock, and the journal's if its owner died. */
inline take_end(which) {
  take_lock(which);
  if
  :: died && MUTANT != NO_PASS -> journal_lock(); lock[JOURNAL] = FREE
  :: else
  fi
}

inline note(word, value) {
  if
  :: MUTANT == NO_REDO -> w[word] = value
  :: else -> atomic { note_word[noted] = word; note_value[noted] = value; noted++ }
  fi
}

inline wake(flag, number) {
  if
  :: flag ->
     if :: MUTANT != CLEAR_LATE -> flag = 0 :: else fi;
     d_step {
       for (i : 0 .. MEMBERS - 1) { if :: sleeps[i] == number -> sleeps[i] = 0 :: else fi }
     };
     if :: MUTANT == CLEAR_LATE -> flag = 0 :: else fi
  :: else
  fi
}

/* One round of waiting of an end's lock holder, until `ready`. */
inline wait_step(flag, number, ready) {
  flag = 1;
  if
  :: MUTANT != FLAG_AFTER_LOOK && (ready)
  :: MUTANT == FLAG_AFTER_LOOK || !(ready) ->
     atomic { if :: flag -> sleeps[me] = number :: else fi };
     if
     :: sleeps[me] == 0
     :: atomic { SLICES && sleeps[me] && (!flag || (ready)) -> sleeps[me] = 0 }
     fi
  fi
}

/* The kernel gives back what a dead member held. */
inline bury() {
  sleeps[me] = 0;
  do
  :: atomic { lock[PUT] == me + 1 -> lock[PUT] = DIED }
  :: atomic { lock[GET] == me + 1 -> lock[GET] = DIED }
  :: atomic { lock[JOURNAL] == me + 1 -> lock[JOURNAL] = DIED }
  :: else -> break
  od
}

/* Both locks held: the journal's too, then it stays so until the transaction is over. */
inline switch_ring() {
  journal_lock();
  /* copy: nobody else looks at the new ring */
  d_step {
    i = 0;
    do
    :: i < COUNT(w[TAIL]) - COUNT(w[HEAD]) ->
       front[2 * w[SIZE] - 1 + i] = front[w[SIZE] - 1 + ((POSITION(w[HEAD]) + i) & (w[SIZE] - 1))];
       back[2 * w[SIZE] - 1 + i] = back[w[SIZE] - 1 + ((POSITION(w[HEAD]) + i) & (w[SIZE] - 1))];
       i++
    :: else -> break
    od;
    head = COUNT(w[HEAD]);
    tail = (w[TAIL] & CLOSED) | i << 4 | COUNT(w[TAIL])
  };
  note(SIZE, 2 * w[SIZE]);
  note(HEAD_SEEN, head);
  note(TAIL_SEEN, tail);
  note(HEAD, head);
  note(TAIL, tail);
  if :: MUTANT != NO_REDO -> notes = noted; carry_out() :: else fi;
  lock[JOURNAL] = FREE
}

proctype producer(byte me) {
  byte k, i, noted, tail, head;
  bit died, early;
  {
    do
    :: k == EACH -> break
    :: k < EACH ->
       take_end(PUT);
       do /* wait_for_place */
       :: w[TAIL] & CLOSED -> goto leave
       :: else ->
          if
          :: !IS_FULL(w[TAIL], w[HEAD_SEEN]) -> break
          :: else
          fi;
          w[HEAD_SEEN] = w[HEAD];
          if
          :: !IS_FULL(w[TAIL], w[HEAD_SEEN]) -> break
          :: else
          fi;
          wait_step(put_asleep, 2, (w[TAIL] & CLOSED) || !IS_FULL(w[TAIL], w[HEAD]))
       od;
       do /* make_room */
       :: FITS(w[HEAD_SEEN]) -> break
       :: else ->
          w[HEAD_SEEN] = w[HEAD];
          if
          :: FITS(w[HEAD_SEEN]) -> break
          :: else
          fi;
          if
          :: atomic { (lock[GET] == FREE || lock[GET] == DIED) && MUTANT != GROW_ALONE ->
                      died = (lock[GET] == DIED); lock[GET] = me + 1 };
             if
             :: died && MUTANT != NO_PASS -> journal_lock(); lock[JOURNAL] = FREE
             :: else
             fi;
             switch_ring();
             lock[GET] = FREE
          :: MUTANT == GROW_ALONE -> switch_ring()
          :: FITS(w[HEAD])
          fi
       od;
       early = get_asleep;
       if
       :: IS_BLOCK(k) -> /* commit_block */
          journal_lock();
          if
          :: w[TAIL] & CLOSED -> lock[JOURNAL] = FREE; goto leave
          :: else
          fi;
          front[CELL(w[TAIL])] = MESSAGE(me, k) + 1;
          back[CELL(w[TAIL])] = MESSAGE(me, k) + 1;
          note(OWNER + MESSAGE(me, k), IN_QUEUE);
          if
          :: MUTANT == NO_REDO -> atomic { w[TAIL] = ADVANCED(w[TAIL]); put_count[me]++ }
          :: MUTANT == COUNT_FIRST ->
             atomic { notes = noted + 1; put_count[me]++ };
             note(TAIL, ADVANCED(w[TAIL]));
             carry_out()
          :: else ->
             note(TAIL, ADVANCED(w[TAIL]));
             atomic { notes = noted; put_count[me]++ };
             carry_out()
          fi;
          lock[JOURNAL] = FREE
       :: else -> /* commit_bytes */
          if
          :: MUTANT == COMMIT_FIRST ->
             atomic { w[TAIL] = ADVANCED(w[TAIL]); put_count[me]++ };
             front[(w[SIZE] - 1 + ((POSITION(w[TAIL]) - 1) & (w[SIZE] - 1)))] = MESSAGE(me, k) + 1;
             back[(w[SIZE] - 1 + ((POSITION(w[TAIL]) - 1) & (w[SIZE] - 1)))] = MESSAGE(me, k) + 1
          :: else ->
             front[CELL(w[TAIL])] = MESSAGE(me, k) + 1;
             back[CELL(w[TAIL])] = MESSAGE(me, k) + 1;
             if
             :: atomic { !(w[TAIL] & CLOSED) -> w[TAIL] = ADVANCED(w[TAIL]); put_count[me]++ }
             :: atomic { w[TAIL] & CLOSED -> goto leave }
             fi
          fi
       fi;
       lock[PUT] = FREE;
       if
       :: MUTANT == WAKE_EARLY && !early
       :: else -> wake(get_asleep, 1)
       fi;
       k++
    od;
    atomic { done[me] = 1; goto end };
leave: lock[PUT] = FREE;
    atomic { done[me] = 1; goto end }
  } MORTAL;
  bury();
end: skip
}

/* What is taken must be the next of its producer; the last step of a get. */
#define IS_NEXT(m) ((m) % EACH == taken_count[(m) / EACH])

proctype consumer(byte me) {
  byte i, noted, at, m, half;
  bit died;
  {
    do
    :: take_end(GET);
       do /* wait_for_message */
       :: COUNT(w[TAIL_SEEN]) != COUNT(w[HEAD]) -> break
       :: else ->
          w[TAIL_SEEN] = w[TAIL];
          if
          :: COUNT(w[TAIL_SEEN]) != COUNT(w[HEAD]) -> break
          :: else ->
             if
             :: w[TAIL_SEEN] & CLOSED -> goto leave
             :: else -> wait_step(get_asleep, 1, (w[TAIL] & CLOSED) || COUNT(w[TAIL]) != COUNT(w[HEAD]))
             fi
          fi
       od;
       at = w[HEAD];
       if :: MUTANT == TAKE_FIRST -> w[HEAD] = ADVANCED(w[HEAD]) :: else fi;
       half = front[CELL(at)];
       assert(half != 0);
       m = half - 1;
       atomic { assert(back[CELL(at)] == half); half = 0 };
       assert(IS_NEXT(m));
       if
       :: IS_BLOCK(m % EACH) -> /* take_block */
          assert(w[OWNER + m] == IN_QUEUE);
          journal_lock();
          note(OWNER + m, me + 1);
          if
          :: MUTANT == NO_REDO -> atomic { w[HEAD] = ADVANCED(w[HEAD]); taken_count[m / EACH]++ }
          :: else ->
             note(HEAD, ADVANCED(w[HEAD]));
             atomic { notes = noted; taken_count[m / EACH]++ };
             carry_out()
          fi;
          lock[JOURNAL] = FREE
       :: MUTANT == TAKE_FIRST -> taken_count[m / EACH]++
       :: else -> atomic { w[HEAD] = ADVANCED(at); taken_count[m / EACH]++ }
       fi;
       atomic { lock[GET] = FREE; at = 0; m = 0 };
       wake(put_asleep, 2)
    od;
leave: lock[GET] = FREE;
    atomic { done[me] = 1; goto end }
  } MORTAL;
  bury();
end: skip
}

#if CLOSER
proctype closer(byte me) {
  byte i, noted;
  {
    journal_lock();
    w[TAIL] = w[TAIL] | CLOSED;
    lock[JOURNAL] = FREE;
    wake(get_asleep, 1);
    wake(put_asleep, 2);
    atomic { done[me] = 1; goto end }
  } MORTAL;
  bury();
end: skip
}
#endif

proctype killer() {
  byte who;
  do
  :: deaths == 0 -> break
  :: break
  :: atomic {
       deaths > 0 -> select(who : 0 .. MEMBERS - 1);
       if
       :: alive[who] && !done[who] -> alive[who] = 0; deaths--
       :: else
       fi;
       who = 0
     }
  od
}

/* When nothing moves any more. */
init {
  byte i, me, put_alive, get_alive, before;
  atomic {
    w[SIZE] = RING;
    for (i : 0 .. PRODUCERS - 1) {
      run producer(i);
      for (me : 0 .. EACH - 1) { w[OWNER + MESSAGE(i, me)] = i + 1 }
    };
    for (i : PRODUCERS .. PRODUCERS + CONSUMERS - 1) { run consumer(i) };
#if CLOSER
    run closer(PRODUCERS + CONSUMERS);
#endif
    if :: DEATHS -> run killer() :: else fi;
    i = 0;
    me = 0
  };
  timeout;
  d_step {
    for (i : 0 .. PRODUCERS - 1) { put_alive = put_alive + (alive[i] && !done[i]) };
    for (i : PRODUCERS .. PRODUCERS + CONSUMERS - 1) { get_alive = get_alive + alive[i] };
    /* nobody alive sleeps beside work */
    assert(!(put_alive && get_alive));
    assert(!(put_alive && !IS_FULL(w[TAIL], w[HEAD])));
    assert(!(get_alive && COUNT(w[TAIL]) != COUNT(w[HEAD])));
    for (i : PRODUCERS .. PRODUCERS + CONSUMERS - 1) { assert(!alive[i] || done[i] || !(w[TAIL] & CLOSED)) };
    if :: MUTANT != NO_REDO -> carry_out() :: else fi; /* as the next to come would */
    /* what was put and not taken is in the queue, and each block is where its message is */
    before = 0;
    for (i : 0 .. PRODUCERS - 1) {
      before = before + put_count[i] - taken_count[i];
      for (me : 0 .. EACH - 1) {
        if
        :: IS_BLOCK(me) ->
           assert((w[OWNER + MESSAGE(i, me)] == IN_QUEUE) == (me < put_count[i] && me >= taken_count[i]));
           assert((w[OWNER + MESSAGE(i, me)] == i + 1) == (me >= put_count[i]))
        :: else
        fi
      }
    };
    assert(before == COUNT(w[TAIL]) - COUNT(w[HEAD]))
  }
}
