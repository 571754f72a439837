/* The public C interface, as an embedder uses it. */
#include "support.h"

#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

static void names_its_results(void **state) {
  (void)state;
  assert_int_equal(mph_check_version(MPHOST_VERSION_NUMBER), MPH_OK);
  assert_int_equal(mph_check_version(MPHOST_VERSION_NUMBER + 1), MPH_EVERSION);
  assert_int_equal(mph_check_version(10000), MPH_EVERSION);
  assert_int_equal(mph_check_version(0), MPH_EVERSION);
  assert_string_equal(mph_errname(MPH_EUNAVAILABLE), "MPH_EUNAVAILABLE");
  assert_string_equal(mph_errname(MPH_EUNAVAILABLE - 1), "MPH_EUNKNOWN");
  assert_string_equal(mph_version(), MPHOST_VERSION);
  assert_string_equal(mph_errname(MPH_ESYNTAX), "MPH_ESYNTAX");
  assert_string_equal(mph_errname(MPH_ERUN), "MPH_ERUN");
  assert_string_equal(mph_errname(3), "MPH_OK");
  assert_string_equal(mph_errname(-1000), "MPH_EUNKNOWN");
  assert_string_equal(mph_strerror(MPH_ENOMEM), "not enough memory");
  assert_string_equal(mph_strerror(-1000), "unknown error");
}

static void takes_configs_of_other_sizes(void **state) {
  (void)state;
  mph_host *h;
  struct {
    mph_config known;
    char later[64];
  } newer = {MPH_CONFIG_INIT, {1}};
  newer.known.size = sizeof newer;
  assert_int_equal(mph_open(&h, &newer.known), MPH_OK);
  mph_close(h);
  mph_config older = {.size = sizeof older.size, .flags = ~0u, .memory_limit = 1};
  assert_int_equal(mph_open(&h, &older), MPH_OK);
  mph_close(h);
}

static void refuses_nonsense(void **state) {
  mph_host *h = *state, *none = (mph_host *)state;
  mph_config sizeless = {0}, unknown = MPH_CONFIG_INIT;
  unknown.flags = 1u << 30;
  assert_int_equal(mph_open(NULL, NULL), MPH_EINVAL);
  assert_int_equal(mph_open(&none, &sizeless), MPH_EINVAL);
  assert_null(none);
  assert_int_equal(mph_open(&none, &unknown), MPH_EINVAL);
  assert_int_equal(mph_run_string(NULL, "", NULL), MPH_EINVAL);
  assert_int_equal(mph_run_string(h, NULL, NULL), MPH_EINVAL);
  assert_int_equal(mph_run_file(h, NULL, 1), MPH_EINVAL);
  assert_int_equal(mph_set_args(h, 1, NULL, 0), MPH_EINVAL);
  assert_int_equal(mph_require(h, NULL, NULL), MPH_EINVAL);
  assert_string_equal(mph_errmsg(h), "invalid argument");
  assert_string_equal(mph_errmsg(NULL), "");
  assert_null(mph_lua(NULL));
  assert_int_equal(mph_close(NULL), MPH_EINVAL);
}

static void leaves_results_on_the_stack(void **state) {
  mph_host *h = *state;
  lua_State *L = mph_lua(h);
  lua_pushliteral(L, "mine");
  assert_int_equal(mph_run_string(h, "return 1, 'two', nil", "=app"), 3);
  assert_int_equal(lua_gettop(L), 4);
  assert_int_equal(lua_tointeger(L, 2), 1);
  assert_string_equal(lua_tostring(L, 3), "two");
  assert_string_equal(mph_errmsg(h), "");
}

static void leaves_nothing_after_an_error(void **state) {
  mph_host *h = *state;
  lua_State *L = mph_lua(h);
  lua_pushliteral(L, "mine");
  assert_int_equal(mph_run_string(h, "x =", "=app"), MPH_ESYNTAX);
  assert_string_equal(mph_errmsg(h), "app:1: unexpected symbol near <eof>");
  assert_int_equal(mph_run_string(h, "local function f() error 'no' end f()", "=app"), MPH_ERUN);
  assert_non_null(strstr(mph_errmsg(h), "app:1: no\nstack traceback:"));
  assert_non_null(strstr(mph_errmsg(h), "in local 'f'"));
  assert_int_equal(mph_run_string(h, "error(setmetatable({}, {__tostring = error}))", "=app"),
                   MPH_ERUN);
  assert_int_equal(mph_run_file(h, "/nonexistent.lua", 0), MPH_EFILE);
  assert_non_null(strstr(mph_errmsg(h), "/nonexistent.lua"));
  assert_int_equal(mph_require(h, "no.such.module", NULL), MPH_ERUN);
  assert_int_equal(lua_gettop(L), 1);
}

static void passes_arguments_to_a_file(void **state) {
  mph_host *h = *state;
  lua_State *L = mph_lua(h);
  char path[] = "/tmp/mphost-spec-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  static const char code[] = "return select('#', ...), ..., arg and arg[-1]";
  assert_int_equal(write(fd, code, sizeof code - 1), sizeof code - 1);
  close(fd);
  lua_pushinteger(L, 11);
  lua_pushinteger(L, 12);
  assert_int_equal(mph_run_file(h, path, 1), 3); /* select, the first of `...`, nil */
  assert_int_equal(lua_gettop(L), 4);
  assert_int_equal(lua_tointeger(L, 2), 1);
  assert_int_equal(lua_tointeger(L, 3), 12);
  lua_settop(L, 0);
  char *argv[] = {"prog", "-x", "script", "a", "b"};
  assert_int_equal(mph_set_args(h, 5, argv, 2), MPH_OK);
  assert_int_equal(mph_run_file(h, path, MPH_ARGS), 3);
  assert_int_equal(lua_tointeger(L, 1), 2);
  assert_string_equal(lua_tostring(L, 2), "a");
  assert_string_equal(lua_tostring(L, 3), "-x");
  lua_settop(L, 0);
  assert_int_equal(mph_run_string(h, "arg = 1", NULL), 0);
  assert_int_equal(mph_run_file(h, path, MPH_ARGS), MPH_ERUN);
  assert_int_equal(lua_gettop(L), 0);
  unlink(path);
}

/* Lua's allocator until `left` allocations are used up. */
struct budget {
  lua_Alloc alloc;
  void *ud;
  int left;
};

static void *alloc_within(void *ud, void *block, size_t old, size_t new) {
  struct budget *b = ud;
  if (new > 0 && (!block || new > old) && b->left-- <= 0) return NULL;
  return b->alloc(b->ud, block, old, new);
}

/* Each call, with the memory ending at its first allocation, its second, and so on until it passes.
 */
static void survives_the_end_of_memory(void **state) {
  mph_host *h = *state;
  lua_State *L = mph_lua(h);
  char *argv[] = {"prog", "script", "a", "b"};
  struct budget budget = {0};
  budget.alloc = lua_getallocf(L, &budget.ud);
  for (int call = 0; call < 4; call++) {
    int rc = MPH_ENOMEM, failures = -1;
    for (int allocations = 0; rc < 0 && allocations < 10000; allocations++) {
      budget.left = allocations;
      lua_setallocf(L, alloc_within, &budget);
      switch (call) {
      case 0: rc = mph_set_args(h, 4, argv, 1); break;
      case 1:
        rc = mph_run_string(h, "local t = {} for i = 1, 9 do t[i] = {i .. 'x'} end", "=a");
        break;
      case 2: rc = mph_require(h, "string", "a_global"); break;
      default: rc = mph_run_file(h, "/dev/null", MPH_ARGS);
      }
      lua_setallocf(L, budget.alloc, budget.ud);
      assert_true(rc >= 0 || rc == MPH_ENOMEM || rc == MPH_ERUN);
      assert_true(rc >= 0 || *mph_errmsg(h));
      assert_int_equal(lua_gettop(L), 0);
      failures++;
    }
    assert_int_equal(rc, 0);
    assert_true(failures > 0);
  }
}

static void requires_into_a_global(void **state) {
  mph_host *h = *state;
  assert_int_equal(mph_require(h, "mphost", "mp"), MPH_OK);
  assert_int_equal(mph_run_string(h, "return mp == require 'mphost'", NULL), 1);
  assert_true(lua_toboolean(mph_lua(h), -1));
}

static mph_host *interruptible;

static void on_alarm(int number) {
  (void)number;
  mph_interrupt(interruptible);
}

/* What the code raises, or -1: how soon it is interrupted by a signal. */
static int run_interrupted(mph_host *h, const char *code) {
  struct sigaction action = {.sa_handler = on_alarm};
  struct itimerval timer = {.it_value.tv_usec = 100000};
  interruptible = h;
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &timer, NULL);
  return mph_run_string(h, code, "=app");
}

static void interrupts_what_runs(void **state) {
  mph_host *h = *state;
  mph_interrupt(h);
  assert_int_equal(mph_run_string(h, "return 1", NULL), 1); /* it was too early */
  assert_int_equal(run_interrupted(h, "while true do end"), MPH_EINTR);
  assert_non_null(strstr(mph_errmsg(h), "app:1: interrupted!"));
  assert_int_equal(run_interrupted(h, "require 'mphost'.sleep(1000)"), MPH_EINTR);
  assert_int_equal(run_interrupted(h, "return pcall(require 'mphost'.Queue().get, "
                                      "require 'mphost'.Queue())"),
                   2);
  assert_int_equal(mph_run_string(h, "error 'own'", NULL), MPH_ERUN);
  assert_string_equal(mph_errname(MPH_EINTR), "MPH_EINTR");
  lua_settop(mph_lua(h), 0);
}

static void count_noticed(void *user) {
  ++*(int *)user;
}

static void tells_that_code_has_noticed(void **state) {
  (void)state;
  mph_host *h;
  int noticed = 0;
  mph_config config = MPH_CONFIG_INIT;
  config.noticed = count_noticed;
  config.noticed_user = &noticed;
  assert_int_equal(mph_open(&h, &config), MPH_OK);
  assert_int_equal(run_interrupted(h, "while true do end"), MPH_EINTR);
  assert_int_equal(noticed, 1);
  assert_int_equal(run_interrupted(h, "return (pcall(require 'mphost'.sleep, 1000))"), 1);
  assert_int_equal(noticed, 2);
  mph_interrupt(h); /* nothing runs */
  assert_int_equal(mph_run_string(h, "return 1", NULL), 1);
  assert_int_equal(noticed, 2);
  mph_close(h);
}

static void stops_its_processes(void **state) {
  mph_host *h = *state;
  assert_int_equal(mph_stop(h), MPH_OK); /* nothing was started */
  assert_int_equal(mph_run_string(h,
                                  "mp = require 'mphost' p = mp.spawn(mp.sleep, 1000)"
                                  "pool = mp.Pool(1) pool:map(mp.sleep, {0})",
                                  "=app"),
                   0);
  assert_int_equal(mph_stop(h), MPH_OK);
  assert_int_equal(mph_run_string(h, "return p.exitcode, #mp.active_children()", "=app"), 2);
  assert_int_equal(lua_tointeger(mph_lua(h), -2), -15);
  assert_int_equal(lua_tointeger(mph_lua(h), -1), 0);
  lua_settop(mph_lua(h), 0);
}

static void opens_a_prompt(void **state) {
  mph_host *h = *state;
  int in[2], saved = dup(STDIN_FILENO);
  static const char typed[] = "x = 6 * 7\nnonsense(\n";
  assert_int_equal(pipe(in), 0);
  assert_int_equal(write(in[1], typed, sizeof typed - 1), sizeof typed - 1);
  close(in[1]);
  dup2(in[0], STDIN_FILENO);
  close(in[0]);
  assert_int_equal(mph_repl(h), MPH_OK);
  dup2(saved, STDIN_FILENO);
  close(saved);
  assert_int_equal(mph_run_string(h, "return x", NULL), 1);
  assert_int_equal(lua_tointeger(mph_lua(h), -1), 42);
  lua_settop(mph_lua(h), 0);
  assert_int_equal(mph_repl(NULL), MPH_EINVAL);
  assert_int_equal(mph_stop(NULL), MPH_EINVAL);
}

static void opens_as_a_guest(void **state) {
  (void)state;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_requiref(L, "mphost", luaopen_mphost, 0);
  assert_int_equal(lua_type(L, -1), LUA_TTABLE);
  assert_int_equal(luaL_dostring(L, "return require 'mphost'"), LUA_OK);
  assert_true(lua_rawequal(L, -1, -2));
  lua_close(L);
}

static void knows_that_it_is_closed(void **state) {
  (void)state;
  mph_host *h;
  assert_int_equal(mph_open(&h, NULL), MPH_OK);
  assert_int_equal(mph_close(h), MPH_OK);
  assert_int_equal(mph_close(h), MPH_ESTATE);
  assert_int_equal(mph_run_string(h, "", NULL), MPH_ESTATE);
  assert_int_equal(mph_interrupt(h), MPH_ESTATE);
  assert_null(mph_lua(h));
  assert_string_equal(mph_errmsg(h), "");
}

static void *enter(void *h) {
  return (void *)(intptr_t)mph_run_string(h, "return 1", NULL);
}

static int enter_from_thread(mph_host *h, void *user, const mph_value *args, int n,
                             mph_value *result) {
  (void)args, (void)n, (void)result;
  *(void **)user = in_thread(enter, h);
  assert_int_equal(mph_close(h), MPH_ESTATE);
  return mph_run_string(h, "inner = 'ran'", NULL);
}

static void lets_one_thread_in(void **state) {
  mph_host *h = *state;
  void *rc = NULL;
  mph_ref f;
  assert_int_equal(mph_define(h, "enter", enter_from_thread, &rc, &f), MPH_OK);
  assert_int_equal(mph_call(h, f, NULL, 0, NULL, 0), 1);
  assert_int_equal((intptr_t)rc, MPH_EBUSY);
  assert_int_equal(mph_run_string(h, "return inner", NULL), 1);
  lua_settop(mph_lua(h), 0);
  assert_int_equal((intptr_t)in_thread(enter, h), 1); /* one after the other is fine */
}

static void keeps_to_its_memory_limit(void **state) {
  (void)state;
  mph_host *h;
  mph_config config = MPH_CONFIG_INIT;
  config.memory_limit = 4 << 20;
  assert_int_equal(mph_open(&h, &config), MPH_OK);
  assert_int_equal(mph_run_string(h, "local s = ('x'):rep(1000000) return #s", NULL), 1);
  lua_settop(mph_lua(h), 0);
  assert_int_equal(mph_run_string(h, "local t = {} for i = 1, 1e7 do t[i] = i end", NULL),
                   MPH_ENOMEM);
  assert_int_equal(mph_run_string(h, "for i = 1, 100 do local s = ('x'):rep(1000000) end", NULL),
                   0);
  size_t bytes = 0;
  assert_int_equal(mph_memory(h, &bytes), MPH_OK);
  assert_in_range(bytes, 10000, config.memory_limit);
  mph_close(h);
}

/* A chunk whose tables of constants do not fit. */
static void knows_memory_from_syntax(void **state) {
  (void)state;
  enum { LINES = 100000, LINE = 14 };
  char path[] = "/tmp/mphost_XXXXXX", *code = malloc((size_t)LINES * LINE + 1);
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  for (int i = 0; i < LINES; i++) sprintf(code + (size_t)i * LINE, "x='%06d..'\n\n", i);
  assert_int_equal(write(fd, code, strlen(code)), LINES * LINE);
  close(fd);
  mph_host *h;
  mph_config config = MPH_CONFIG_INIT;
  config.memory_limit = 4 << 20;
  assert_int_equal(mph_open(&h, &config), MPH_OK);
  assert_int_equal(mph_eval(h, code, "=big", NULL, 0, NULL, 0), MPH_ENOMEM);
  assert_string_equal(mph_errmsg(h), "not enough memory");
  assert_int_equal(mph_run_string(h, code, "=big"), MPH_ENOMEM);
  assert_string_equal(mph_errmsg(h), "not enough memory");
  assert_int_equal(mph_run_file(h, path, 0), MPH_ENOMEM);
  assert_string_equal(mph_errmsg(h), "not enough memory");
  assert_int_equal(mph_eval(h, "x = ", "=bad", NULL, 0, NULL, 0), MPH_ESYNTAX);
  mph_close(h);
  unlink(path);
  free(code);
}

static void *count_blocks(void *user, void *block, size_t old, size_t new) {
  (void)old;
  long *blocks = user;
  if (new == 0) {
    *blocks -= block != NULL;
    free(block);
    return NULL;
  }
  void *made = realloc(block, new);
  *blocks += made && !block;
  return made;
}

static void takes_an_allocator(void **state) {
  (void)state;
  mph_host *h;
  long blocks = 0;
  mph_config config = MPH_CONFIG_INIT;
  config.alloc = count_blocks;
  config.alloc_user = &blocks;
  assert_int_equal(mph_open(&h, &config), MPH_OK);
  assert_int_equal(mph_require(h, "mphost", NULL), MPH_OK);
  assert_true(blocks > 100);
  assert_int_equal(mph_close(h), MPH_OK);
  assert_int_equal(blocks, 0);
}

static void *run_to_its_end(void *rc) {
  mph_host *h;
  mph_open(&h, NULL);
  *(int *)rc = mph_run_string(h,
                              "local mp = require 'mphost' mp.sleep(0.3) local x = 0 "
                              "for i = 1, 1e6 do x = x + i end return mp.Queue():get(0.1)",
                              "=other");
  mph_close(h);
  return NULL;
}

static void interrupts_its_own_host_only(void **state) {
  mph_host *h = *state;
  int other = 0;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, run_to_its_end, &other), 0);
  assert_int_equal(run_interrupted(h, "while true do end"), MPH_EINTR);
  assert_int_equal(run_interrupted(h, "while true do end"), MPH_EINTR);
  pthread_join(thread, NULL);
  assert_int_equal(other, 3);
}

/* Of this process, in seconds. */
static double cpu_time(void) {
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  return (double)use.ru_utime.tv_sec + (double)use.ru_utime.tv_usec / 1e6 +
         (double)use.ru_stime.tv_sec + (double)use.ru_stime.tv_usec / 1e6;
}

static void ends_what_it_waits_for_when_it_is_interrupted_in_closing(void **state) {
  mph_host *h, *other = *state;
  assert_int_equal(mph_open(&h, NULL), MPH_OK);
  assert_int_equal(run_interrupted(h, "mp = require 'mphost' mp.spawn(mp.sleep, 1000)"), 0);
  assert_int_equal(mph_close(h), MPH_OK);
  double before = cpu_time();
  assert_int_equal(mph_run_string(other, "return require 'mphost'.Queue():get(0.5)", "=app"), 3);
  assert_true(cpu_time() - before < 0.3); /* it sleeps */
  lua_settop(mph_lua(other), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_its_results),
      cmocka_unit_test(takes_configs_of_other_sizes),
      CASE(refuses_nonsense),
      CASE(leaves_results_on_the_stack),
      CASE(leaves_nothing_after_an_error),
      CASE(passes_arguments_to_a_file),
      CASE(survives_the_end_of_memory),
      CASE(requires_into_a_global),
      CASE(interrupts_what_runs),
      cmocka_unit_test(tells_that_code_has_noticed),
      CASE(stops_its_processes),
      CASE(opens_a_prompt),
      cmocka_unit_test(opens_as_a_guest),
      cmocka_unit_test(knows_that_it_is_closed),
      CASE(lets_one_thread_in),
      cmocka_unit_test(keeps_to_its_memory_limit),
      cmocka_unit_test(knows_memory_from_syntax),
      cmocka_unit_test(takes_an_allocator),
      CASE(interrupts_its_own_host_only),
      CASE(ends_what_it_waits_for_when_it_is_interrupted_in_closing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
