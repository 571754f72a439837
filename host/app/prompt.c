/* Reads a line, tries it as an expression, then as a statement, and asks for more lines while the
 * parser says that the code stops too early. */
#include "app/prompt.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <lua.h>

void prompt_version(FILE *out) {
  fprintf(out, "mphost %s (Lua %s.%s)\n", mph_version(), LUA_VERSION_MAJOR "." LUA_VERSION_MINOR,
          LUA_VERSION_RELEASE);
}

/* Appends the next line of stdin, newline included, to the code so far; false at the end. */
static bool read_line(char **code, size_t *length, const char *prompt) {
  fputs(prompt, stderr);
  fflush(stderr);
  char *line = NULL;
  size_t room = 0;
  ssize_t n = getline(&line, &room, stdin);
  char *longer = n > 0 ? realloc(*code, *length + (size_t)n + 1) : NULL;
  if (longer) {
    memcpy(longer + *length, line, (size_t)n + 1);
    *code = longer;
    *length += (size_t)n;
  }
  free(line);
  return longer != NULL;
}

/* lua.c's sign that more lines would help: a syntax error at the end of the text. */
static bool is_incomplete(mph_host *h, int rc) {
  static const char mark[] = "<eof>";
  const char *message = mph_errmsg(h);
  size_t n = strlen(message), m = sizeof mark - 1;
  return rc == MPH_ESYNTAX && n >= m && strcmp(message + n - m, mark) == 0;
}

static int run_expression(mph_host *h, const char *code) {
  char *expression = NULL;
  if (asprintf(&expression, "return %s", code) < 0) return MPH_ENOMEM;
  int rc = mph_run_string(h, expression, "=stdin");
  free(expression);
  return rc;
}

/* Hands the n values on top to the global `print`. */
static void print_results(mph_host *h, int n) {
  lua_State *L = mph_lua(h);
  if (n > 0 && lua_checkstack(L, 3)) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pushliteral(L, "print");
    lua_rawget(L, -2);
    lua_remove(L, -2);
    lua_insert(L, -(n + 1));
    if (lua_pcall(L, n, 0, 0) != LUA_OK) {
      const char *text = lua_tostring(L, -1);
      fprintf(stderr, "mphost: error calling 'print' (%s)\n",
              text ? text : "error object is not a string");
    }
  }
  lua_settop(L, 0);
}

void prompt_run(mph_host *h) {
  char *code = NULL;
  size_t length = 0;
  prompt_version(stderr);
  if (mph_require(h, "mphost", "mp") < 0) fprintf(stderr, "mphost: %s\n", mph_errmsg(h));
  while (read_line(&code, &length, length ? "..> " : "mp> ")) {
    int rc = run_expression(h, code);
    if (rc == MPH_ESYNTAX) rc = mph_run_string(h, code, "=stdin");
    if (is_incomplete(h, rc)) continue;
    if (rc < 0)
      fprintf(stderr, "%s\n", mph_errmsg(h));
    else
      print_results(h, rc);
    length = 0;
  }
  free(code);
  fputc('\n', stderr);
}
