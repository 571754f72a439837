/* The command line of the program, read once into a struct; knows no Lua and runs nothing.
 * A superset of lua5.4's: short options stand alone, the first word that is no option is the
 * script, everything from there on is the script's. */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include <stdbool.h>

/* Something to do before the script, in the order given. */
struct step {
  char kind;         /* 'e' run code, 'l' require, 'W' warnings on */
  const char *value; /* points into argv */
};

struct options {
  bool help, version, interactive, noenv, has_code, progress;
  const char *jobs, *seed, *log, *joblog, *top; /* NULL when not given */
  int script;                                   /* index in argv; argc when there is none */
  struct step *steps;                           /* malloc'ed */
  int nsteps;
};

/* 0, or -1 with a message in error, cut to size. options_free is due in both cases. */
int options_parse(struct options *o, int argc, char **argv, char *error, int size);

void options_free(struct options *o);

/* What -h prints. */
extern const char options_help[];

#endif
