/* What the program does about SIGINT and SIGTERM.

   Running a script: the first one interrupts its code, so that what is to be closed is closed; the
   program then ends its family and dies of that signal. A second one kills at once, and so does
   time: code that does not notice within 5 seconds (a coroutine that never yields, one long call
   into C) is not waited for. Code that has noticed, and catches the error, takes the time it wants.
   When it has come to its end, closing the state (children that are waited for, a command of
   io.popen) has 5 seconds, too, from then or from a first signal that comes only there.
   At a prompt SIGINT only interrupts what runs. Code that goes on all the same is ended with the
   program: the second one within one call says so, the third kills. Children have the default
   actions. */
#ifndef APP_SIGNALS_H
#define APP_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

#include "mphost.h"

/* From now on, for this host; signals that are ignored stay so. */
void signals_watch(mph_host *host);

/* The signal that the program has to die of, 0: none. */
int signals_caught(void);

/* The code has noticed (mph_config.noticed): no time limit any more. */
void signals_noticed(void *unused);

/* The code has ended: the signal that the program has to die of, 0: none. A SIGINT is forgotten
 * where the code came to its end well: it has dealt with it. What is left to close has the 5
 * seconds again. */
int signals_ended(bool well);

/* Dies of a signal. */
void signals_die(int number);

/* A prompt begins or ends; they nest. */
void signals_session(bool on);
bool signals_in_session(void);

/* The prompt is back, or runs other code: SIGINTs are counted from 1 again. */
void signals_calm(void);

/* A line is being read: SIGINT is noted, to be taken once by signals_take_interrupt, and interrupts
 * nothing. */
void signals_reading(bool on);
bool signals_take_interrupt(void);

/* The set of the signals that matter to who reads a line, to be blocked but for its waits. */
void signals_of_reader(sigset_t *set);

#endif
