/* All scenes of dict_stepkill_spec.c, each killed at every instruction. */
#include "scenes_dict.h"

int main(int argc, char **argv) {
  (void)argc;
  step_bind_now(argv);
  add_scenes(dict_scenes, run_scene_wholly);
  return run_scenes();
}
