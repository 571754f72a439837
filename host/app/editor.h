/* Editing a line on a terminal, by libedit.

   libedit is opened when the first line is read (dlopen), so that a script does not pay for it (0.3
   ms of the 1.1 ms of a start) and the program runs without it. Of its interfaces the native wide
   one is used, blocking, with a read function of ours: this waits for the keyboard and for the
   output of child processes, decodes UTF-8, and takes a bracketed paste as one piece. LC_CTYPE is
   the user's while a line is read and what Lua's code set otherwise. */
#ifndef APP_EDITOR_H
#define APP_EDITOR_H

#include <stddef.h>

enum { EDITOR_LINE, EDITOR_END, EDITOR_CANCELLED };

struct editor_hooks {
  void *context;
  /* What could stand at the end of the text before the cursor: how many bytes of its end are
   * replaced, and the candidates, each ended by a zero byte, an empty one after the last.
   * malloc'ed; NULL: nothing. */
  char *(*complete)(void *context, const char *text, size_t *replaced);
  /* Now and then while waiting: text to be shown above the line, malloc'ed, or NULL. */
  char *(*idle)(void *context);
};

/* Gets ready: 0, or -1 without a terminal that can be used so, or without libedit. */
int editor_open(void);

/* One line, edited, without its newline (there may be others in it): malloc'ed UTF-8 in *line. */
int editor_read(const char *prompt, const struct editor_hooks *hooks, char **line);

/* Adds to what the arrow keys bring back. */
void editor_remember(const char *text);

void editor_close(void);

#endif
