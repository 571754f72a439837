/* Killed at any instruction: an operation is done or not done, and nobody waits for the dead.
   Long ways are taken in strides here and wholly in stepkill_soak_spec.c. */
#include "scenes_heap.h"
#include "scenes_wait.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

int main(int argc, char **argv) {
  (void)argc;
  step_bind_now(argv);
  struct CMUnitTest cases[COUNT(queue_scenes) + COUNT(heap_scenes)];
  size_t n = 0;
  for (size_t i = 0; i < COUNT(queue_scenes); i++)
    cases[n++] = scene_case(&queue_scenes[i], run_scene);
  for (size_t i = 0; i < COUNT(heap_scenes); i++)
    cases[n++] = scene_case(&heap_scenes[i], run_scene);
  return cmocka_run_group_tests(cases, NULL, NULL);
}
