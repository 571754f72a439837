/* A program with four busy threads, which use malloc and stdio all the time, starts workers: the
   zygote, forked before the threads began, forks them.
   cc -pthread threads.c $(pkg-config --cflags --libs mphost) */
#include <mphost.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_bool stop;

static void *busy(void *file) {
  while (!atomic_load(&stop)) {
    char *text = malloc(4000);
    if (text) fprintf(file, "%.*s\n", (int)(strlen(strcpy(text, "busy"))), text);
    free(text);
  }
  return NULL;
}

int main(void) {
  static mph_value items[50], results[50];
  pthread_t thread[4];
  mph_host *host;
  mph_ref pool;
  mph_value f;
  FILE *null = fopen("/dev/null", "w");
  for (int i = 0; i < 50; i++) items[i] = mph_int(i);
  int rc = mph_zygote();
  if (rc >= 0) rc = mph_open(&host, NULL);
  for (int i = 0; i < 4; i++) pthread_create(&thread[i], NULL, busy, null);

  if (rc >= 0)
    rc = mph_eval(host, "return function(n) return #('x'):rep(n * 1000) end", "=f", NULL, 0, &f, 1);
  for (int round = 0; round < 20 && rc >= 0; round++) {
    rc = mph_pool_open(host, 4, &pool);
    if (rc >= 0) rc = mph_map(host, pool, f.ref, items, 50, results);
    if (rc >= 0) rc = mph_pool_close(host, pool, MPH_FOREVER);
    if (rc >= 0) rc = mph_release(host, pool);
  }
  if (rc < 0) fprintf(stderr, "%s: %s\n", mph_errname(rc), mph_errmsg(host));
  if (rc >= 0) printf("80 workers, last result %lld\n", results[49].integer);

  atomic_store(&stop, 1);
  for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);
  fclose(null);
  mph_close(host);
  return rc < 0;
}
