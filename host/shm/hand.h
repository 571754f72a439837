/* What the consumers of a redelivering queue have in hand, and its way back.

   Two lists of blocks, owned by two blocks that the queue owns: `hand`, oldest first, each message
   with its consumer's id (family.h) in block.refs; `back`, what dead consumers had, which goes out
   before anything in the ring. A message is in the ring, in one of the lists, or dealt with, and
   moves in one transaction, so nobody's death loses or doubles it: a consumer that dies before its
   task_done leaves it in `hand`, where whoever gets, waits or asks for the length finds it.

   hand.owned, back.owned, block.refs, back_count, acked   change in transactions only.
   looked   a hint: when somebody last went through the hand. */
#ifndef SHM_HAND_H
#define SHM_HAND_H

#include "shm/queue.h"

/* Sets up both lists of a new queue: 0 or -ENOMEM. */
int hand_init(uint64_t queue);

/* Notes that a block that is in no list any more is in this process's hand. */
void hand_note(struct queue *q, struct block *block);

/* Takes the first of what came back into this process's hand: its offset, or 0: nothing has. */
uint64_t hand_take(struct queue *q);

/* A block in this process's hand goes back to the front. */
void hand_return(struct queue *q, struct block *block);

/* This process has dealt with its oldest: 0, or -ERANGE: it has none. */
int hand_done(struct queue *q);

/* Brings back what the dead had. Unless `now`, only when nobody has looked for some milliseconds,
   or since this process reaped somebody. */
void hand_look(struct queue *q, int now);

/* Whether this process has nothing in hand and others have, so that more may come back. */
int hand_may_return(struct queue *q);

#endif
