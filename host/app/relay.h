/* Output of child processes while there is a prompt on the terminal.

   Children that are forked meanwhile write into a pipe where they would have written to the
   terminal. While a line is being read, the reader waits for that pipe too and shows what comes
   above the line. While code runs, SIGIO's mechanism (as SIGURG, which is harmless without a
   handler) copies it to the terminal at once, whatever the code is doing: nobody can come to wait
   for a full pipe that only the waiting process would empty. There is no thread. */
#ifndef APP_RELAY_H
#define APP_RELAY_H

#include <stddef.h>
#include <sys/types.h>

/* Makes it, once; out is the terminal. 0, or -errno: then children write to the terminal
 * themselves. */
int relay_open(int out);

/* Whether the children that are forked from now on use it. */
void relay_use(int on);

/* A line without an end that goes away when something is shown; size 0: it goes away now. 0: the
 * children do not write here. */
int relay_status(const char *text, size_t size);

/* What to wait for while a line is read (SIGURG being blocked); -1: no relay. */
int relay_fd(void);

/* What has come, without waiting: its size, 0: nothing. */
size_t relay_read(char *bytes, size_t size);

#endif
