/* UTF-8 and wide characters: see wide.h. */
#include "app/wide.h"

#include <stdlib.h>

enum { REPLACEMENT = 0xfffd };

int wide_length(unsigned char first) {
  return first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1;
}

/* One character of at most size bytes; how many it took. */
static size_t decode(const unsigned char *at, size_t size, wchar_t *c) {
  static const unsigned masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t n = (size_t)wide_length(*at);
  unsigned value = *at & masks[n];
  for (size_t i = 1; i < n; i++) {
    if (i >= size || (at[i] & 0xc0) != 0x80) return *c = REPLACEMENT, i;
    value = value << 6 | (at[i] & 0x3f);
  }
  if (*at >= 0xf5 || (n == 1 && *at >= 0x80) || value < least[n] || value > 0x10ffff ||
      (value >= 0xd800 && value < 0xe000))
    value = REPLACEMENT;
  *c = (wchar_t)value;
  return n;
}

wchar_t *wide_from(const char *text, size_t size) {
  wchar_t *wide = malloc((size + 1) * sizeof *wide);
  size_t n = 0;
  if (!wide) return NULL;
  for (size_t i = 0; i < size;) i += decode((const unsigned char *)text + i, size - i, &wide[n++]);
  wide[n] = 0;
  return wide;
}

static size_t encode(unsigned c, char *out) {
  if (c < 0x80) return out[0] = (char)c, 1;
  size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
  out[0] = (char)(heads[n] | c);
  return n;
}

char *wide_to(const wchar_t *text, size_t length) {
  char *out = malloc(length * 4 + 1);
  size_t n = 0;
  if (!out) return NULL;
  for (size_t i = 0; i < length; i++) n += encode((unsigned)text[i], out + n);
  out[n] = 0;
  return out;
}

static int width(wchar_t c) {
  int w = c < 0x20 || c == 0x7f ? 2 : wcwidth(c);
  return w < 0 ? 1 : w;
}

int wide_rows(const wchar_t *text, size_t length, int columns, int *column) {
  int rows = 0, col = *column;
  for (size_t i = 0; i < length; i++) {
    if (text[i] == L'\n') {
      rows++;
      col = 0;
      continue;
    }
    int w = text[i] == L'\t' ? 8 - col % 8 : width(text[i]);
    if (col + w > columns) { /* a wide character does not fit in the last column */
      rows++;
      col = 0;
    }
    col += w;
    if (col >= columns) {
      rows++;
      col = 0;
    }
  }
  *column = col;
  return rows;
}
