/* Pipes: see pipe.h. */
#include "shm/pipe.h"

#include <errno.h>

#include "shm/object.h"
#include "shm/queue.h"

/* Called while the end is taken apart, under the journal's lock. */
static void close_end(uint64_t offset) {
  const struct end *end = pipe_end(offset);
  if (end->in) queue_mark_closed(end->in);
  if (end->out) queue_mark_closed(end->out);
}

void pipe_init(void) {
  object_on_end(BLOCK_PIPE, close_end);
}

/* Makes the end a holder of the queue, if there is one. */
static int hold_queue(uint64_t end, uint64_t queue) {
  if (queue && !object_hold(queue, &block_at(end)->owned)) return -ENOMEM;
  return 0;
}

static int connect(uint64_t end, uint64_t in, uint64_t out, uint64_t peer) {
  *pipe_end(end) = (struct end){.in = in, .out = out, .peer = peer};
  int rc = hold_queue(end, in);
  return rc < 0 ? rc : hold_queue(end, out);
}

/* Two queues and two ends, each with a hold in the list: 0 when there is no memory. */
static int make_parts(int duplex, struct link *list, uint64_t queue[2], uint64_t queue_hold[2],
                      uint64_t end[2], uint64_t hold[2]) {
  for (int i = 0; i < (duplex ? 2 : 1); i++)
    if (!(queue[i] = queue_new(0, 0, list, &queue_hold[i]))) return 0;
  for (int i = 0; i < 2; i++)
    if (!(end[i] = object_new(sizeof(struct end), BLOCK_PIPE, list, &hold[i]))) return 0;
  return 1;
}

int pipe_new(int duplex, struct link *list, uint64_t end[2], uint64_t hold[2]) {
  uint64_t queue[2] = {0}, queue_hold[2] = {0};
  hold[0] = hold[1] = 0;
  int rc = make_parts(duplex, list, queue, queue_hold, end, hold) ? 0 : -ENOMEM;
  if (rc == 0) rc = connect(end[0], queue[0], queue[1], end[1]);
  if (rc == 0) rc = connect(end[1], queue[1], queue[0], end[0]);
  for (int i = 0; i < 2; i++) {
    if (rc < 0 && hold[i]) object_drop(hold[i]);
    if (queue_hold[i]) object_drop(queue_hold[i]); /* the ends have them */
  }
  return rc;
}

int pipe_is_lonely(uint64_t end, int mine) {
  const struct block *peer = block_at(pipe_end(end)->peer);
  return __atomic_load_n(&peer->refs, __ATOMIC_RELAXED) <= (uint64_t)mine;
}
