/* fetch_add in a table of string keys in shared memory (open addressing, FNV-1a), all keys there,
   by one process and by two; and as a function called from Lua. It cannot grow and takes no lock.
 */
#include "tool/from_lua.h"
#include "tool/pair.h"

#define SLOTS 4096u
#define KEYS 1000

struct slot {
  uint64_t hash;
  char key[24];
  uint32_t length;
  _Atomic int64_t value;
};
static struct slot *table;
static char keys[KEYS][24];
static size_t lengths[KEYS];

struct job {
  lua_State *L; /* NULL: in C */
  long n;
};

static uint64_t hash_of(const char *key, size_t length) {
  uint64_t h = 14695981039346656037u;
  for (size_t i = 0; i < length; i++) h = (h ^ (unsigned char)key[i]) * 1099511628211u;
  return h;
}

static struct slot *find(const char *key, size_t length) {
  uint64_t hash = hash_of(key, length);
  for (uint64_t i = hash;; i++) {
    struct slot *s = &table[i % SLOTS];
    if (s->length == 0) {
      s->hash = hash;
      s->length = (uint32_t)length;
      memcpy(s->key, key, length);
    }
    if (s->hash == hash && s->length == length && !memcmp(s->key, key, length)) return s;
  }
}

static int l_add(lua_State *L) {
  size_t length;
  const char *key = luaL_checklstring(L, 1, &length);
  lua_pushinteger(L, atomic_fetch_add(&find(key, length)->value, luaL_checkinteger(L, 2)));
  return 1;
}

static void add(void *work) {
  struct job *job = work;
  if (job->L)
    from_lua_time(job->L,
                  "local add, keys = add, {} "
                  "for k = 1, 1000 do keys[k] = 'key' .. k end "
                  "for i = 1, ... do add(keys[i % 1000 + 1], 1) end",
                  job->n);
  for (long i = 0; !job->L && i < job->n; i++)
    atomic_fetch_add(&find(keys[i % KEYS], lengths[i % KEYS])->value, 1);
}

static double alone(struct job job) { /* M/s */
  return (double)job.n / pair_alone(add, &job) / 1e6;
}

static double two(struct job job) {
  return 2 * (double)job.n / pair_time(add, add, &job) / 1e6;
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  table = bench_shared(SLOTS * sizeof *table);
  for (int k = 0; k < KEYS; k++) {
    lengths[k] = (size_t)snprintf(keys[k], sizeof keys[k], "key%d", k + 1);
    find(keys[k], lengths[k]);
  }
  static const luaL_Reg functions[] = {{"add", l_add}, {NULL, NULL}};
  bench_figure("rate", alone((struct job){NULL, bench_count(5e6)}));
  bench_figure("two", two((struct job){NULL, bench_count(2e6)}));
  lua_State *L = from_lua_begin(functions);
  bench_figure("rate.lua", alone((struct job){L, bench_count(2e6)}));
  bench_figure("two.lua", two((struct job){L, bench_count(1e6)}));
}
