/* A queue of messages: many producers, many consumers, any size, whole whatever dies when.

   Two robust locks, one for each end, and a ring of bytes in a block that the queue owns. A message
   is a record: 8 bytes of header, then the payload, rounded up to 8. Records do not wrap: a header
   that says SKIP leads from the ring's end to its start. A message that is large or carries handles
   stands in a block of its own (object.h) and the record holds its offset.

   tail, head   position (low 32 bits, units of 8 bytes, running on), messages ever put or got (31
   bits), and in tail the CLOSED bit. One store of this word commits a put, or a get: before it the
   message is not in, or still in. tail: by the holder of `put`, except that CLOSED is or-ed in by
   anybody; hence the compare-and-swap. ring, mask   the block and its size less one in units:
   changed, with tail, head and both `seen`, in one transaction (journal.h) by the producer that
   finds the ring full, holding both locks.
   *_seen       the other end's word as last read; under the lock of the end that reads.
   hand, back, back_count, acked  of a queue that redelivers (hand.h): change in transactions.
   *_asleep     set by the one waiter of that end (it holds the lock: the others wait for the lock)
   before it sleeps.
   listened     set, before it looks, by who waits for messages in an event loop; cleared by who
   rings the bell then (region.h). all_done     where wait_done sleeps (gate.h); who deals with the
   last one wakes.

   A put or get of a block is a transaction too: tail or head and the block's owner change together.
   Several messages go in, and come out, with one store: all records are written, or copied, before
   it. Small messages are copied in and out, which costs less than a lock held while Lua encodes or
   decodes would; large ones are encoded right where they stay (bind/parcel.h).
   Dies holding `put` or `get`: the next owner passes the journal's lock once (committed notes are
   carried out), then finds everything either before or after. Dies between commit and wake: the
   sleeper looks again after a slice. Lock order: put, get, journal. */
#ifndef SHM_QUEUE_H
#define SHM_QUEUE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/gate.h"
#include "shm/heap.h"
#include "shm/robust.h"

#define QUEUE_FIRST_RING ((size_t)32 << 10) /* bytes: a ring begins so and doubles */
#define QUEUE_INLINE (8 << 10)              /* bytes: larger messages go in blocks of their own */
#define QUEUE_COUNT 0x7fffffffu             /* messages are counted modulo this and one */

struct queue {
  robust put; /* 0: the producers' line */
  uint64_t head_seen;
  uint64_t pad0[2];
  _Atomic uint64_t tail; /* 64 */
  uint64_t pad1[7];
  robust get; /* 128: the consumers' line */
  uint64_t tail_seen;
  uint64_t pad2[2];
  _Atomic uint64_t head; /* 192 */
  uint64_t pad3[7];
  _Atomic uint32_t get_asleep; /* 256 */
  _Atomic uint32_t put_asleep;
  _Atomic uint32_t done; /* messages that task_done was said for */
  _Atomic uint32_t listened;
  struct gate all_done; /* where wait_done sleeps */
  uint64_t pad4[5];
  uint64_t ring; /* 320: read by all, changed when the ring grows */
  uint64_t mask;
  uint64_t capacity; /* messages; 0: no limit */
  uint64_t hand;     /* block that owns what consumers have not dealt with yet; 0: not kept */
  uint64_t back;     /* block that owns what dead consumers had */
  _Atomic uint64_t back_count;
  uint64_t acked;          /* the low half is what `done` is for other queues */
  _Atomic uint64_t looked; /* clock_now() when the dead were last looked for */
};
_Static_assert(sizeof(struct queue) == 384, "each end has its lines to itself");

/* A message in the ring, and in what queue_get_many gives; the payload follows, rounded up to 8. */
struct record {
  uint32_t size; /* bytes of payload */
  uint32_t kind;
};

static inline struct record *record_next(const struct record *record) {
  return (struct record *)(record + 1) + (record->size + 7) / 8;
}

/* Bytes of this process's own, grown as needed. */
struct buffer {
  char *data;
  size_t size, room;
};

/* Makes room for `room` bytes: 0 or -ENOMEM. */
int buffer_reserve(struct buffer *b, size_t room);

/* A new queue with one hold in the list: its offset and *hold; 0: no memory. One that redelivers
   takes no bytes, only blocks, and keeps each until task_done is said for it: what a consumer that
   died had not dealt with goes to the next one. */
uint64_t queue_new(uint64_t capacity, int redeliver, struct link *list, uint64_t *hold);
int queue_redelivers(uint64_t queue);

/* Puts size <= QUEUE_INLINE bytes: 0, -ETIMEDOUT, -EAGAIN (full, and the deadline had passed before
   the call), -EPIPE (closed), -ENOMEM, -EINTR (a signal handler ran while waiting; nothing was
   put). */
int queue_put(uint64_t queue, const void *bytes, size_t size, int64_t deadline);

/* The same of a message in two parts, together size <= QUEUE_INLINE. */
int queue_put_parts(uint64_t queue, const void *head, size_t head_size, const void *bytes,
                    size_t size, int64_t deadline);

/* Puts n messages of sizes[i] <= QUEUE_INLINE bytes that lie one behind the other, each rounded up
   to 8, as many as may go with one store at a time: the same, and *done says how many are in. */
int queue_put_many(uint64_t queue, const void *bytes, const uint32_t *sizes, size_t n, size_t *done,
                   int64_t deadline);

/* Puts a block of this process's ledger, whole: the same. It is the queue's then. */
int queue_put_block(uint64_t queue, uint64_t block, int64_t deadline);

/* Gets the first message: its bytes into *into and *block 0, or *block the message's own block,
   which is in this process's ledger then. 0; -ETIMEDOUT, -EAGAIN (empty), -EPIPE (closed and
   empty), -ENOMEM, -EINTR: nothing was taken. -EBADMSG: somebody has written into the queue's
   memory: the message is lost, and with it those behind it if their sizes do not add up. A block of
   a queue that redelivers stays the queue's and is there until this process says task_done. */
int queue_get(uint64_t queue, struct buffer *into, uint64_t *block, int64_t deadline);

/* Waits for the first and takes up to `most` messages that are there, all with one store: how many
   and their records in *into, or 1 and *block, or an error as above. */
int queue_get_many(uint64_t queue, struct buffer *into, size_t most, uint64_t *block,
                   int64_t deadline);

/* A block that this process got of a queue that redelivers goes back to the front, as if it had not
   been got. */
void queue_return(uint64_t queue, uint64_t block);

/* No more puts. What is in it can be got. */
void queue_close(uint64_t queue);
/* The same for who holds the journal's lock. */
void queue_mark_closed(uint64_t queue);
int queue_is_closed(uint64_t queue);

/* Messages in it at one moment of this call. */
uint64_t queue_length(uint64_t queue);
uint64_t queue_capacity(uint64_t queue);

/* One message that was got is dealt with (in a queue that redelivers: the one that this process has
   had longest): 0, -ERANGE: more often than messages were put, or this process has none. */
int queue_task_done(uint64_t queue);

/* Waits until each message put has been dealt with: 0, -ETIMEDOUT, -EINTR. */
int queue_wait_done(uint64_t queue, int64_t deadline);

/* Whether a get would not wait. */
int queue_is_ready(uint64_t queue);

/* Waits until a get would not: 0, -ETIMEDOUT, -EINTR. */
int queue_wait(uint64_t queue, int64_t deadline);

/* The next message, or the closing, rings the bell. To be called before queue_is_ready. */
void queue_listen(uint64_t queue);

/* The word a waiter for messages sleeps on, for futex_wait_many; set to 1 by this call. */
_Atomic uint32_t *queue_watch(uint64_t queue);

#endif
