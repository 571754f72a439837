/* The program: reads the command line and drives the public interface, as any embedder would. */
#include <errno.h>
#include <signal.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lua.h>

#include "app/options.h"
#include "app/signals.h"
#include "app/terminal.h"
#include "mphost.h"

enum { EXIT_USAGE = 2 };

/* Says what went wrong, if something did. True when all is well. */
static bool check(mph_host *h, int rc) {
  if (rc >= 0) return true;
  fflush(stdout); /* what the script printed before stands above the error */
  const char *message = mph_errmsg(h);
  int shown = rc == MPH_EINTR ? (int)strcspn(message, "\n") : (int)strlen(message);
  fprintf(stderr, "mphost: %.*s\n", shown, message); /* an interruption is no error: one line */
  return false;
}

/* -l MOD requires into the global MOD, -l G=MOD into G. */
static bool run_require(mph_host *h, const char *value) {
  char *global = strdup(value);
  if (!global) return check(h, MPH_ENOMEM);
  const char *module = value;
  char *equal = strchr(global, '=');
  if (equal) {
    *equal = 0;
    module = value + (equal - global) + 1;
  }
  bool ok = check(h, mph_require(h, module, global));
  free(global);
  return ok;
}

static bool run_step(mph_host *h, const struct step *step) {
  switch (step->kind) {
  case 'e': return check(h, mph_run_string(h, step->value, "=(command line)"));
  case 'l': return run_require(h, step->value);
  default: return check(h, mph_run_string(h, "warn('@on')", "=(command line)"));
  }
}

static void print_version(FILE *out) {
  fprintf(out, "mphost %s (Lua %s.%s)\n", mph_version(), LUA_VERSION_MAJOR "." LUA_VERSION_MINOR,
          LUA_VERSION_RELEASE);
}

/* LUA_INIT_5_4 or LUA_INIT: code, or @file. */
static bool run_init(mph_host *h) {
  const char *name = "=LUA_INIT_5_4", *value = getenv(name + 1);
  if (!value) value = getenv((name = "=LUA_INIT") + 1);
  if (!value) return true;
  if (value[0] == '@') return check(h, mph_run_file(h, value + 1, 0));
  return check(h, mph_run_string(h, value, name));
}

static bool run_script(mph_host *h, const struct options *o, char **argv) {
  const char *path = argv[o->script];
  bool literal = o->script > 0 && strcmp(argv[o->script - 1], "--") == 0;
  if (strcmp(path, "-") == 0 && !literal) path = NULL;
  return check(h, mph_run_file(h, path, MPH_ARGS));
}

static bool run_top(mph_host *h, const char *pid) {
  const mph_value args[] = {mph_int(strtoll(pid, NULL, 10)), mph_bool(isatty(STDOUT_FILENO))};
  mph_value why;
  int rc = mph_eval(h, "return require 'mphost.top'.run(...)", "=--top", args, 2, &why, 1);
  if (!check(h, rc)) return false;
  if (why.type == MPH_STRING) fprintf(stderr, "mphost: %.*s\n", (int)why.size, why.data);
  return why.type != MPH_STRING;
}

static bool run(mph_host *h, const struct options *o, int argc, char **argv) {
  if (o->top) return run_top(h, o->top);
  bool has_script = o->script < argc;
  if (o->version) print_version(stdout);
  if (!check(h, mph_set_args(h, argc, argv, o->script))) return false;
  if (!o->noenv && !run_init(h)) return false;
  for (int i = 0; i < o->nsteps; i++)
    if (signals_caught() || !run_step(h, &o->steps[i])) return false;
  if (has_script && !run_script(h, o, argv)) return false;
  bool nothing = !has_script && !o->has_code && !o->version;
  if (nothing && !o->interactive && !isatty(STDIN_FILENO))
    return check(h, mph_run_file(h, NULL, 0));
  if (!o->interactive && !nothing) return true;
  if (!o->version) print_version(stderr);
  return check(h, mph_repl(h)) && !signals_caught();
}

/* Options reach the Lua side, and programs that a script starts, as variables. */
static int export_settings(const struct options *o) {
  static const char *const names[] = {"MPHOST_JOBS",     "MPHOST_SEED",   "MPHOST_LOG",
                                      "MPHOST_PROGRESS", "MPHOST_JOBLOG", "MPHOST_HELPER"};
  const char *const values[] = {o->jobs, o->seed, o->log, o->progress ? "1" : NULL, NULL, NULL};
  int rc = 0;
  for (int i = 0; i < 6; i++) {
    if (o->noenv) rc |= unsetenv(names[i]);
    if (values[i]) rc |= setenv(names[i], values[i], 1);
  }
  return rc;
}

/* Empties the job log; its path reaches the library by a variable, whole: a script may change its
 * folder. */
static bool begin_joblog(const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  char *whole = fd < 0 ? NULL : realpath(path, NULL);
  bool ok = fd >= 0 && setenv("MPHOST_JOBLOG", whole ? whole : path, 1) == 0;
  if (!ok) fprintf(stderr, "mphost: cannot write the job log '%s': %s\n", path, strerror(errno));
  free(whole);
  if (fd >= 0) close(fd);
  return ok;
}

/* What the variable names is added to. */
static bool check_joblog(void) {
  const char *path = getenv("MPHOST_JOBLOG");
  if (!path || !*path) return true;
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd >= 0) return close(fd), true;
  fprintf(stderr, "mphost: cannot write the job log '%s': %s\n", path, strerror(errno));
  return false;
}

/* MPHOST_SEED makes the random numbers of a run the same each time. */
static bool seed(mph_host *h) {
  const char *value = getenv("MPHOST_SEED");
  if (!value || !*value) return true;
  return check(
      h, mph_run_string(h, "math.randomseed(math.tointeger(tonumber(os.getenv 'MPHOST_SEED')))",
                        "=MPHOST_SEED"));
}

static int run_host(const struct options *o, int argc, char **argv) {
  mph_host *h;
  mph_config config = MPH_CONFIG_INIT;
  config.noticed = signals_noticed;
  if (o->noenv) config.flags |= MPH_NOENV;
  bool exported = export_settings(o) == 0;
  if (exported && o->joblog && !begin_joblog(o->joblog)) return EXIT_FAILURE;
  if (exported && !o->joblog && !o->top && !check_joblog()) return EXIT_FAILURE;
  int rc = exported ? mph_open(&h, &config) : MPH_ENOMEM;
  if (rc < 0) {
    fprintf(stderr, "mphost: %s\n", mph_strerror(rc));
    return EXIT_FAILURE;
  }
  terminal_offer(h);
  signals_watch(h);
  bool ok = seed(h) && run(h, o, argc, argv);
  int died = signals_ended(ok);
  if (died) mph_stop(h);
  mph_close(h);
  if (!died && (died = signals_caught())) fputs("mphost: interrupted!\n", stderr);
  if (died) signals_die(died);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Strings of 128 KB and more would be mappings of their own, at first, and then given back to the
 * system as soon as some are collected: either way the next one faults in its pages again, at
 * several times the cost of filling it (measured: strings of 1 MB out of a dict 2 -> 12 GB/s). The
 * price is up to 32 MB of free memory that a process keeps. It is the program's choice; a library
 * has none. */
static void keep_memory(void) {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 32 << 20);
#endif
}

/* Descriptors 0 to 2 that are closed are opened: a file that the script opens would get the number,
 * and with it what is meant for a standard stream, or a child's /dev/null in its place. What is
 * written to these is dropped. */
static void open_streams(void) {
  int fd;
  do fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) close(fd);
}

int main(int argc, char **argv) {
  open_streams();
  keep_memory();
  if (mph_member(argc, argv, NULL) < 0) return EXIT_FAILURE;
  struct options o;
  char error[200];
  int code = EXIT_SUCCESS;
  if (options_parse(&o, argc, argv, error, sizeof error) < 0) {
    fprintf(stderr, "mphost: %s\n", error);
    code = EXIT_USAGE;
  } else if (o.help) {
    fputs(options_help, stdout);
  } else {
    code = run_host(&o, argc, argv);
  }
  options_free(&o);
  return code;
}
