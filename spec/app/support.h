/* What the specs of mphost.h share. */
#ifndef SPEC_APP_SUPPORT_H
#define SPEC_APP_SUPPORT_H

#include <pthread.h>
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

/* How many times slower than a plain build this one is. */
static inline int slower(void) {
  const char *text = getenv("MPHOST_SLOWER");
  return text && atoi(text) > 0 ? atoi(text) : 1;
}

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

/* What it returns in a thread of its own, which has ended then. */
static inline void *in_thread(void *(*run)(void *), void *user) {
  pthread_t thread;
  void *result;
  assert_int_equal(pthread_create(&thread, NULL, run, user), 0);
  assert_int_equal(pthread_join(thread, &result), 0);
  return result;
}

/* What a line of Lua returns. */
static inline mph_value lua(mph_host *h, const char *code) {
  mph_value v;
  OK(h, mph_eval(h, code, "=spec", NULL, 0, &v, 1));
  return v;
}

/* A C function for scripts: its integer times *user. */
static inline int twice(mph_host *h, void *user, const mph_value *args, int n, mph_value *result) {
  (void)h, (void)n;
  *result = mph_int(args[0].integer * *(int *)user);
  return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_host, close_host)

#endif
