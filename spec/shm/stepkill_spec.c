/* Killed at any instruction: an operation is done or not done, and nobody waits for the dead.
   Long ways are taken in strides here and wholly in stepkill_soak_spec.c. */
#include "scenes_crash.h"
#include "scenes_hand.h"
#include "scenes_heap.h"
#include "scenes_job.h"
#include "scenes_stream.h"
#include "scenes_wait.h"

int main(int argc, char **argv) {
  (void)argc;
  step_bind_now(argv);
  add_scenes(queue_scenes, run_scene);
  add_scenes(hand_scenes, run_scene);
  add_scenes(heap_scenes, run_scene);
  add_scenes(job_scenes, run_scene);
  add_scenes(crash_scenes, run_scene);
  add_scenes(stream_scenes, run_scene);
  return run_scenes();
}
