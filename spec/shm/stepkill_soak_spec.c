/* All scenes of stepkill_spec.c, each killed at every instruction; some minutes. */
#include "scenes_heap.h"
#include "scenes_wait.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

int main(int argc, char **argv) {
  (void)argc;
  step_bind_now(argv);
  struct CMUnitTest cases[COUNT(queue_scenes) + COUNT(heap_scenes) + COUNT(large_scenes)];
  size_t n = 0;
  for (size_t i = 0; i < COUNT(queue_scenes); i++)
    cases[n++] = scene_case(&queue_scenes[i], run_scene_wholly);
  for (size_t i = 0; i < COUNT(heap_scenes); i++)
    cases[n++] = scene_case(&heap_scenes[i], run_scene_wholly);
  for (size_t i = 0; i < COUNT(large_scenes); i++)
    cases[n++] = scene_case(&large_scenes[i], run_scene_wholly);
  return cmocka_run_group_tests(cases, NULL, NULL);
}
