/* How often each word stands in a mapped file, by one loop over its bytes: a word is what stands
   between spaces; counts in a hash table (open addressing, FNV-1a) that does not grow. */
#include <fcntl.h>
#include <sys/stat.h>

#include "tool/bench.h"

#define SLOTS (1u << 17)

struct word {
  const char *text; /* in the file */
  uint64_t hash;
  uint32_t length;
  uint64_t n;
};
static struct word words[SLOTS];

static inline int is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct word *find(const char *text, uint32_t length, uint64_t hash) {
  for (uint64_t i = hash;; i++) {
    struct word *w = &words[i % SLOTS];
    if (!w->text) *w = (struct word){text, hash, length, 0};
    if (w->hash == hash && w->length == length && !memcmp(w->text, text, length)) return w;
  }
}

static void count(const char *at, const char *end) {
  for (;;) {
    while (at < end && is_space(*at)) at++;
    if (at == end) return;
    const char *text = at;
    uint64_t hash = 14695981039346656037u;
    for (; at < end && !is_space(*at); at++) hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    find(text, (uint32_t)(at - text), hash)->n++;
  }
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  if (argc < 3) return 1;
  int fd = open(argv[2], O_RDONLY);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) < 0) return 1;
  size_t size = (size_t)status.st_size;
  double start = bench_now();
  const char *text = mmap(0, size, PROT_READ, MAP_SHARED, fd, 0);
  if (text == MAP_FAILED) return 1;
  count(text, text + size);
  bench_figure("rate", (double)size / (bench_now() - start) / 1e6);
  uint64_t distinct = 0, squares = 0;
  for (const struct word *w = words; w < words + SLOTS; w++) {
    distinct += w->n > 0;
    squares += w->n * w->n;
  }
  bench_check("distinct", distinct);
  bench_check("squares", squares);
}
