/* Barriers: see barrier.h. */
#include "shm/barrier.h"

#include "shm/family.h"
#include "shm/object.h"

uint64_t barrier_new(uint32_t parties, struct link *list, uint64_t *hold) {
  /* Room for one whole round to come while another one goes, and for stragglers. */
  uint32_t entries = 2 * parties + 8;
  size_t size = sizeof(struct barrier) + entries * sizeof(struct party);
  uint64_t offset = object_new(size, BLOCK_BARRIER, list, hold);
  if (!offset) return 0;
  struct barrier *b = heap_payload(offset);
  robust_init(&b->guard);
  b->parties = parties;
  b->entries = entries;
  atomic_store(&b->last, BARRIER_RESET);
  return offset;
}

/* ---- words of a round and its ending ---- */

static uint64_t word_of(uint64_t round, enum ending ending) {
  return round << 8 | (uint64_t)ending;
}

static uint64_t round_of(uint64_t word) {
  return word >> 8;
}

static enum ending ending_of(uint64_t word) {
  return (enum ending)(word & 255);
}

static uint64_t current(const struct barrier *b) {
  return round_of(atomic_load(&b->last)) + 1;
}

static int is_broken(const struct barrier *b) {
  return ending_of(atomic_load(&b->last)) >= BARRIER_TIMED_OUT;
}

static int is_of(const struct party *party, uint64_t round) {
  return atomic_load(&party->owner) && round_of(atomic_load(&party->ticket)) == round;
}

/* How many entries there are to look at. */
static uint32_t high(const struct barrier *b) {
  return atomic_load(&b->high);
}

static uint32_t count(struct barrier *b, uint64_t round) {
  uint32_t n = 0;
  for (uint32_t i = 0, end = high(b); i < end; i++) n += (uint32_t)is_of(&b->party[i], round);
  return n;
}

/* Whether a party of the current round is dead. */
static int has_dead(struct barrier *b) {
  uint64_t round = current(b);
  for (uint32_t i = 0, end = high(b); i < end; i++) {
    uint64_t owner = atomic_load(&b->party[i].owner);
    if (owner && is_of(&b->party[i], round) && !family_lives(owner)) return 1;
  }
  return 0;
}

/* ---- under the guard ---- */

/* The word of the round decided last, for unlock_guard. */
static uint64_t lock_guard(struct barrier *b) {
  robust_lock(&b->guard); /* ROBUST_DIED: there is nothing to repair */
  return atomic_load(&b->last);
}

/* Wakes after a decision; those woken may want the guard at once. */
static void unlock_guard(struct barrier *b, uint64_t before) {
  robust_unlock(&b->guard);
  if (atomic_load(&b->last) != before) gate_wake(&b->gate, INT32_MAX);
}

/* Parties of the round before that have not looked yet will find its ending in their tickets. */
static void settle(struct barrier *b) {
  uint64_t last = atomic_load(&b->last), pending = word_of(round_of(last), BARRIER_PENDING);
  for (uint32_t i = 0, end = high(b); i < end; i++)
    if (atomic_load(&b->party[i].ticket) == pending) atomic_store(&b->party[i].ticket, last);
}

static void decide(struct barrier *b, enum ending ending) {
  uint64_t round = current(b);
  settle(b);
  atomic_store(&b->last, word_of(round, ending));
}

static void break_if_dead(struct barrier *b) {
  if (!is_broken(b) && has_dead(b)) decide(b, BARRIER_GONE);
}

/* What the entries say of a round, in one walk. */
struct look {
  uint32_t there; /* parties of it */
  int dead;       /* one of them is */
  int free;       /* an entry for one more, or -1 */
};

static struct look look_around(struct barrier *b, uint64_t round) {
  struct look look = {0, 0, -1};
  for (uint32_t i = 0, end = high(b); i < end; i++) {
    uint64_t owner = atomic_load(&b->party[i].owner);
    int here = owner && is_of(&b->party[i], round), lives = owner && family_lives(owner);
    look.there += (uint32_t)here;
    look.dead |= here && !lives;
    if (look.free < 0 && !here && !lives) look.free = (int)i;
  }
  if (look.free < 0 && high(b) < b->entries) look.free = (int)high(b);
  return look;
}

/* Owner last; release, as all is that others only read under the guard, or to see whether it still
 * stands. */
static void take_entry(struct barrier *b, uint32_t entry, uint64_t round) {
  struct party *party = &b->party[entry];
  if (entry == high(b)) atomic_store(&b->high, entry + 1);
  atomic_store_explicit(&party->owner, 0, memory_order_release); /* a dead one's, perhaps: it must
                                                                    not seem to come again */
  atomic_store_explicit(&party->ticket, word_of(round, BARRIER_PENDING), memory_order_release);
  atomic_store_explicit(&party->owner, family_id(), memory_order_release);
}

/* 0; 1: it was the last one, and `decides`: the round has passed; -ECANCELED; or -EAGAIN: the round
 * is full and not decided yet, or there is no place. */
static int try_arrive(struct barrier *b, struct arrival *a, int decides) {
  if (is_broken(b)) return -ECANCELED;
  uint64_t round = current(b);
  struct look look = look_around(b, round);
  if (look.dead) {
    decide(b, BARRIER_GONE);
    return -ECANCELED;
  }
  if (look.there == b->parties) return -EAGAIN;
  *a = (struct arrival){.round = round, .entry = (uint32_t)look.free, .index = look.there + 1};
  if (decides && a->index == b->parties) {
    decide(b, BARRIER_PASSED);
    return 1;
  }
  if (look.free < 0) return -EAGAIN;
  take_entry(b, a->entry, round);
  return 0;
}

/* ---- parties ---- */

/* How the round ended; BARRIER_PENDING: not yet. */
static enum ending ending_for(struct barrier *b, const struct arrival *a) {
  uint64_t last = atomic_load(&b->last);
  if (round_of(last) == a->round) return ending_of(last);
  if (round_of(last) < a->round) return BARRIER_PENDING;
  return ending_of(atomic_load(&b->party[a->entry].ticket));
}

/* release: our reading of the ticket is over before others may write it. */
static void leave(struct barrier *b, const struct arrival *a) {
  atomic_store_explicit(&b->party[a->entry].owner, 0, memory_order_release);
}

static int arrive(struct barrier *b, struct arrival *a, int decides) {
  uint64_t before = lock_guard(b);
  int rc = try_arrive(b, a, decides);
  unlock_guard(b, before);
  return rc;
}

static int arrive_until(struct barrier *b, struct arrival *a, int decides, int64_t deadline) {
  int rc = arrive(b, a, decides);
  while (rc == -EAGAIN) {
    uint32_t turn = gate_enter(&b->gate);
    rc = arrive(b, a, decides);
    if (rc != -EAGAIN) return rc;
    int slept = gate_sleep(&b->gate, turn, deadline);
    if (slept < 0) return slept;
  }
  return rc;
}

int barrier_arrive(struct barrier *b, struct arrival *a, int64_t deadline) {
  return arrive_until(b, a, 0, deadline);
}

int barrier_meet(struct barrier *b, struct arrival *a, int64_t deadline) {
  return arrive_until(b, a, 1, deadline);
}

/* Breaks the party's round if it is not decided, and says how it ended. */
static enum ending force(struct barrier *b, const struct arrival *a, enum ending ending) {
  uint64_t before = lock_guard(b);
  break_if_dead(b);
  if (ending_for(b, a) == BARRIER_PENDING) decide(b, ending);
  ending = ending_for(b, a);
  unlock_guard(b, before);
  return ending;
}

static int await_asleep(struct barrier *b, const struct arrival *a, int64_t deadline) {
  for (;;) {
    uint32_t turn = gate_enter(&b->gate);
    enum ending ending = ending_for(b, a);
    if (ending != BARRIER_PENDING) return (int)ending;
    if (has_dead(b)) return (int)force(b, a, BARRIER_GONE);
    int rc = gate_sleep(&b->gate, turn, deadline);
    if (rc == -EINTR) return rc;
    if (rc == -ETIMEDOUT) {
      ending = force(b, a, BARRIER_TIMED_OUT);
      return ending == BARRIER_TIMED_OUT ? -ETIMEDOUT : (int)ending;
    }
  }
}

int barrier_await(struct barrier *b, const struct arrival *a, int64_t deadline) {
  int spins = deadline != CLOCK_NEVER && clock_now() >= deadline ? 0 : futex_spins();
  while (spins-- > 0 && ending_for(b, a) == BARRIER_PENDING) futex_pause();
  int rc =
      (int)ending_for(b, a); /* without the gate: who decides next would wake a sleeper there */
  if (rc == BARRIER_PENDING) rc = await_asleep(b, a, deadline);
  if (rc != -EINTR) leave(b, a);
  return rc;
}

enum ending barrier_end(struct barrier *b, const struct arrival *a, enum ending ending) {
  ending = force(b, a, ending);
  leave(b, a);
  return ending;
}

void barrier_give_up(struct barrier *b, const struct arrival *a) {
  barrier_end(b, a, BARRIER_ABORTED);
}

/* ---- everybody ---- */

void barrier_abort(struct barrier *b) {
  uint64_t before = lock_guard(b);
  if (!is_broken(b)) decide(b, BARRIER_ABORTED);
  unlock_guard(b, before);
}

void barrier_reset(struct barrier *b) {
  uint64_t before = lock_guard(b);
  break_if_dead(b);
  decide(b, BARRIER_RESET);
  unlock_guard(b, before);
}

enum ending barrier_state(struct barrier *b) {
  if (!is_broken(b) && has_dead(b)) {
    uint64_t before = lock_guard(b);
    break_if_dead(b);
    unlock_guard(b, before);
  }
  return ending_of(atomic_load(&b->last));
}

uint32_t barrier_waiting(struct barrier *b) {
  return is_broken(b) ? 0 : count(b, current(b));
}
