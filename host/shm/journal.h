/* Changes of several words of shared memory that happen whole or not at all, whoever dies when.

   One robust lock for the region and a redo log behind it. Under the lock a transaction notes the
   new value of each word (journal_set) and reads words through its own notes (journal_get); nothing
   is changed yet. journal_commit stores the number of notes in `count`: that store is the commit.
   Then the notes are carried out, in their order, and count goes back to 0.

   count, note   written by the lock's owner only.
   Owner dies before the commit: the notes are forgotten, nothing happened. After it: the next owner
   carries them out (again: they are plain stores of values, so twice is as good as once) before it
   does anything else. A word that is changed by transactions may be read without the lock; notes
   are carried out in order, each with release, so the word that makes others reachable goes last.
   Who inherits another lock (queue.h) from a dead owner must go through the journal's lock once
   before trusting words that transactions change: the dead one's committed notes may not be carried
   out yet.

   The journal's lock is a leaf: nothing else is locked, no Lua and no waiting under it. */
#ifndef SHM_JOURNAL_H
#define SHM_JOURNAL_H

#include <stdint.h>

#define JOURNAL_NOTES 62

/* Sets up the journal of a new region. */
void journal_init(void);

/* Takes the lock; carries out what a dead owner committed. */
void journal_lock(void);

/* Gives the lock back; notes that were not committed are dropped. */
void journal_unlock(void);

/* The word's value as this transaction sees it. */
uint64_t journal_get(const uint64_t *word);

/* The word as it is at the moment, without the lock. Who acts on it looks again under the lock. */
static inline uint64_t journal_glance(const uint64_t *word) {
  return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* Notes a new value. */
void journal_set(uint64_t *word, uint64_t value);

/* Makes all notes real, at once for everyone. The lock stays held and the next transaction may
 * begin. */
void journal_commit(void);

#endif
