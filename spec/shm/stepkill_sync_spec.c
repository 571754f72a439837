/* Locks, semaphores, events, conditions and barriers whose users are killed at any instruction.
   Long ways are taken in strides here and wholly in stepkill_soak_spec.c. */
#include "scenes_line.h"
#include "scenes_sync.h"

int main(int argc, char **argv) {
  (void)argc;
  step_bind_now(argv);
  add_scenes(sync_scenes, run_scene);
  add_scenes(line_scenes, run_scene);
  return run_scenes();
}
