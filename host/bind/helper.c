/* Where the helper program is: see helper.h. */
#include "bind/helper.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SELF "/proc/self/exe"

static int here; /* this program is a helper; set before there are threads or children */

void helper_is_here(void) {
  here = 1;
}

int helper_is_self(void) {
  return here && !getenv("MPHOST_HELPER");
}

static int check(const char *path) {
  struct stat info;
  if (stat(path, &info) != 0) return -errno;
  if (!S_ISREG(info.st_mode)) return -EACCES;
  return access(path, X_OK) == 0 ? 0 : -errno;
}

/* By its name, which ps shows, as long as that is the same file. */
static void name_self(char path[HELPER_PATH]) {
  struct stat self, named;
  ssize_t n = readlink(SELF, path, HELPER_PATH - 1);
  if (n > 0) path[n] = 0;
  if (n <= 0 || stat(SELF, &self) != 0 || stat(path, &named) != 0 || self.st_ino != named.st_ino ||
      self.st_dev != named.st_dev)
    strcpy(path, SELF);
}

static int try(char path[HELPER_PATH], const char *folder, const char *name) {
  if (snprintf(path, HELPER_PATH, "%s/%s", folder, name) >= HELPER_PATH) return -ENAMETOOLONG;
  return check(path);
}

/* Beside the library, or further up. */
static int look_around(char path[HELPER_PATH]) {
  Dl_info info;
  char folder[HELPER_PATH];
  *path = 0;
  if (!dladdr((void *)&here, &info)) return -ENOENT;
  if (!realpath(info.dli_fname, folder) && !realpath(SELF, folder)) return -ENOENT;
  for (char *slash = strrchr(folder, '/'), *first = slash; slash; slash = strrchr(folder, '/')) {
    *slash = 0;
    if (slash == first && try(path, folder, "mphost") == 0) return 0;
    if (try(path, folder, "bin/mphost") == 0) return 0;
  }
  *path = 0;
  return -ENOENT;
}

int helper_find(const char *named, char path[HELPER_PATH]) {
  if (!named) named = getenv("MPHOST_HELPER");
  if (named && *named) {
    snprintf(path, HELPER_PATH, "%s", named);
    return check(path);
  }
  if (!here) return look_around(path);
  name_self(path);
  return 0;
}
