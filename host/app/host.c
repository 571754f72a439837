/* Hosts: opening, closing, and how every call with one begins and ends. See host.h. */
#include "app/host.h"

#include <stdlib.h>
#include <string.h>

#include "app/define.h"
#include "app/output.h"
#include "app/state.h"
#include "app/value.h"
#include "bind/interrupt.h"
#include "bind/sync.h"
#include "os/latch.h"

static const struct {
  const char *name, *text;
} results[] = {
    {"MPH_OK", "no error"},
    {"MPH_EINVAL", "invalid argument"},
    {"MPH_ENOMEM", "not enough memory"},
    {"MPH_EFILE", "cannot read the file"},
    {"MPH_ESYNTAX", "the code does not compile"},
    {"MPH_ERUN", "the code raised an error"},
    {"MPH_EINTR", "interrupted"},
    {"MPH_ESTATE", "the host is closed or must not be used so from here"},
    {"MPH_EBUSY", "another thread is in the host"},
    {"MPH_EREF", "there is no such reference"},
    {"MPH_ETYPE", "the reference or value is of another kind"},
    {"MPH_ETIMEDOUT", "timed out"},
    {"MPH_EAGAIN", "it would have to wait"},
    {"MPH_ECLOSED", "closed"},
    {"MPH_ECANCELED", "cancelled"},
    {"MPH_EGONE", "no such process"},
    {"MPH_EFORK", "this process was forked by other means than mphost"},
    {"MPH_EVERSION", "the library does not fit the header"},
    {"MPH_ESYSTEM", "the operating system refused"},
    {"MPH_EUNAVAILABLE", "not available in this build or on this system"},
};
enum { RESULTS = sizeof results / sizeof *results };

const char *mph_version(void) {
  return MPHOST_VERSION;
}

int mph_check_version(int number) {
  int same_major = number / 10000 == MPHOST_VERSION_NUMBER / 10000;
  return number > 0 && same_major && number <= MPHOST_VERSION_NUMBER ? MPH_OK : MPH_EVERSION;
}

const char *mph_strerror(int rc) {
  if (rc >= 0) return results[0].text;
  return rc > -RESULTS ? results[-rc].text : "unknown error";
}

const char *mph_errname(int rc) {
  if (rc >= 0) return results[0].name;
  return rc > -RESULTS ? results[-rc].name : "MPH_EUNKNOWN";
}

const char *mph_errmsg(mph_host *h) {
  if (!h || !atomic_load(&h->open) || h->rc >= 0) return "";
  return h->message ? h->message : mph_strerror(h->rc);
}

/* ---- each call ---- */

/* An address of this thread's own: the same one in a forked child. */
static uintptr_t this_thread(void) {
  static _Thread_local char here;
  return (uintptr_t)&here;
}

/* 0, or why this thread may not be in the host. */
static int take(mph_host *h) {
  if (!h) return MPH_EINVAL;
  if (!atomic_load(&h->open)) return MPH_ESTATE;
  uintptr_t none = 0, me = this_thread();
  if (atomic_load(&h->owner) != me && !atomic_compare_exchange_strong(&h->owner, &none, me))
    return MPH_EBUSY;
  h->depth++;
  if (atomic_load(&h->open)) return 0;
  if (--h->depth == 0) atomic_store(&h->owner, 0); /* closed in between */
  return MPH_ESTATE;
}

static void give(mph_host *h) {
  if (h->depth == 1 && h->interrupted && h->L) interrupt_forget(h->L);
  if (--h->depth == 0) atomic_store(&h->owner, 0);
}

int host_note(mph_host *h, int rc, const char *text) {
  char *copy = text ? strdup(text) : NULL;
  free(h->message);
  h->message = copy;
  h->rc = rc;
  return rc;
}

int host_enter(mph_host *h, bool valid) {
  int rc = take(h);
  if (rc < 0) return rc;
  if (h->depth == 1) {
    interrupt_forget(h->L);
    h->interrupted = 0;
  }
  host_note(h, !valid ? MPH_EINVAL : lua_checkstack(h->L, 8) ? MPH_OK : MPH_ENOMEM, NULL);
  rc = h->rc;
  if (rc < 0) give(h);
  return rc;
}

int host_leave(mph_host *h, int rc) {
  if (rc >= 0 || h->rc != rc) host_note(h, rc < 0 ? rc : MPH_OK, NULL);
  give(h);
  return rc;
}

int host_fail(mph_host *h, int status) {
  int rc = status == LUA_ERRMEM      ? MPH_ENOMEM
           : status == LUA_ERRSYNTAX ? MPH_ESYNTAX
           : status == LUA_ERRFILE   ? MPH_EFILE
           : h->interrupted          ? MPH_EINTR
                                     : MPH_ERUN;
  host_note(h, rc, lua_type(h->L, -1) == LUA_TSTRING ? lua_tostring(h->L, -1) : NULL);
  lua_pop(h->L, 1);
  return rc;
}

/* Turns an error into what is shown: text with a traceback; an object speaks for itself by
 * __tostring, as in lua.c. Runs inside the failing call, while its stack can still be seen. */
static int describe_error(lua_State *L) {
  const char *text = lua_tostring(L, 1);
  if (!text) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING) return 1;
    text = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  }
  luaL_traceback(L, L, text, 1);
  return 1;
}

int host_call_values(mph_host *h, int nargs) {
  int base = lua_gettop(h->L) - nargs;
  lua_pushcfunction(h->L, describe_error);
  lua_insert(h->L, base);
  int status = lua_pcall(h->L, nargs, LUA_MULTRET, base);
  lua_remove(h->L, base);
  return status == LUA_OK ? lua_gettop(h->L) - base + 1 : host_fail(h, status);
}

int host_call(mph_host *h, lua_CFunction helper, struct order *order) {
  order->host = h;
  lua_pushcfunction(h->L, helper);
  lua_pushlightuserdata(h->L, order);
  return host_call_values(h, 1);
}

int host_do(mph_host *h, lua_CFunction helper, struct order *order) {
  int rc = host_call(h, helper, order);
  return rc < 0 ? rc : order->rc;
}

int host_run(mph_host *h, bool valid, lua_CFunction helper, struct order *order) {
  int rc = host_enter(h, valid);
  return rc < 0 ? rc : host_leave(h, host_do(h, helper, order));
}

/* ---- open and close ---- */

static mph_host *pile; /* of closed hosts; under the latch */

static mph_host *new_host(void) {
  latch_lock();
  mph_host *h = pile;
  if (h) pile = h->next_free;
  latch_unlock();
  return h ? h : calloc(1, sizeof *h);
}

static void free_host(mph_host *h) {
  latch_lock();
  h->next_free = pile;
  pile = h;
  latch_unlock();
}

static const char host_key; /* its address: the host, in its state's registry */

mph_host *host_of(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &host_key);
  mph_host *h = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return h;
}

static void tell_noticed(lua_State *L) {
  mph_host *h = host_of(L);
  if (h && h->interrupted && h->noticed) h->noticed(h->noticed_user);
}

static int set_up(lua_State *L) {
  mph_host *h = lua_touserdata(L, 1);
  interrupt_raised = tell_noticed;
  lua_pushlightuserdata(L, h);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &host_key);
  value_init(L);
  output_init(L, h);
  return 0;
}

static int protected(lua_State *L, mph_host *h) {
  lua_pushcfunction(L, set_up);
  lua_pushlightuserdata(L, h);
  if (lua_pcall(L, 1, 0, 0) == LUA_OK) return 1;
  state_close(L);
  return 0;
}

static int start(mph_host *h, const mph_config *config) {
  h->message = NULL;
  h->rc = h->depth = h->interrupted = 0;
  h->last_ref = 0;
  event_begin(&h->loop);
  h->output = config->output, h->output_user = config->output_user;
  h->log = config->log, h->log_user = config->log_user;
  h->noticed = config->noticed, h->noticed_user = config->noticed_user;
  h->memory = (struct memory){config->alloc, config->alloc_user, 0, config->memory_limit};
  h->L = state_new(config->flags & MPH_NOENV, &h->memory);
  if (!h->L || !protected(h->L, h)) return MPH_ENOMEM;
  atomic_store(&h->owner, 0);
  atomic_store(&h->open, true);
  return MPH_OK;
}

int mph_open(mph_host **host, const mph_config *config) {
  if (!host) return MPH_EINVAL;
  *host = NULL;
  mph_config known = MPH_CONFIG_INIT;
  if (config) {
    if (config->size < sizeof config->size) return MPH_EINVAL;
    memcpy(&known, config, config->size < sizeof known ? config->size : sizeof known);
  }
  if (known.flags & ~(unsigned)MPH_NOENV) return MPH_EINVAL;
  mph_host *h = new_host();
  if (!h) return MPH_ENOMEM;
  int rc = start(h, &known);
  if (rc < 0)
    free_host(h);
  else
    *host = h;
  return rc;
}

static int tell_closing(lua_State *L) {
  sync_closing(L);
  return 0;
}

int mph_close(mph_host *h) {
  int rc = take(h);
  if (rc < 0) return rc;
  if (h->depth > 1) {
    give(h);
    return host_note(h, MPH_ESTATE, "mph_close from inside a call with this host");
  }
  interrupt_forget(h->L);
  define_forget(h);
  event_end(&h->loop);
  lua_pushcfunction(h->L, tell_closing);
  if (lua_pcall(h->L, 0, 0, 0) != LUA_OK) lua_pop(h->L, 1); /* its locks end with the process */
  state_close(h->L);
  interrupt_closed(h->L);
  event_free(&h->loop);
  atomic_store(&h->open, false);
  free(h->message);
  h->L = NULL;
  h->message = NULL;
  give(h);
  free_host(h);
  return MPH_OK;
}

struct lua_State *mph_lua(mph_host *h) {
  return h && atomic_load(&h->open) ? h->L : NULL;
}

int mph_memory(mph_host *h, size_t *bytes) {
  int rc = host_enter(h, bytes);
  if (rc < 0) return rc;
  *bytes = (size_t)lua_gc(h->L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(h->L, LUA_GCCOUNTB);
  return host_leave(h, MPH_OK);
}

int mph_interrupt(mph_host *h) {
  if (!h) return MPH_EINVAL;
  if (!atomic_load(&h->open)) return MPH_ESTATE;
  if (atomic_load(&h->owner) == 0) return MPH_OK; /* nobody is inside */
  h->interrupted = 1;
  interrupt_ask(h->L);
  return MPH_OK;
}
