/* Other programs as children: see spawn.h. */
#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/descriptors.h"
#include "os/streams.h"
#include "os/tether.h"

enum { BEFORE = 2 }; /* the parent's number, and the tether */

/* "a descriptor is copied to itself" keeps it open in the new program. */
static int keep(posix_spawn_file_actions_t *actions, const int *fds, int nfds) {
  int rc = posix_spawn_file_actions_init(actions);
  for (int i = 0; i < nfds && rc == 0; i++)
    rc = posix_spawn_file_actions_adddup2(actions, fds[i], fds[i]);
  return rc;
}

static int run(pid_t *pid, const char *path, char *const argv[], const int *fds, int nfds) {
  posix_spawn_file_actions_t actions;
  int rc = keep(&actions, fds, nfds);
  if (rc == 0) rc = posix_spawn(pid, path, &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  return rc;
}

int spawn_start(proc *child, const char *path, const char *mark, const int *fds, int nfds,
                const uint64_t *words, int nwords) {
  char text[BEFORE + SPAWN_MOST][17];
  char *argv[2 + BEFORE + SPAWN_MOST + 1] = {(char *)path, (char *)mark};
  int all[1 + SPAWN_MOST], n = 0;
  if (nfds + nwords > SPAWN_MOST) return -E2BIG;
  int rc = tether_prepare(1);
  if (rc < 0) return rc;
  all[0] = tether_lend();
  for (int i = 0; i < nfds; i++) all[1 + i] = fds[i];
  snprintf(text[n++], sizeof *text, "%x", (unsigned)getpid());
  for (int i = 0; i <= nfds; i++) snprintf(text[n++], sizeof *text, "%x", (unsigned)all[i]);
  for (int i = 0; i < nwords; i++)
    snprintf(text[n++], sizeof *text, "%llx", (unsigned long long)words[i]);
  for (int i = 0; i < n; i++) argv[2 + i] = text[i];
  streams_flush();
  pid_t pid;
  rc = run(&pid, path, argv, all, nfds + 1);
  tether_over();
  if (rc != 0) return -rc;
  proc_adopt(child, pid);
  return 1;
}

/* ---- in the new program ---- */

static int read_word(const char *text, uint64_t *word) {
  char *end;
  errno = 0;
  *word = strtoull(text, &end, 16);
  return *text && !*end && errno == 0 ? 0 : -EINVAL;
}

static int read_fd(const char *text, int *fd) {
  uint64_t word;
  if (read_word(text, &word) < 0 || word <= STDERR_FILENO || word > INT32_MAX) return -EINVAL;
  *fd = (int)word;
  return fcntl(*fd, F_SETFD, FD_CLOEXEC) == 0 ? 0 : -EINVAL;
}

int spawn_begin(int argc, char *const argv[], const char *mark, int *fds, int nfds, uint64_t *words,
                int nwords) {
  if (argc < 2 || strcmp(argv[1], mark) != 0) return 0;
  if (argc != 2 + BEFORE + nfds + nwords) return -EINVAL;
  char *const *at = argv + 2;
  uint64_t parent;
  int tether, keep[1 + SPAWN_MOST];
  int rc = read_word(*at++, &parent);
  if (rc == 0) rc = read_fd(*at++, &tether);
  for (int i = 0; i < nfds && rc == 0; i++) rc = read_fd(*at++, &fds[i]);
  for (int i = 0; i < nwords && rc == 0; i++) rc = read_word(*at++, &words[i]);
  if (rc < 0) return rc;
  tether_borrow(tether);
  if (proc_begin((pid_t)parent) < 0) return -ESRCH;
  memcpy(keep, fds, (size_t)nfds * sizeof *fds);
  keep[nfds] = tether_fd();
  descriptors_close_but(keep, nfds + 1);
  return 1;
}
