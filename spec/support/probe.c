/* What the spec runner must see of its own process, for helper.lua: a Lua module that is built
 * beside the specs and never installed. Knows nothing of the library, so that it can judge it. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

int luaopen_probe(lua_State *L);

/* Prepared by alarm, so that the handler only writes, kills and aborts. */
static char last_words[512];

/* The children of one thread, as text: pids with a blank after each. */
static ssize_t read_children(long pid, long tid, char *text, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", pid, tid);
  FILE *file = fopen(path, "re");
  if (!file) return -1;
  size_t n = fread(text, 1, size - 1, file);
  fclose(file);
  text[n] = 0;
  return (ssize_t)n;
}

static void kill_descendants(long pid) {
  char text[4096];
  if (read_children(pid, pid, text, sizeof text) < 0) return;
  char *rest = text;
  for (char *word; (word = strtok_r(rest, " \n", &rest));) {
    long child = strtol(word, NULL, 10);
    kill_descendants(child);
    kill((pid_t)child, SIGKILL);
  }
}

/* The process is lost anyway, so stdio in a handler is a fair price for leaving nobody behind who
 * would hold the test driver's pipe open. */
static void on_deadline(int signal_number) {
  (void)signal_number;
  ssize_t ignored = write(STDERR_FILENO, last_words, strlen(last_words));
  (void)ignored;
  kill_descendants(getpid());
  signal(SIGABRT, SIG_DFL);
  abort();
}

/* alarm(seconds, name): after that many seconds says the name and aborts; 0 disarms. The timer is
 * the process's own: a forked child does not have it. */
static int probe_alarm(lua_State *L) {
  double seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds >= 0 && seconds < 1e6, 1, "out of range");
  const char *name = luaL_optstring(L, 2, "?");
  struct itimerval timer = {.it_value = {(time_t)seconds, (suseconds_t)(seconds * 1e6) % 1000000}};
  setitimer(ITIMER_REAL, &(struct itimerval){0},
            NULL); /* last_words is the handler's while armed */
  snprintf(last_words, sizeof last_words, "\nspec: deadline of %g s passed in: %s\n", seconds,
           name);
  struct sigaction action = {.sa_handler = on_deadline};
  if (sigaction(SIGALRM, &action, NULL) < 0 || setitimer(ITIMER_REAL, &timer, NULL) < 0)
    return luaL_error(L, "alarm: %s", strerror(errno));
  return 0;
}

/* fds(): descriptor number to what it leads to, as /proc/self/fd says. */
static int probe_fds(lua_State *L) {
  lua_newtable(L);
  DIR *dir = opendir("/proc/self/fd");
  if (!dir) return luaL_error(L, "/proc/self/fd: %s", strerror(errno));
  for (struct dirent *entry; (entry = readdir(dir));) {
    char *end;
    long fd = strtol(entry->d_name, &end, 10);
    char target[256];
    if (*end || fd == dirfd(dir)) continue;
    ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target);
    if (n < 0) continue;
    lua_pushlstring(L, target, (size_t)n);
    lua_rawseti(L, -2, fd);
  }
  closedir(dir);
  return 1;
}

/* children(): the pids of the children of all threads, zombies included. */
static int probe_children(lua_State *L) {
  lua_newtable(L);
  DIR *dir = opendir("/proc/self/task");
  if (!dir) return luaL_error(L, "/proc/self/task: %s", strerror(errno));
  int n = 0;
  bool readable = false;
  for (struct dirent *entry; (entry = readdir(dir));) {
    char text[4096];
    long tid = strtol(entry->d_name, NULL, 10);
    if (tid <= 0 || read_children(getpid(), tid, text, sizeof text) < 0) continue;
    readable = true;
    char *rest = text;
    for (char *word; (word = strtok_r(rest, " \n", &rest));) {
      lua_pushinteger(L, strtol(word, NULL, 10));
      lua_rawseti(L, -2, ++n);
    }
  }
  closedir(dir);
  /* A kernel without that file must not look like a process without children. */
  if (!readable) return luaL_error(L, "/proc/self/task/*/children cannot be read");
  return 1;
}

static int probe_kill(lua_State *L) {
  if (kill((pid_t)luaL_checkinteger(L, 1), (int)luaL_checkinteger(L, 2)) == 0) {
    lua_pushboolean(L, true);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, strerror(errno));
  return 2;
}

/* kill_family(pid): SIGKILL for it and all its descendants. */
static int probe_kill_family(lua_State *L) {
  long pid = (long)luaL_checkinteger(L, 1);
  kill_descendants(pid);
  kill((pid_t)pid, SIGKILL);
  return 0;
}

static int call_nothing(void) {
  int (*volatile nothing)(void) = NULL;
  return nothing();
}

static int fault_at(volatile uintptr_t address) {
  return *(volatile int *)address;
}

static int overflow(volatile char *above, int depth) {
  volatile char here[4096];
  here[0] = above ? above[0] : 0;
  return depth ? overflow(here, depth - 1) + here[0] : 0;
}

/* A function whose unlikely parts stay with it, so that its name is found for each of them. */
#if defined(__clang__)
#define ONE_PIECE
#else
#define ONE_PIECE __attribute__((optimize("no-reorder-blocks-and-partition")))
#endif

/* crash(how): a fault of C code: "segv", "null" (a call of it), "stack", "fpe", "ill", "abort". */
__attribute__((visibility("default"))) ONE_PIECE int probe_crash(lua_State *L) {
  const char *how = luaL_checkstring(L, 1);
  volatile int one = 1, zero = 0;
  if (strcmp(how, "segv") == 0) lua_pushinteger(L, fault_at(16));
  if (strcmp(how, "null") == 0) lua_pushinteger(L, call_nothing());
  if (strcmp(how, "stack") == 0) lua_pushinteger(L, overflow(NULL, INT32_MAX));
  if (strcmp(how, "fpe") == 0) lua_pushinteger(L, one / zero);
  if (strcmp(how, "ill") == 0) __builtin_trap();
  if (strcmp(how, "abort") == 0) abort();
  return 1;
}

/* eat(megabytes [, seconds]): memory that no allocator of Lua's knows of, for ever; then waits. */
static int probe_eat(lua_State *L) {
  for (lua_Integer i = luaL_checkinteger(L, 1); i > 0; i--) {
    void *block = malloc(1 << 20);
    if (!block) return luaL_error(L, "malloc: no memory");
    memset(block, 1, 1 << 20);
  }
  usleep((useconds_t)(luaL_optnumber(L, 2, 0) * 1e6));
  return 0;
}

static void ignore(int number) {
  (void)number;
}

/* handle(number): a handler that does nothing. */
static int probe_handle(lua_State *L) {
  signal((int)luaL_checkinteger(L, 1), ignore);
  return 0;
}

static int probe_getpid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

/* exit(code): leaves at once, without handlers and flushing. */
static int probe_exit(lua_State *L) {
  _exit((int)luaL_checkinteger(L, 1));
}

/* The process whose exit is watched; 0: none. */
static pid_t watched;

/* watch(on): while on, this process must not end by exit, not even with code 0: a case that calls
 * os.exit would otherwise look like a run in which all went well. */
static int probe_watch(lua_State *L) {
  watched = lua_toboolean(L, 1) ? getpid() : 0;
  return 0;
}

/* At exit, or before that when lua_close unloads this module. */
__attribute__((destructor)) static void check_exit(void) {
  static const char words[] =
      "\nspec: the runner was ended in the middle, by os.exit or lua_close\n";
  if (watched != getpid()) return;
  ssize_t ignored = write(STDERR_FILENO, words, sizeof words - 1);
  (void)ignored;
  _exit(98);
}

static const luaL_Reg functions[] = {
    {"alarm", probe_alarm},
    {"fds", probe_fds},
    {"children", probe_children},
    {"kill", probe_kill},
    {"kill_family", probe_kill_family},
    {"getpid", probe_getpid},
    {"crash", probe_crash},
    {"eat", probe_eat},
    {"handle", probe_handle},
    {"exit", probe_exit},
    {"watch", probe_watch},
    {NULL, NULL},
};

__attribute__((visibility("default"))) int luaopen_probe(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
