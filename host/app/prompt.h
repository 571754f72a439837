/* The prompt: reads Lua from standard input line by line and runs it. The simple form, without line
 * editing. What is ours (prompt, errors) goes to stderr, results go where `print` writes. */
#ifndef APP_PROMPT_H
#define APP_PROMPT_H

#include <stdio.h>

#include "mphost.h"

/* "mphost 0.1.0 (Lua 5.4.4)" and a newline. */
void prompt_version(FILE *out);

/* Until the end of standard input. Errors are shown and do not end it. */
void prompt_run(mph_host *h);

#endif
