/* What the scenes of stepkill.h are made of. What a scene makes it drops in verify. */
#ifndef SPEC_SHM_SCENES_H
#define SPEC_SHM_SCENES_H

#include "stepkill.h"

#include "shm/cell.h"
#include "shm/queue.h"

#define SMALL 40 /* bytes of a message */

static uint64_t q, q_hold;         /* the scene's queue */
static uint64_t thing, thing_hold; /* an object that is sent along */
static uint64_t mine;              /* a block of the victim's */
static struct buffer got;
static struct member helper;

static void new_queue(void) {
  q = queue_new(0, 0, family_ledger(), &q_hold);
  assert_true(q);
}

static void drop_queue(void) {
  object_drop(q_hold);
}

static void new_thing(void) {
  thing = object_new(100, BLOCK_VALUE, family_ledger(), &thing_hold);
  assert_true(thing);
}

#endif
