/* fetch_add in a table of string keys in shared memory (open addressing, FNV-1a), all keys there
   and nobody else; and as a function called from Lua. It cannot grow and takes no lock. */
#include "tool/from_lua.h"

#define SLOTS 4096u

struct slot {
  uint64_t hash;
  char key[24];
  uint32_t length;
  _Atomic int64_t value;
};
static struct slot *table;

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

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  bench_pin(0);
  table = bench_shared(SLOTS * sizeof *table);
  static char keys[1000][24];
  static size_t lengths[1000];
  for (int k = 0; k < 1000; k++) {
    lengths[k] = (size_t)snprintf(keys[k], sizeof keys[k], "key%d", k + 1);
    find(keys[k], lengths[k]);
  }
  long n = bench_count(5e6);
  double start = bench_now();
  for (long i = 0; i < n; i++) atomic_fetch_add(&find(keys[i % 1000], lengths[i % 1000])->value, 1);
  bench_figure("rate", (double)n / (bench_now() - start) / 1e6);

  static const luaL_Reg functions[] = {{"add", l_add}, {NULL, NULL}};
  static const char *chunk = "local add, keys = add, {} "
                             "for k = 1, 1000 do keys[k] = 'key' .. k end "
                             "for i = 1, ... do add(keys[i % 1000 + 1], 1) end";
  n = bench_count(2e6);
  double seconds = from_lua_time(from_lua_begin(functions), chunk, n);
  bench_figure("rate.lua", (double)n / seconds / 1e6);
}
