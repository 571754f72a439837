/* The processes of a family: a slot for each, what it owns, and how its death is noticed and
   cleaned up after.

   Each process but the first holds the robust lock `life` of its slot from its first to its last
   instruction. The kernel gives the lock back when the process dies, before it tears the memory
   down, so a death shows in 0.3 ms whatever the heap's size. The first is a program of its own,
   with threads of its own: a robust lock belongs to a thread and would be given back when that
   thread ends. It needs none: all others die with it, so to them it lives. `ledger` lists the
   blocks that are the process's own (heap.h); `outbox` what it leaves to its parent (its result).

   life            taken by the process, given back by the kernel
   state, gen,     change in transactions. STARTING: claimed by the parent, the child has not come
   yet. ledger, outbox  A slot is reaped by its parent after waitid, or, when the parent is dead
   too, by anybody who scans. burden          bytes of its own memory that do not count against its
   limit (bind/guard.h): one plain store by the process, read by its parent. returned        1: it
   has come to its end and leaves nothing, which is not the same as an empty outbox; one store by
   the process, read by its parent after its death. status          plain
   words of one writer, the process: what it is doing now. Read by its parent after its death, and
   by anybody who looks on while it lives, who may see two words of different moments. Process dies:
   the ledger names all it had. Parent dies between claim and fork: scan finds the slot by its dead
   parent. A child that comes late into a slot that was reaped meanwhile sees another gen and
   leaves.

   pid             of the process: written by its parent when it has forked, and by itself when it
   comes, with the same number. arrivals   counts up at each of these. observers  hosts that watch
   the family's processes from an event loop: each arrival rings for them (region_bell), and they
   have a descriptor (pidfd) that tells of each death. A host that dies is never taken off: the
   price is a system call at each arrival. Process dies before it is counted: its parent counts it.
 */
#ifndef SHM_FAMILY_H
#define SHM_FAMILY_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/heap.h"
#include "shm/region.h"
#include "shm/robust.h"

enum { SLOT_FREE = 0, SLOT_STARTING, SLOT_LIVE };

struct status {
  _Atomic uint64_t
      job; /* offset of the job it is in, 0: none; also keeps that job from being freed (job.h) */
  _Atomic uint64_t item;  /* index of the item in its hand, STATUS_NONE: none */
  _Atomic uint64_t since; /* clock_now() when it began that chunk; 0: it has not begun to work */
  _Atomic uint64_t done;  /* items ended well, ever */
  _Atomic uint64_t failed;
  _Atomic uint64_t part; /* which of the items that the item in its hand stands for; 0: itself */
  _Atomic uint64_t deadline; /* when that item has run too long; 0: never */
  _Atomic uint64_t busy;     /* ns spent in chunks that are over */
};
#define STATUS_NONE UINT64_MAX

struct slot {
  robust life;
  uint64_t state;
  uint64_t gen;
  uint64_t parent; /* the claimer's index */
  struct link ledger;
  struct link outbox;
  uint64_t parent_gen;
  _Atomic uint64_t burden;
  _Atomic uint64_t pid; /* 0: not known yet */
  _Atomic uint64_t returned;
  struct status status;
};
_Static_assert(sizeof(struct slot) == 192, "three cache lines, the status on its own");

/* Counts up when what peek.h reads changes: two builds may meet there. */
#define FAMILY_LAYOUT 0x6d70680002u

struct slots {
  uint64_t high;   /* slots from here on were never used; changes in transactions */
  uint64_t layout; /* FAMILY_LAYOUT, for peek.h; written once by the first process */
  _Atomic uint32_t arrivals;
  _Atomic uint32_t observers;
  uint64_t key[2]; /* family_key; written once by the first process, before there is another */
  uint64_t pad[3];
  struct slot slot[];
};

#define FAMILY_MOST ((REGION_HEAP - REGION_SLOTS - sizeof(struct slots)) / sizeof(struct slot))

/* Makes the region and this process the first of a family, unless it is in one: 0 or -errno.
   -EPERM: this process was forked by somebody else (not by family_fork's caller) from a member: it
   has no slot. May be called again, by any thread; each call that succeeds is undone by one
   family_close. */
int family_open(void);

/* What only this family's processes know, at random: 1, or 0 when this process is of none (or the
   system had no random bytes). */
int family_key(uint64_t key[2]);

/* When it was the last of this process's, which is the first of the family, and there is no other
   process: gives the region back. Handles that are open still are worth nothing then. */
void family_close(void);

/* Claims a slot for a child about to be forked, with a copy of each hold this process has: its
   index, or -EAGAIN (FAMILY_MOST processes), -ENOMEM. Cancelled by family_reap. */
int family_claim(void);

/* The same for a child that inherits nothing: without copies of holds. */
int family_claim_bare(void);

/* What a process that does not come from the claimer's fork must know of the slot. */
uint64_t family_gen(int index);

/* In a process that was forked by somebody else to fork members in its turn: it may load the
   library, and is no member. */
void family_visit(void);

/* The same for a program that is no copy of a member, but was given the descriptors of the
   family's memory and where it lies: 0 or -errno. */
int family_attach(const int fds[REGION_FDS], uint64_t base, uint64_t size);

/* family_enter for such a process, or a child of one. */
int family_adopt(int index, uint64_t gen);

/* In the child: this process is the one of the slot now. 0, or -ESTALE: the family has given it up.
 */
int family_enter(int index);

/* After the death of the process (or a fork that failed): what it had is given up, the slot is
   free. The block in its outbox, if any, moves to this process's ledger: its offset, or 0. */
uint64_t family_reap(int index);

/* When this process did that last, as clock_now(); 0: never. Who has seen a death by it may expect
   that others see it, too. */
uint64_t family_last_reap(void);

/* This process has come to its end, and its outbox stays empty; and whether the dead process of the
   slot had, before it is reaped. */
void family_return(void);
int family_returned(int index);

/* Cleans up after processes whose parent died before it could: how many. */
int family_scan(void);

/* The process of the slot is known by its number: its parent says so after the fork. */
void family_note_pid(int index, pid_t pid);

/* For event loops. 1: from now on arrivals ring the bell; -1: no more for this host. */
void family_observe(int change);
uint32_t family_arrivals(void);

/* Slots from here on were never used. */
int family_high(void);

/* The number of the process in the slot, and *gen; 0: nobody, or not known yet. */
pid_t family_pid(int index, uint64_t *gen);

/* Gives up what the dead had, also of those whom their parents have not reaped yet. */
void family_bury(void);

struct slot *family_slot(int index);
int family_index(void); /* -1: none */

/* Whether this process was forked from a member by somebody else: it has no part in the family. */
int family_is_foreign(void);

/* A number that names this process in all the family's time, 0: it is no member; and whether the
   process of such a number lives. */
uint64_t family_id(void);
uint64_t family_id_at(int index);
int family_lives(uint64_t id);

/* This process's ledger. */
struct link *family_ledger(void);

/* In a child: the hold of its own that stands for one that it inherited from its parent; 0: none,
   or it was asked for before. */
uint64_t family_inherited(uint64_t hold);

static inline struct status *family_status(void) {
  return &family_slot(family_index())->status;
}

#endif
