/* What the specs of mphost.h share. */
#ifndef SPEC_APP_SUPPORT_H
#define SPEC_APP_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <lua.h>

#include "mphost.h"

static inline int open_host(void **state) {
  return mph_open((mph_host **)state, NULL);
}

static inline int close_host(void **state) {
  return mph_close(*state);
}

/* The call succeeded; its message otherwise. */
#define OK(h, call)                                                                                \
  do {                                                                                             \
    int ok_rc = (call);                                                                            \
    if (ok_rc < 0) fail_msg("%s: %s: %s", #call, mph_errname(ok_rc), mph_errmsg(h));               \
  } while (0)

/* What a line of Lua returns. */
static inline mph_value lua(mph_host *h, const char *code) {
  mph_value v;
  OK(h, mph_eval(h, code, "=spec", NULL, 0, &v, 1));
  return v;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_host, close_host)

#endif
