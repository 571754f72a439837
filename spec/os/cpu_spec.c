/* CPUs that may be used: the affinity mask counts, the cgroup's quota too, and never none. The
   files that tell of the quota are the spec's own (fake_files.h). */
#include "support.h"

#include <sched.h>

#include "fake_files.h"
#include "os/cpu.h"

static int cpus_with(const struct fake *files) {
  fakes = files;
  int cpus = cpu_usable();
  fakes = NULL;
  return cpus;
}

static int in_mask(void) {
  cpu_set_t set;
  assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
  return CPU_COUNT(&set);
}

static void within_the_machine(void **state) {
  (void)state;
  int usable = cpu_usable();
  assert_in_range(usable, 1, in_mask());
  assert_int_equal(cpu_usable(), usable);
}

static void one_run(void) {
  cpu_set_t all, one;
  must(sched_getaffinity(0, sizeof all, &all) == 0);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &all)) continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    must(sched_setaffinity(0, sizeof one, &one) == 0);
    must(cpu_usable() == 1);
  }
}

static void the_mask_counts(void **state) {
  (void)state;
  assert_int_equal(in_child(one_run), 0);
}

#define V2(max)                                                                                    \
  ((struct fake[]){{"/proc/self/cgroup", "0::/a/b\n"}, {"/sys/fs/cgroup/a/b/cpu.max", max}, {0}})

static void a_quota_is_rounded_up(void **state) {
  (void)state;
  int all = in_mask();
  assert_int_equal(cpus_with(V2("100000 100000\n")), 1);
  assert_int_equal(cpus_with(V2("1000 100000\n")), 1); /* a hundredth of one is one */
  assert_int_equal(cpus_with(V2("100001 100000\n")), all < 2 ? all : 2);
  assert_int_equal(cpus_with(V2("50000 25000\n")), all < 2 ? all : 2);
  assert_int_equal(cpus_with(V2("99900000 100000\n")), all < 999 ? all : 999);
}

static void no_quota(void **state) {
  (void)state;
  int all = in_mask();
  static const char *const text[] = {"max 100000\n", "\n",    "nonsense",
                                     "0 100000\n",   "5 0\n", "-1 5\n"};
  for (size_t i = 0; i < sizeof text / sizeof *text; i++)
    assert_int_equal(cpus_with(V2(text[i])), all);
  assert_int_equal(cpus_with((struct fake[]){{0}}), all);
  assert_int_equal(cpus_with((struct fake[]){{"/proc/self/cgroup", "\nx\n:\n::\n"}, {0}}), all);
}

/* The least on the way up counts; the group's own files may say nothing. */
static void any_level_above(void **state) {
  (void)state;
  static const char *const path[] = {"/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/a/cpu.max",
                                     "/sys/fs/cgroup/a/b/cpu.max"};
  for (int i = 0; i < 3; i++) {
    struct fake files[] = {{"/proc/self/cgroup", "0::/a/b\n"},
                           {path[i], "70000 100000\n"},
                           {path[(i + 1) % 3], "max 100000\n"},
                           {0}};
    assert_int_equal(cpus_with(files), 1);
  }
}

static void version_one(void **state) {
  (void)state;
  struct fake files[] = {{"/proc/self/cgroup", "5:cpuset:/x\n4:cpu,cpuacct:/c\n0::/\n"},
                         {"/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "80000\n"},
                         {"/sys/fs/cgroup/cpu/c/cpu.cfs_period_us", "100000\n"},
                         {0}};
  assert_int_equal(cpus_with(files), 1);
  files[1].text = "-1\n";
  assert_int_equal(cpus_with(files), in_mask());
}

int main(void) {
  const struct CMUnitTest cases[] = {
      os_case(within_the_machine), os_case(the_mask_counts), os_case(a_quota_is_rounded_up),
      os_case(no_quota),           os_case(any_level_above), os_case(version_one),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
