/* A member is killed at every instruction of an operation; then the others must find everything
   before or after it, at once. A scene is one operation with what is around it. */
#ifndef SPEC_SHM_STEPKILL_H
#define SPEC_SHM_STEPKILL_H

#include "step.h"

#define STEP_HANG 2000 /* ms: who waits longer hangs */
#define STEP_LONG 3000 /* instructions: more are all stepped in the soak only */
#define STEP_LATE 100  /* ms slept in vain: a lost wake costs a slice of 50 */

/* What verify found. */
enum outcome { NOT_DONE = 0, DONE, EITHER };

struct scene {
  const char *name;
  void (*prepare)(void);        /* by the spec, before the victim exists */
  void (*arm)(void);            /* by the victim, before the stepping */
  void (*act)(void);            /* what is stepped */
  void (*meanwhile)(void);      /* by the spec, while the victim stands at its last instruction */
  void (*early)(void);          /* by the spec, when the victim is dead and nobody has reaped it */
  enum outcome (*verify)(void); /* by the spec, when the victim is reaped */
  void (*after)(void);          /* by the victim: it is not killed but goes on, and does this */
  int every;                    /* the default run kills at every `every`th instruction; 0: 1 */
  int woken;                    /* others end the sleeps of the act; else they run out, at once */
};                              /* all but act may be NULL */

#if defined(__x86_64__)

struct tally {
  int points, missed, late, done, not_done, turns;
  int64_t worst, worst_slept;
  enum outcome last;
};

static inline void tally_outcome(struct tally *t, enum outcome found) {
  if (found == EITHER) return;
  t->done += found == DONE;
  t->not_done += found == NOT_DONE;
  t->turns += found != t->last;
  t->last = found;
}

/* The others go on after the victim's death. */
static inline void scene_aftermath(const struct scene *scene, struct member *m, int reached,
                                   struct tally *t) {
  step_forget();
  int64_t since = clock_now();
  if (scene->after)
    way_leave(m->proc.pid);
  else
    assert_int_equal(proc_signal(&m->proc, SIGKILL), 0);
  assert_int_equal(proc_wait(&m->proc, CLOCK_NEVER), 1);
  if (scene->early) scene->early();
  assert_int_equal(member_end(m), scene->after ? 0 : -SIGKILL);
  family_scan();
  enum outcome found = scene->verify ? scene->verify() : EITHER;
  int64_t took = clock_now() - since, slept = step_slept(since);
  if (took > t->worst) t->worst = took;
  if (slept > t->worst_slept) t->worst_slept = slept;
  t->late += slept > STEP_LATE * SPEC_MS;
  t->points++;
  t->missed += !reached;
  if (reached) tally_outcome(t, found);
  check_heap();
  assert_int_equal(heap_used(), spec_base);
}

static inline struct member scene_begin(const struct scene *scene) {
  static struct victim_job job;
  job = (struct victim_job){
      .arm = scene->arm, .act = scene->act, .after = scene->after, .woken = scene->woken};
  if (scene->prepare) scene->prepare();
  return victim_start(&job);
}

static inline void scene_explore(const struct scene *scene, struct way *way, struct tally *t) {
  struct member m = scene_begin(scene);
  way_explore(way, m.proc.pid);
  if (scene->meanwhile) scene->meanwhile();
  scene_aftermath(scene, &m, 1, t);
}

static inline void scene_report(const struct scene *scene, const struct way *way, int every,
                                const struct tally *t) {
  print_message("           %s: %d instructions, killed at %d: done %d, not done %d, "
                "late %d (slept in vain %.1f ms, took %.1f ms at worst), missed %d\n",
                scene->name, way->points, t->points, t->done, t->not_done, t->late,
                (double)t->worst_slept / SPEC_MS, (double)t->worst / SPEC_MS, t->missed);
  assert_true(t->turns <= 1); /* one instruction is the commit */
  if (t->done) assert_true(t->not_done > 0 || every > 1);
  assert_int_equal(t->late, 0);
  assert_true(t->missed * 4 <=
              t->points); /* spinning and the system's own work have no fixed way */
}

/* How many instructions lie from one kill to the next. */
static inline int scene_stride(const struct scene *scene, const struct way *way, int soak) {
  if (soak) return 1;
  if (way->points > STEP_LONG) return 7;
  return scene->every ? scene->every : 1;
}

static inline void scene_kill_at(const struct scene *scene, const struct point *point,
                                 struct tally *t) {
  struct member m = scene_begin(scene);
  int reached = way_follow(point, m.proc.pid);
  if (scene->meanwhile) scene->meanwhile();
  scene_aftermath(scene, &m, reached, t);
}

static inline void scene_play(const struct scene *scene, int soak) {
  static struct way way;
  const char *obstacle = step_obstacle();
  if (obstacle) {
    print_message("           %s: not stepped here: %s\n", scene->name, obstacle);
    skip();
  }
  step_pin();
  struct tally t = {.last = NOT_DONE};
  scene_explore(scene, &way, &t); /* the first time the heap is fresh: another way */
  scene_explore(scene, &way, &t);
  int every = scene_stride(scene, &way, soak);
  t = (struct tally){.last = NOT_DONE};
  for (int i = 0; i < way.points; i += every) scene_kill_at(scene, &way.point[i], &t);
  scene_report(scene, &way, every, &t);
}

#else

static inline void scene_play(const struct scene *scene, int soak) {
  (void)soak;
  print_message("           %s: not stepped here: not x86-64\n", scene->name);
  skip();
}

#endif

static inline void run_scene(void **state) {
  alarm(3 * SPEC_SECONDS * spec_slower());
  scene_play(*state, 0);
}

static inline void run_scene_wholly(void **state) {
  alarm(600 * spec_slower());
  scene_play(*state, 1);
}

/* ---- the cases of a spec: tables of scenes ---- */

static struct CMUnitTest scene_cases[256];
static size_t scene_count;

#define add_scenes(table, run) add_some(table, sizeof(table) / sizeof *(table), run)

static inline void add_some(const struct scene *scene, size_t n, CMUnitTestFunction run) {
  must(scene_count + n <= sizeof scene_cases / sizeof *scene_cases);
  for (; n > 0; n--, scene++)
    scene_cases[scene_count++] =
        (struct CMUnitTest){scene->name, run, case_begin, case_end, (void *)(uintptr_t)scene};
}

static inline int run_scenes(void) {
  return _cmocka_run_group_tests("scenes", scene_cases, scene_count, NULL, NULL);
}

/* Names are bound before main: binding would be stepped too, some thousand instructions of it. */
static inline void step_bind_now(char **argv) {
  if (getenv("LD_BIND_NOW")) return;
  setenv("LD_BIND_NOW", "1", 1);
  execv("/proc/self/exe", argv);
}

#endif
