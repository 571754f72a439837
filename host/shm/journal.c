/* The redo log: see journal.h. */
#include "shm/journal.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "shm/region.h"
#include "shm/robust.h"

struct note {
  uint64_t offset, value;
};

struct journal {
  robust lock;
  _Atomic uint64_t count; /* notes to carry out; 0: nothing is committed */
  uint64_t pad[2];
  struct note note[JOURNAL_NOTES];
};
_Static_assert(sizeof(struct journal) <= REGION_STREAMS, "the journal has its place in the region");

/* How many notes the open transaction has. Private: it dies with its process, as it should. */
static PROCESS_LOCAL int noted;

static struct journal *journal(void) {
  return region_at(REGION_JOURNAL);
}

static void carry_out(struct journal *j, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    uint64_t *word = region_at(j->note[i].offset);
    /* release: a lock-free reader of this word sees the ones before it */
    __atomic_store_n(word, j->note[i].value, __ATOMIC_RELEASE);
  }
  /* release: forget the notes only after they are carried out */
  atomic_store_explicit(&j->count, 0, memory_order_release);
}

void journal_init(void) {
  robust_init(&journal()->lock);
}

void journal_lock(void) {
  struct journal *j = journal();
  robust_lock(&j->lock);
  noted = 0;
  uint64_t count = atomic_load_explicit(&j->count, memory_order_acquire);
  if (count) carry_out(j, count);
}

void journal_unlock(void) {
  noted = 0;
  robust_unlock(&journal()->lock);
}

uint64_t journal_get(const uint64_t *word) {
  struct journal *j = journal();
  uint64_t offset = region_offset(word);
  for (int i = noted; i-- > 0;)
    if (j->note[i].offset == offset) return j->note[i].value;
  return __atomic_load_n(word, __ATOMIC_RELAXED);
}

void journal_set(uint64_t *word, uint64_t value) {
  if (noted == JOURNAL_NOTES) abort(); /* a transaction has a fixed, small number of words */
  journal()->note[noted++] = (struct note){region_offset(word), value};
}

void journal_commit(void) {
  struct journal *j = journal();
  /* release: the notes are whole before the count makes them valid */
  atomic_store_explicit(&j->count, (uint64_t)noted, memory_order_release);
  carry_out(j, (uint64_t)noted);
  noted = 0;
}
