/* Killed at any instruction of a dict's operations: each is done or not done, counts are exact,
   nothing leaks. Long ways are taken in strides here and wholly in dict_stepkill_soak_spec.c. */
#include "scenes_dict.h"

int main(int argc, char **argv) {
  (void)argc;
  step_bind_now(argv);
  add_scenes(dict_scenes, run_scene);
  return run_scenes();
}
