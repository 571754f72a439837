/* The last words of processes that died of a fault: what a signal handler could write down.

   CRASHES records in the region, used in turn: a record is its writer's until CRASHES others have
   died after it. Nobody gives one back; who looks for one looks by the dead one's id.

   next   counts records ever begun: fetch-and-add by the dying, whose record is next % CRASHES
   id     whose record it is (family_id). Taken down first (0), put up (release) when signal,
          address, sender and the first frame are there; by the writer, a signal handler
   frames how many frames are whole (release); native, lua: bytes of the texts that are (release).
          They grow while the record is up, so whatever the writer dies of, what is said is whole.

   Writer dies: before `id` there is no record, after it the reader takes what is there. Two writers
   on one record (CRASHES deaths within one) may mix their texts, not more: a reader looks at `id`
   again after it has copied, and texts end where their room ends. Nothing here is locked and
   nothing waits: it is used by signal handlers. */
#ifndef SHM_CRASH_H
#define SHM_CRASH_H

#include <stdatomic.h>
#include <stdint.h>

#define CRASHES 16
#define CRASH_FRAMES 24
#define CRASH_TEXT 880

struct crash {
  _Atomic uint64_t id;
  uint32_t signal;
  uint32_t sender;  /* 0: the kernel */
  uint64_t address; /* that could not be used */
  _Atomic uint32_t frames, native, lua;
  uint32_t pad;
  uint64_t frame[CRASH_FRAMES];
  char native_text[CRASH_TEXT]; /* a line for each frame */
  char lua_text[CRASH_TEXT];    /* the same of Lua's stack */
};
_Static_assert(sizeof(struct crash) <= 2048, "two kilobytes");

/* In a signal handler: a record that is not up yet. */
struct crash *crash_begin(void);

/* Puts it up as this process's. */
void crash_show(struct crash *crash);

/* Copies the record of the process of this id (family.h): 1, or 0: there is none. */
int crash_find(uint64_t id, struct crash *copy);

#endif
