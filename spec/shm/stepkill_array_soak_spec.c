/* All scenes of stepkill_array_spec.c, each killed at every instruction. */
#include "scenes_array.h"

int main(int argc, char **argv) {
  (void)argc;
  step_bind_now(argv);
  add_scenes(array_scenes, run_scene_wholly);
  return run_scenes();
}
