/* Objects that several processes share, who holds them, and how they go.

   An object is a block with a count of holds. A hold is a block of its own, in the list of who
   holds: a process's ledger, or a block that carries a handle to the object (a message, a job). The
   object is there as long as one hold is. What an object owns (its `owned` list) goes with it. So
   everything in the region hangs on the ledgers of living processes, and a process that dies is
   dealt with by moving its ledger into the list of the dying.

   The dying are taken apart one block a transaction; if the one who does it dies too, the next who
   sweeps goes on. */
#ifndef SHM_OBJECT_H
#define SHM_OBJECT_H

#include <stdint.h>

#include "shm/heap.h"

/* Sets up the list of the dying in a new region. */
void object_init(void);

/* A new object of `size` bytes, zeroed, with one hold in the list: its offset and *hold; 0: no
 * memory. */
uint64_t object_new(size_t size, int kind, struct link *list, uint64_t *hold);

/* Makes a block that only this process knows an object: its one hold, in the list; or 0: no memory,
 * and the block is what it was. */
uint64_t object_share(uint64_t block, struct link *list);

/* One more hold on an object that is held already: the hold's offset, or 0. */
uint64_t object_hold(uint64_t object, struct link *list);

/* The same, noted in the open transaction of a caller who holds the journal's lock. */
uint64_t object_note_hold(uint64_t object, struct link *list);

/* Each hold in one list has a copy in the other from now on, which notes whose it is: 0 or -ENOMEM,
 * some are there. Others may change the first list meanwhile. */
int object_copy_holds(const struct link *from, struct link *to);

/* Moves a hold on the object from what the block owns, which nobody else looks at, into the list:
 * its offset, or 0: there is none among the `most` that came first. Needs no memory. */
uint64_t object_take_hold(uint64_t block, uint64_t object, size_t most, struct link *list);

/* Gives up a block that nobody else looks at (a hold, a message, a job), with all it owns. */
void object_drop(uint64_t block);

/* Moves a block from its list into another. */
void object_move(uint64_t block, struct link *list);

/* Gives up all of a list. Only inside a transaction. */
void object_condemn(struct link *list);

/* Gives up a block. Only inside a transaction; object_sweep does the rest. */
void object_condemn_block(uint64_t block);

/* Says what to do with a block of this kind before it goes, in every process that is forked from
   now on. Called under the journal's lock, perhaps more than once for a block. */
void object_on_end(int kind, void (*end)(uint64_t block));

/* Takes apart what is dying. */
void object_sweep(void);

#endif
