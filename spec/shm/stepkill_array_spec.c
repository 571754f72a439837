/* Arrays, slices and files: killed at any instruction. Long ways are taken in strides here and
   wholly in stepkill_array_soak_spec.c. */
#include "scenes_array.h"

int main(int argc, char **argv) {
  (void)argc;
  step_bind_now(argv);
  add_scenes(array_scenes, run_scene);
  return run_scenes();
}
