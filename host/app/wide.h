/* UTF-8 and wide characters, whatever the locale; and how much room text takes on a terminal. */
#ifndef APP_WIDE_H
#define APP_WIDE_H

#include <stddef.h>
#include <wchar.h>

/* malloc'ed, ended by 0; bytes that are no UTF-8 become U+FFFD. NULL: no memory. */
wchar_t *wide_from(const char *text, size_t size);

/* malloc'ed UTF-8, ended by 0. */
char *wide_to(const wchar_t *text, size_t length);

/* How many bytes a sequence has that begins with this one; 1 where none does. */
int wide_length(unsigned char first);

/* Where the cursor stands after text that begins at column *column: rows further down; *column is
 * updated. As libedit shows it: tabs to the next 8, control characters as two, wrapped at once at
 * the last column. */
int wide_rows(const wchar_t *text, size_t length, int columns, int *column);

#endif
