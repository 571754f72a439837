/* Clients and servers: each client puts integers into the servers' queue, one at a time, and gets
   the answer from a queue of its own. Four at one, one at four, four at four. */
#include "tool/many.h"

enum { MOST = 4 };

struct town {
  struct many *requests, *back[MOST];
  int clients, servers;
  long n;
};

static void serve(const struct town *town) {
  for (long i = town->clients * town->n / town->servers; i > 0; i--) {
    uint64_t request = many_get(town->requests);
    many_put(town->back[request % (uint64_t)town->clients], request);
  }
}

static void ask(const struct town *town, uint64_t k) {
  for (uint64_t i = 0; i < (uint64_t)town->n; i++) {
    uint64_t request = i * (uint64_t)town->clients + k;
    many_put(town->requests, request);
    if (many_get(town->back[k]) != request) _exit(1);
  }
}

static void measure(const char *name, int clients, int servers) {
  struct town town = {many_new(), {NULL}, clients, servers, bench_count(1e5) / 4 * 4 + 4};
  struct gate gate = gate_new();
  pid_t pids[2 * MOST];
  int all = clients + servers;
  for (int k = 0; k < clients; k++) town.back[k] = many_new();
  for (int k = 0; k < all; k++) {
    pids[k] = bench_fork();
    if (pids[k]) continue;
    gate_wait(&gate);
    if (k < clients)
      ask(&town, (uint64_t)k);
    else
      serve(&town);
    _exit(0);
  }
  usleep(20000); /* all are at the gate */
  double start = bench_now();
  gate_open(&gate);
  for (int k = 0; k < all; k++) bench_join(pids[k]);
  bench_figure(name, (bench_now() - start) / (double)town.n * 1e6);
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  measure("time", 4, 1);
  measure("servers", 1, 4);
  measure("both", 4, 4);
}
