/* A pool of worker processes from C: a C function for each item, then a Lua function.
   cc pool.c $(pkg-config --cflags --libs mphost) */
#include <mphost.h>
#include <stdio.h>

enum { N = 1000 };

/* Runs in the workers: the number of primes below args[0]. */
static int primes(mph_host *host, void *user, const mph_value *args, int n, mph_value *result) {
  (void)host, (void)user, (void)n;
  long long found = 0;
  for (long long i = 2; i < args[0].integer; i++) {
    long long k = 2;
    while (k * k <= i && i % k != 0) k++;
    found += k * k > i;
  }
  *result = mph_int(found);
  return 0;
}

static int fail(mph_host *host, int rc) {
  fprintf(stderr, "%s: %s\n", mph_errname(rc), mph_errmsg(host));
  mph_close(host);
  return 1;
}

int main(void) {
  static mph_value items[N], results[N];
  mph_host *host;
  mph_ref pool, in_c;
  mph_value in_lua;
  for (int i = 0; i < N; i++) items[i] = mph_int(i);

  int rc = mph_open(&host, NULL);
  if (rc >= 0) rc = mph_define(host, "primes", primes, NULL, &in_c);
  if (rc >= 0) rc = mph_pool_open(host, 0, &pool); /* as many workers as CPUs */
  if (rc >= 0) rc = mph_map(host, pool, in_c, items, N, results);
  if (rc < 0) return fail(host, rc);
  printf("primes below %d: %lld\n", N - 1, results[N - 1].integer);

  rc = mph_eval(host, "return function(n) return n % 7 == 0 end", "=app", NULL, 0, &in_lua, 1);
  if (rc >= 0) rc = mph_map(host, pool, in_lua.ref, items, N, results);
  if (rc < 0) return fail(host, rc);
  int sevens = 0;
  for (int i = 0; i < N; i++) sevens += results[i].boolean;
  printf("multiples of 7: %d\n", sevens);

  if ((rc = mph_pool_close(host, pool, MPH_FOREVER)) < 0) return fail(host, rc);
  return mph_close(host) < 0;
}
