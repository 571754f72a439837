/* CPUs this process may use: see cpu.h. A missing, empty or foreign cgroup file means no quota. */
#include "os/cpu.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int affinity(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  for (int cpus = 2 * CPU_SETSIZE; cpus <= 1 << 16;
       cpus *= 2) { /* more CPUs than cpu_set_t holds */
    cpu_set_t *big = CPU_ALLOC(cpus);
    if (!big) return 1;
    int rc = sched_getaffinity(0, CPU_ALLOC_SIZE(cpus), big);
    int count = rc == 0 ? CPU_COUNT_S(CPU_ALLOC_SIZE(cpus), big) : 0;
    CPU_FREE(big);
    if (count) return count;
  }
  return 1;
}

/* The first line of a file without its newline: 1, or 0 when there is none. */
static int read_line(const char *path, char *line, size_t size) {
  FILE *file = fopen(path, "re");
  if (!file) return 0;
  char *got = fgets(line, (int)size, file);
  fclose(file);
  if (got) line[strcspn(line, "\n")] = 0;
  return got != NULL;
}

static int rounded(double quota, double period) {
  if (!(quota > 0) || !(period > 0)) return INT_MAX;
  int cpus = (int)(quota / period);
  return cpus < quota / period ? cpus + 1 : cpus;
}

static int quota_v2(const char *group) {
  char path[PATH_MAX], line[128];
  double quota, period;
  snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
  if (!read_line(path, line, sizeof line)) return INT_MAX;
  return sscanf(line, "%lf %lf", &quota, &period) == 2 ? rounded(quota, period) : INT_MAX;
}

static int quota_v1(const char *group) {
  char path[PATH_MAX], quota[64], period[64];
  snprintf(path, sizeof path, "/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us", group);
  if (!read_line(path, quota, sizeof quota)) return INT_MAX;
  snprintf(path, sizeof path, "/sys/fs/cgroup/cpu%s/cpu.cfs_period_us", group);
  if (!read_line(path, period, sizeof period)) return INT_MAX;
  return rounded(atof(quota), atof(period));
}

/* A limit may stand on any level above: the least of them counts. */
static int least_upward(char *group, int (*quota)(const char *)) {
  int least = quota("");
  for (char *end; *group; *end = 0) {
    int here = quota(group);
    if (here < least) least = here;
    if (!(end = strrchr(group, '/'))) break;
  }
  return least;
}

static int cgroup_quota(void) {
  char line[PATH_MAX - 64];
  int least = INT_MAX;
  FILE *file = fopen("/proc/self/cgroup", "re");
  if (!file) return least;
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) continue;
    *group++ = 0;
    int cpus = INT_MAX;
    if (controllers[1] == 0)
      cpus = least_upward(group, quota_v2);
    else if (strstr(controllers, "cpu") && !strstr(controllers, "cpuset"))
      cpus = least_upward(group, quota_v1);
    if (cpus < least) least = cpus;
  }
  fclose(file);
  return least;
}

int cpu_usable(void) {
  int mask = affinity(), quota = cgroup_quota();
  int cpus = mask < quota ? mask : quota;
  return cpus < 1 ? 1 : cpus;
}

int cpu_pin(int n) {
  cpu_set_t mask, one;
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return -errno;
  int count = CPU_COUNT(&mask), cpu = 0;
  if (count == 0) return -EINVAL;
  for (n = n % count; !CPU_ISSET(cpu, &mask) || n-- > 0; cpu++) continue;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  return sched_setaffinity(0, sizeof one, &one) == 0 ? 0 : -errno;
}
