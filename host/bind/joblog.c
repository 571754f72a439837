/* The job log: see joblog.h. */
#include "bind/joblog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>

#include "os/clock.h"
#include "shm/family.h"

#define HEAD "start\tseconds\tpid\tworker\tcall\tindex\toutcome\n"

enum { LINE = 400 };

int joblog_fd = -1;

static char worker[JOBLOG_NAME] = "MainProcess";

/* A field of a line: without what ends fields and lines. */
static void copy_field(char *field, const char *text) {
  snprintf(field, JOBLOG_NAME, "%s", text);
  for (char *c = field; *c; c++)
    if ((unsigned char)*c < ' ') *c = '?';
}

static void write_line(int64_t start, long pid, const char *by, const char *f, uint64_t index,
                       const char *outcome) {
  struct timespec real;
  char line[LINE];
  int64_t now = clock_now();
  clock_gettime(CLOCK_REALTIME, &real);
  int64_t began = (int64_t)real.tv_sec * 1000000000 + real.tv_nsec - (now - start);
  int size = snprintf(line, sizeof line, "%lld.%06lld\t%.6f\t%ld\t%s\t%s\t%llu\t%s\n",
                      (long long)(began / 1000000000), (long long)(began % 1000000000 / 1000),
                      (double)(now - start) / 1e9, pid, by, f, (unsigned long long)index, outcome);
  ssize_t written;
  do written = write(joblog_fd, line, (size_t)size);
  while (written < 0 && errno == EINTR); /* a full disk costs lines, not results */
}

int64_t joblog_begin(void) {
  int64_t now = clock_now();
  atomic_store_explicit(&family_status()->since, (uint64_t)now, memory_order_relaxed);
  return now;
}

void joblog_end(int64_t start, const char *call, uint64_t index, const char *outcome) {
  write_line(start, (long)getpid(), worker, call, index, outcome);
}

void joblog_call(lua_State *L, char call[JOBLOG_NAME]) {
  lua_Debug about;
  char text[JOBLOG_NAME];
  *call = 0;
  if (!lua_isfunction(L, -1)) return;
  lua_pushvalue(L, -1);
  lua_getinfo(L, ">S", &about);
  snprintf(text, sizeof text, "%s:%d", about.short_src, about.linedefined);
  copy_field(call, about.linedefined > 0 ? text : about.short_src);
}

const char *joblog_outcome(lua_State *L, int failed) {
  static const char *const kinds[] = {"timeout", "memory", "exit", "crash"};
  const char *outcome = "error";
  if (!failed) return "ok";
  if (!lua_istable(L, -1)) return outcome;
  lua_getfield(L, -1, "kind");
  for (int i = 0; i < 4 && lua_isstring(L, -1); i++)
    if (strcmp(lua_tostring(L, -1), kinds[i]) == 0) outcome = kinds[i];
  lua_pop(L, 1);
  return outcome;
}

/* joblog_as(name): lines of this process are by this name from now on. */
static int system_joblog_as(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  if (joblog_fd >= 0) copy_field(worker, name);
  return 0;
}

/* joblog(start, pid, worker, f, index, outcome): a line for a worker that is dead. */
static int system_joblog(lua_State *L) {
  char by[JOBLOG_NAME], call[JOBLOG_NAME];
  if (joblog_fd < 0) return 0;
  copy_field(by, luaL_checkstring(L, 3));
  lua_pushvalue(L, 4);
  joblog_call(L, call);
  write_line((int64_t)(luaL_checknumber(L, 1) * 1e9), (long)luaL_checkinteger(L, 2), by, call,
             (uint64_t)luaL_checkinteger(L, 5), luaL_checkstring(L, 6));
  return 0;
}

static void open_log(lua_State *L, const char *path) {
  struct stat about;
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) luaL_error(L, "cannot write the job log '%s': %s", path, strerror(errno));
  bool empty = fstat(fd, &about) == 0 && about.st_size == 0;
  if (empty && write(fd, HEAD, sizeof HEAD - 1) < 0) {
    int error = errno;
    close(fd);
    luaL_error(L, "cannot write the job log '%s': %s", path, strerror(error));
  }
  joblog_fd = fd;
}

void bind_joblog(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"joblog", system_joblog}, {"joblog_as", system_joblog_as}, {NULL, NULL}};
  const char *path = getenv("MPHOST_JOBLOG");
  luaL_setfuncs(L, functions, 0);
  if (joblog_fd < 0 && path && *path) open_log(L, path);
}
