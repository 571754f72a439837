/* Reads the command line. */
#include "app/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_JOBS 10239 /* processes that a family may have; spec/app/cli_spec.lua compares */
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const char options_help[] =
    "mphost script.lua a b          run script.lua, its arguments are a and b\n"
    "mphost -j 4 script.lua         the same with 4 workers where it asks for no number\n"
    "mphost -e 'print(1 + 1)'       run a piece of Lua\n"
    "\n"
    "usage: mphost [options] [script [args]]\n"
    "  -e CODE          run CODE\n"
    "  -l MOD, -l G=MOD require MOD into the global MOD, or G\n"
    "  -i               prompt after the script\n"
    "  -v, --version    print the versions of mphost and Lua\n"
    "  -E               ignore the LUA_* and MPHOST_* variables\n"
    "  -W               Lua's warnings on\n"
    "  -j, --jobs N     default number of workers\n"
    "  --seed N         base of all tasks' random seeds\n"
    "  --progress       a line on the terminal tells how far each call of a pool is\n"
    "  --log LEVEL      debug, info, warn or error\n"
    "  --joblog FILE    a line for each item that a pool has worked on\n"
    "  --top PID        look at the processes of a running mphost\n"
    "  -h, --help       this text\n"
    "  --               end of the options\n"
    "  -                the script is standard input\n"
    "Without a script, -e and -v: a prompt on a terminal, else standard input is the script.\n"
    "Variables: MPHOST_JOBS, MPHOST_SEED, MPHOST_LOG, MPHOST_JOBLOG, MPHOST_PROGRESS,\n"
    "MPHOST_HELPER, MPHOST_HISTORY; LUA_INIT, LUA_PATH, LUA_CPATH as for lua.\n"
    "Exit code: 0, that of os.exit, 1 after an uncaught error, 2 for a wrong option or "
    "variable;\n"
    "death by SIGINT and SIGTERM is real.\n";

static const char *const names[] = {"-e",    "-l", "-i",     "-v",        "--version", "-E",
                                    "-W",    "-j", "--jobs", "--seed",    "--log",     "--joblog",
                                    "--top", "-h", "--help", "--progress"};
enum { NAMES = sizeof names / sizeof *names, LONGEST = 32 };

static int min(int a, int b) {
  return a < b ? a : b;
}

/* Levenshtein's distance of two short words: how many letters to add, drop or change. */
static int distance(const char *a, const char *b) {
  int row[LONGEST + 1];
  int na = (int)strlen(a), nb = (int)strlen(b);
  if (na > LONGEST || nb > LONGEST) return LONGEST;
  for (int j = 0; j <= nb; j++) row[j] = j;
  for (int i = 1; i <= na; i++) {
    int corner = row[0];
    row[0] = i;
    for (int j = 1; j <= nb; j++) {
      int change = corner + (a[i - 1] != b[j - 1]);
      corner = row[j];
      row[j] = min(change, min(row[j], row[j - 1]) + 1);
    }
  }
  return row[nb];
}

static bool is_long(const char *name) {
  return name[1] == '-';
}

static const char *nearest(const char *word) {
  const char *best = names[0];
  int least = LONGEST + 1;
  for (int i = 0; i < NAMES; i++) {
    int d = distance(word, names[i]);
    if (d < least && is_long(names[i]) >= is_long(word)) {
      least = d;
      best = names[i];
    }
  }
  return best;
}

static int unknown(const char *word, char *error, int size) {
  char name[LONGEST + 1]; /* without the "=value" of a long option */
  snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
  snprintf(error, size, "unknown option '%s' (did you mean '%s'?); -h lists all", name,
           nearest(name));
  return -1;
}

static bool is_integer(const char *text, long long least) {
  char *end;
  errno = 0;
  long long n = strtoll(text, &end, 10);
  return *text && !*end && !errno && n >= least;
}

static bool is_level(const char *text) {
  static const char *const levels[] = {"debug", "info", "warn", "error"};
  for (int i = 0; i < 4; i++)
    if (strcmp(text, levels[i]) == 0) return true;
  return false;
}

/* What the option wants instead of this value; NULL: it is right. */
static const char *expected_of(const char *name, const char *value) {
  if (strcmp(name, "--seed") == 0)
    return is_integer(value, -9223372036854775807LL - 1) ? NULL : "an integer";
  if (strcmp(name, "--top") == 0) return is_integer(value, 1) ? NULL : "the pid of a process";
  if (strcmp(name, "--joblog") == 0) return *value ? NULL : "a file's name";
  if (strcmp(name, "--log") == 0) return is_level(value) ? NULL : "debug, info, warn or error";
  if (strcmp(name, "--progress") == 0) return strcmp(value, "1") == 0 ? NULL : "1 or nothing";
  if (!is_integer(value, 1)) return "a number from 1 on";
  return strtoll(value, NULL, 10) <= MOST_JOBS ? NULL : "a number of at most " TEXT(MOST_JOBS);
}

/* The long options and -j with a value: stores it. */
static int store(struct options *o, const char *name, const char *value, char *error, int size) {
  const char *expected = expected_of(name, value);
  if (strcmp(name, "--top") == 0)
    o->top = value;
  else if (strcmp(name, "--joblog") == 0)
    o->joblog = value;
  else if (strcmp(name, "--seed") == 0)
    o->seed = value;
  else if (strcmp(name, "--log") == 0)
    o->log = value;
  else
    o->jobs = value;
  if (!expected) return 0;
  snprintf(error, size, "option '%s' wants %s, not '%s'", name, expected, value);
  return -1;
}

/* What the environment says counts as the option would, unless that is given, too. Empty is unset.
 */
static int check_variables(const struct options *o, char *error, int size) {
  static const char *const variables[] = {"MPHOST_JOBS", "MPHOST_SEED", "MPHOST_LOG",
                                          "MPHOST_PROGRESS"};
  static const char *const stand_for[] = {"--jobs", "--seed", "--log", "--progress"};
  const char *const given[] = {o->jobs, o->seed, o->log, o->progress ? "1" : NULL};
  for (int i = 0; i < 4; i++) {
    const char *value = getenv(variables[i]);
    if (given[i] || !value || !*value) continue;
    const char *expected = expected_of(stand_for[i], value);
    if (!expected) continue;
    snprintf(error, size, "variable '%s' wants %s, not '%s'", variables[i], expected, value);
    return -1;
  }
  return 0;
}

/* argv[*i] is an option that takes a value, `name` in full. The value is `glued` to it, if that is
 * not empty, or the next word. NULL: none. */
static const char *value_of(const char *name, const char *glued, int argc, char **argv, int *i,
                            char *error, int size) {
  if (*glued) return glued;
  if (*i + 1 < argc) return argv[++*i];
  snprintf(error, size, "option '%s' needs a value", name);
  return NULL;
}

static int parse_long(struct options *o, int argc, char **argv, int *i, char *error, int size) {
  const char *word = argv[*i];
  if (strcmp(word, "--help") == 0) return o->help = true, 0;
  if (strcmp(word, "--version") == 0) return o->version = true, 0;
  if (strcmp(word, "--progress") == 0) return o->progress = true, 0;
  static const char *const valued[] = {"--jobs", "--seed", "--log", "--joblog", "--top"};
  for (int k = 0; k < 5; k++) {
    size_t n = strlen(valued[k]);
    if (strncmp(word, valued[k], n) != 0 || (word[n] && word[n] != '=')) continue;
    const char *value =
        word[n] ? word + n + 1 : value_of(valued[k], "", argc, argv, i, error, size);
    return value ? store(o, valued[k], value, error, size) : -1;
  }
  return unknown(word, error, size);
}

static int parse_short(struct options *o, int argc, char **argv, int *i, char *error, int size) {
  const char *word = argv[*i], *rest = word + 2, *value;
  char name[] = {'-', word[1], 0};
  if (strchr("elj", word[1])) {
    if (!(value = value_of(name, rest, argc, argv, i, error, size))) return -1;
    if (!*rest && *value == '-' && word[1] != 'j') /* as lua: a forgotten value is no code */
      return snprintf(error, size, "option '%s' needs a value, not '%s'", name, value), -1;
    if (word[1] == 'j') return store(o, name, value, error, size);
    o->has_code |= word[1] == 'e';
    o->steps[o->nsteps++] = (struct step){word[1], value};
    return 0;
  }
  if (*rest) return unknown(word, error, size); /* lua5.4 does not bundle letters either */
  switch (word[1]) {
  case 'E': o->noenv = true; return 0;
  case 'W': o->steps[o->nsteps++] = (struct step){'W', NULL}; return 0;
  case 'i': o->interactive = true; return 0;
  case 'v': o->version = true; return 0;
  case 'h': o->help = true; return 0;
  default: return unknown(word, error, size);
  }
}

int options_parse(struct options *o, int argc, char **argv, char *error, int size) {
  *o = (struct options){.steps = calloc((size_t)argc + 1, sizeof(struct step))};
  if (!o->steps) return snprintf(error, size, "not enough memory"), -1;
  int i = 1;
  for (; i < argc; i++) {
    const char *word = argv[i];
    if (word[0] != '-' || !word[1]) break; /* the script, or "-" for standard input */
    if (strcmp(word, "--") == 0) {
      i++;
      break;
    }
    int rc = word[1] == '-' ? parse_long(o, argc, argv, &i, error, size)
                            : parse_short(o, argc, argv, &i, error, size);
    if (rc < 0) return rc;
  }
  o->script = i < argc ? i : argc;
  return o->noenv || o->help ? 0 : check_variables(o, error, size);
}

void options_free(struct options *o) {
  free(o->steps);
  o->steps = NULL;
}
