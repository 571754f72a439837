/* All scenes of stepkill_spec.c, each killed at every instruction; some minutes. */
#include "scenes_crash.h"
#include "scenes_hand.h"
#include "scenes_heap.h"
#include "scenes_line.h"
#include "scenes_sync.h"
#include "scenes_job.h"
#include "scenes_stream.h"
#include "scenes_wait.h"

int main(int argc, char **argv) {
  (void)argc;
  step_bind_now(argv);
  add_scenes(queue_scenes, run_scene_wholly);
  add_scenes(hand_scenes, run_scene_wholly);
  add_scenes(heap_scenes, run_scene_wholly);
  add_scenes(job_scenes, run_scene_wholly);
  add_scenes(crash_scenes, run_scene_wholly);
  add_scenes(stream_scenes, run_scene_wholly);
  add_scenes(large_scenes, run_scene_wholly);
  add_scenes(sync_scenes, run_scene_wholly);
  add_scenes(line_scenes, run_scene_wholly);
  return run_scenes();
}
