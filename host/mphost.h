/* mphost.h: Lua 5.4 with processes, pools, queues and shared values, inside a C or C++ program.
 *
 * Caveats first.
 *
 * Threads    One thread at a time may be in a host; a second one gets MPH_EBUSY, nothing breaks.
 *            Any thread may use it, one after the other. Different hosts may be used by different
 *            threads at the same time. All hosts of a process are one family: they share the memory
 *            region, and a queue of one can be sent to the workers of another.
 * Fork       Child processes are forked. A child is a copy of the calling program in which only the
 *            forking thread lives on: a lock that another thread holds at that moment stays locked
 *            in the child. The C library's own locks (malloc, stdio) are seen to; those of other
 *            libraries are not. mph_zygote is the way not to fork a program with threads.
 *            A child runs Lua, and C functions given to mph_define; it leaves by _exit and never
 *            returns from the mph_ call that forked it.
 *            When the program itself forks by other means, a host in that child is half a host:
 *            shared objects refuse with MPH_EFORK, plain Lua code runs, mph_close frees what is the
 *            child's and leaves the parent's objects whole.
 * Death      A child dies when the process that started it dies, however that happens; in a
 *            program that had one thread when the child started, also when that thread ends while
 *            others go on (pthread_exit in main).
 * Signals    The library installs no signal handler. Blocking calls go on after a handler has run.
 *            mph_interrupt may be called in a handler.
 * Ownership  What an open-function gives is the caller's to close: hosts by mph_close, references
 *            by mph_release. mph_close releases all references of the host. Strings given back
 *            stay valid as long as the function's comment says, no longer. Strings passed in are
 *            copied before the call returns.
 * Files      Descriptors are inherited by forked children; database connections and the like must
 *            not be used in parent and child both. The library's own are close-on-exec.
 * Silence    The library prints nothing, does not exit and changes no global state of the process.
 *            What the Lua code itself does (print, os.exit, os.setlocale) it does.
 * Memory     Values are copied into and out of shared memory. A process killed at any instruction
 *            leaves every shared object working for all others.
 *
 * Functions that can fail return an int: 0 or more is good, negative is one of the MPH_E codes. All
 * of them take a NULL host, a closed host, and references that are not (or no longer) what they
 * should be, and answer with an error code. A closed host is known as such until its memory is used
 * for the next one that is opened.
 *
 *   mph_host *h;
 *   int rc = mph_open(&h, NULL);
 *   if (rc >= 0) rc = mph_run_file(h, "script.lua", 0);
 *   if (rc < 0) fprintf(stderr, "%s: %s\n", mph_errname(rc), mph_errmsg(h));
 *   mph_close(h);
 */
#ifndef MPHOST_H
#define MPHOST_H

#include <stddef.h>

/* Version of this header, as "major.minor.patch" and as a number that grows with it. */
#define MPHOST_VERSION "0.1.0"
#define MPHOST_VERSION_NUMBER 100 /* major * 10000 + minor * 100 + patch */

/* Marks the names that the library exports; everything else in it is hidden. */
#define MPH_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* A Lua state with the library in it. Opaque; made by mph_open, freed by mph_close. */
typedef struct mph_host mph_host;

/* Lua's own state, as <lua.h> declares it; that header is needed only to use mph_lua's result. */
struct lua_State;

/* ---- results ---- */

/* Results below zero. The values are part of the ABI: they are added to, never changed. */
enum {
  MPH_OK = 0,          /* done */
  MPH_EINVAL = -1,     /* an argument makes no sense: a null pointer, a config of size 0 */
  MPH_ENOMEM = -2,     /* no memory left, or the host's memory limit is reached */
  MPH_EFILE = -3,      /* the script could not be opened or read */
  MPH_ESYNTAX = -4,    /* the code does not compile; nothing of it ran */
  MPH_ERUN = -5,       /* the code raised an error, or the function is not there to be called */
  MPH_EINTR = -6,      /* mph_interrupt was called, and an error ended the code after that */
  MPH_ESTATE = -7,     /* the host is closed, or the call must not be made from inside a callback */
  MPH_EBUSY = -8,      /* another thread is in the host */
  MPH_EREF = -9,       /* there is no such reference: released, or never given */
  MPH_ETYPE = -10,     /* the reference or value is of another kind than the call is for */
  MPH_ETIMEDOUT = -11, /* the time is over */
  MPH_EAGAIN = -12,    /* it would have to wait: the queue is full or empty, the future not done */
  MPH_ECLOSED = -13,   /* the queue is closed (and empty), the pool is closed */
  MPH_ECANCELED = -14, /* the future was cancelled */
  MPH_EGONE = -15,     /* the process is gone */
  MPH_EFORK = -16,     /* this process was forked by other means than the library's */
  MPH_EVERSION = -17,  /* the library that is linked is older than the header, or not compatible */
  MPH_ESYSTEM = -18,   /* the operating system refused; the message says what */
  MPH_EUNAVAILABLE = -19 /* this build or this system does not have it */
};

/* Version of the library that is linked, in the form of MPHOST_VERSION. Static. */
MPH_API const char *mph_version(void);

/* Whether the library that is linked has all that a header of version `number` declares (pass
 * MPHOST_VERSION_NUMBER): MPH_OK or MPH_EVERSION. */
MPH_API int mph_check_version(int number);

/* One sentence about a result code, for all codes that exist and some that do not. Static. */
MPH_API const char *mph_strerror(int rc);

/* A result code's name, such as "MPH_ESYNTAX". Static. */
MPH_API const char *mph_errname(int rc);

/* What went wrong in the last call with this host that failed: the message, and for MPH_ERUN the
 * traceback below it. "" when nothing did, or when the host is NULL or closed. Valid until the next
 * call with this host. */
MPH_API const char *mph_errmsg(mph_host *host);

/* ---- hosts ---- */

/* Bits of mph_config.flags. */
enum {
  MPH_NOENV = 1 /* ignore LUA_PATH, LUA_CPATH and their versioned forms, as `lua -E` does */
};

/* Takes `size` bytes that Lua code wrote. Called in the process that wrote: in a worker, in the
 * worker. Must not call back into the host. */
typedef void (*mph_writer)(void *user, const char *text, size_t size);

/* Settings of mph_open. Fields are only ever added at the end; the first one says how much of the
 * struct the caller knows, so a program compiled with an older header goes on working. */
typedef struct mph_config {
  size_t size;    /* sizeof(mph_config) */
  unsigned flags; /* MPH_NOENV, or 0 */

  size_t memory_limit; /* most bytes that the Lua state may use, in this process and in each child
                          of it; 0: no limit. At the limit Lua's memory error is raised. Shared
                          memory is not counted. */

  void *(*alloc)(void *user, void *block, size_t old_size, size_t new_size); /* a lua_Alloc; NULL:
                          malloc's. In a child it goes on with its copy of everything. */
  void *alloc_user;

  mph_writer output; /* what print and io.write write; NULL: standard output */
  void *output_user;
  mph_writer log; /* whole lines, their newline included, of mp.log, of warn() when warnings are on,
                     and reports of failed processes; NULL: standard error */
  void *log_user;

  void (*noticed)(void *user); /* "interrupted!" is raised now, as mph_interrupt asked for, whatever
                          becomes of that error: for who ends code that does not notice. Must not
                          call back into the host. NULL: nothing */
  void *noticed_user;
} mph_config;

/* Every field at its default: `mph_config cfg = MPH_CONFIG_INIT;` */
#define MPH_CONFIG_INIT                                                                            \
  { sizeof(mph_config), 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }

/* Makes a Lua state with the standard libraries and `require "mphost"` in it, and stores it in
 * *host; on error *host is NULL, which every function below takes. config NULL means all defaults.
 */
MPH_API int mph_open(mph_host **host, const mph_config *config);

/* Closes the state: runs what is left to be closed, waits for child processes as the Lua objects
 * that own them say (daemons and workers are killed; mph_interrupt makes it end them all, SIGTERM
 * first), frees everything. When it was the last host of the process and no child is left, the
 * shared memory and its descriptor go, too. MPH_EINVAL for NULL; MPH_ESTATE when it is closed
 * already, or from inside a callback; MPH_EBUSY. */
MPH_API int mph_close(mph_host *host);

/* The Lua state, to push values into and take results from. NULL for a NULL or closed host. Valid
 * until mph_close; must not be lua_close'd. Errors raised outside a protected call end the program.
 */
MPH_API struct lua_State *mph_lua(mph_host *host);

/* Bytes that the Lua state uses now, in *bytes. */
MPH_API int mph_memory(mph_host *host, size_t *bytes);

/* Asks the code that runs in this host to stop: it raises "interrupted!" at its next instruction,
 * or out of the call of this library in which it sleeps if a signal ends that sleep. The code may
 * catch it as any error; __close and __gc run. Code inside a coroutine notices only once it sleeps
 * or yields. Async-signal-safe. Without code that runs it does nothing. MPH_EINVAL, MPH_ESTATE. */
MPH_API int mph_interrupt(mph_host *host);

/* ---- running code ---- */

/* Lays out the global table `arg` as the program lua does: argv[script] at index 0, what follows
 * from 1 on, what precedes at negative indices. script == argc means that there is no script: then
 * argv[0] is at 0. */
MPH_API int mph_set_args(mph_host *host, int argc, char *const argv[], int script);

/* For nargs below: the script's `...` is arg[1], arg[2], ... of the global table `arg`. */
#define MPH_ARGS (-1)

/* Runs the Lua file `path`; NULL reads standard input. The script's `...` is the nargs values on
 * top of mph_lua's stack, which are taken off, or see MPH_ARGS. Returns how many values the script
 * returned; they are on top of the stack, the caller pops them. On error nothing is left there. */
MPH_API int mph_run_file(mph_host *host, const char *path, int nargs);

/* Runs Lua code. chunkname appears in messages: "=name" as it stands, "@file" as a file, anything
 * else as code; NULL means the code itself. Results as in mph_run_file. */
MPH_API int mph_run_string(mph_host *host, const char *code, const char *chunkname);

/* Requires a module and puts it into the global variable `global`, as `lua -l global=module` does;
 * global NULL only requires it. Returns 0, nothing is left on the stack. */
MPH_API int mph_require(mph_host *host, const char *module, const char *global);

/* Runs the prompt (mp.repl in Lua) until its end of input or `:quit`: reads Lua from standard
 * input, writes results to standard output, prompts and errors to standard error. Line editing is
 * the calling program's to offer, by a module "mphost.terminal" in package.preload (the functions
 * are described in lua/mphost/repl.lua); without one there are plain lines. No signal handler is
 * installed: call mph_interrupt in one for SIGINT to cancel what runs. Processes started at the
 * prompt are ended with it. Returns 0. */
MPH_API int mph_repl(mph_host *host);

/* Ends the processes and pools that the host's Lua code has started: SIGTERM, after a second
 * SIGKILL; waits for them. Returns 0. mph_close alone waits for those that are not daemons. */
MPH_API int mph_stop(mph_host *host);

/* ---- typed values ---- */

/* A reference to something in a host that C does not hold itself: a function, a table, a pool, a
 * queue ... A number above 0, valid with its host only, until mph_release or mph_close. Numbers are
 * not used again, so a released one is known as such. 0 is none. */
typedef int mph_ref;

/* Types of mph_value. */
enum { MPH_NIL = 0, MPH_BOOL, MPH_INT, MPH_NUMBER, MPH_STRING, MPH_REF };

/* One Lua value on its way in or out. Made by the functions below or by hand. */
typedef struct mph_value {
  int type; /* says which of the others counts */
  int boolean;
  long long integer;
  double number;
  const char *data; /* MPH_STRING: any bytes, and a zero behind them when the library gives it. A */
  size_t size;      /* string that is given back stays valid until the next call with this host. */
  mph_ref ref; /* MPH_REF: everything else. One that is given back is the caller's to release. */
} mph_value;

static inline mph_value mph_nil(void) {
  mph_value v = {MPH_NIL, 0, 0, 0, NULL, 0, 0};
  return v;
}
static inline mph_value mph_bool(int boolean) {
  mph_value v = {MPH_BOOL, boolean != 0, 0, 0, NULL, 0, 0};
  return v;
}
static inline mph_value mph_int(long long integer) {
  mph_value v = {MPH_INT, 0, integer, 0, NULL, 0, 0};
  return v;
}
static inline mph_value mph_num(double number) {
  mph_value v = {MPH_NUMBER, 0, 0, number, NULL, 0, 0};
  return v;
}
static inline mph_value mph_bytes(const void *data, size_t size) {
  mph_value v = {MPH_STRING, 0, 0, 0, (const char *)data, size, 0};
  return v;
}
static inline mph_value mph_str(const char *text) { /* up to its zero */
  mph_value v = {MPH_STRING, 0, 0, 0, text, 0, 0};
  while (text && text[v.size]) v.size++;
  return v;
}
static inline mph_value mph_object(mph_ref ref) {
  mph_value v = {MPH_REF, 0, 0, 0, NULL, 0, ref};
  return v;
}

/* Runs Lua code with args as its `...`. At most nresults of what it returns are stored in results;
 * missing ones are nil. Returns how many it returned. nargs and nresults may be 0, the arrays NULL
 * then; results may be where args are. Nothing stays on mph_lua's stack. */
MPH_API int mph_eval(mph_host *host, const char *code, const char *chunkname, const mph_value *args,
                     int nargs, mph_value *results, int nresults);

/* Calls the function `f`; the rest as in mph_eval. */
MPH_API int mph_call(mph_host *host, mph_ref f, const mph_value *args, int nargs,
                     mph_value *results, int nresults);

/* The value under a path of names, "string.rep" or "settings.size": a global variable first, then a
 * loaded module. What is not there is nil. */
MPH_API int mph_get(mph_host *host, const char *path, mph_value *value);

/* Sets the global variable `name`. */
MPH_API int mph_set(mph_host *host, const char *name, mph_value value);

/* A C function as Lua code calls it. Stores its result in *result, which is nil before: copied when
 * it returns, and a reference in it remains the function's. Returns 0 or more; negative raises a
 * Lua error with the string in *result as its message, or mph_strerror's. The args are valid while
 * it runs; references among them are released after it. It may use `host`, which is the one it was
 * called in, also in a worker, but for mph_close. */
typedef int (*mph_function)(mph_host *host, void *user, const mph_value *args, int nargs,
                            mph_value *result);

/* Makes a C function known as `name` in the module "mphost.c" (Lua: require "mphost.c".name), and
 * stores a reference in *ref unless NULL. Processes and workers that start later have it; it can be
 * sent to them as any function can. The same name again replaces it. */
MPH_API int mph_define(mph_host *host, const char *name, mph_function function, void *user,
                       mph_ref *ref);

/* Gives a reference up. A queue, value or array that nobody else has goes away; a pool is closed
 * when the collector finds it: close it first. */
MPH_API int mph_release(mph_host *host, mph_ref ref);

/* What a reference refers to. */
enum {
  MPH_KIND_OTHER = 0,
  MPH_KIND_TABLE,
  MPH_KIND_FUNCTION,
  MPH_KIND_POOL,
  MPH_KIND_FUTURE,
  MPH_KIND_QUEUE,
  MPH_KIND_CELL,
  MPH_KIND_ARRAY,
  MPH_KIND_PROCESS
};
MPH_API int mph_kind(mph_host *host, mph_ref ref);

/* ---- start methods ---- */

/* Starts the zygote of this process, unless it has one: a process that forks workers and processes
 * for all hosts from now on, so that the program, whatever its threads are doing, need not be
 * forked itself. Call it early, before there are threads, descriptors, or much memory; when there
 * are threads already, and no functions of mph_define that the helper would lack, it is not a
 * fork but a program of its own if one is found (see mph_member). It closes all descriptors but 0,
 * 1 and 2, ignores what the terminal sends, and ends with this process, however that ends.
 *
 * What it starts begins with a fresh Lua state: functions, arguments and handles travel as messages
 * do (globals that a function reads travel with it, other globals are not there); modules are found
 * by the package.path and package.cpath of the state that starts it. Functions of mph_define are
 * there if they were defined before, with their `user` as it was then; one that came later is an
 * error of the task that needs it ("C function 'x' is not in this process").
 * mp.start_method("fork") in Lua goes back to forking the program itself for that host; mp.map
 * always does. When the zygote is killed, so are its children, and what is started after that is an
 * error until this is called again. MPH_EFORK, MPH_ENOMEM, MPH_ESYSTEM. */
MPH_API int mph_zygote(void);

/* To be called first in main by a program that is to be its own helper: the program that start
 * method "spawn" runs (mp.start_method("spawn") in Lua), a fresh process image with nothing of this
 * one in it. When this process was started as such it runs what it was started for and does not
 * return: `prepare`, unless NULL, is called with its host first, to mph_define what tasks need;
 * negative ends the process. Otherwise nothing happens and 0 is returned; MPH_EINVAL.
 *
 * Programs that do not call it use the program `mphost` of the same version as their helper: named
 * by mp.start_method's second argument, by the environment variable MPHOST_HELPER, or found beside
 * the library or in bin/ of a folder above it. It knows no functions of mph_define. */
MPH_API int mph_member(int argc, char *const argv[], int (*prepare)(mph_host *host));

/* ---- pools ---- */

/* For `timeout`, in seconds: wait as long as it takes. 0 does not wait. */
#define MPH_FOREVER (-1.0)

/* A pool of so many worker processes (mp.Pool); 0: one for each CPU that this process may use. They
 * start with the first call. */
MPH_API int mph_pool_open(mph_host *host, int workers, mph_ref *pool);

/* f(items[i]) for each of the n items, in the workers; results[i] is what came of items[i]. f is a
 * Lua function or one of mph_define's. results may be NULL: for the effects. MPH_ERUN when one of
 * them fails: the message has its index and the worker's traceback; results are all nil then.
 * MPH_ECLOSED: the pool is closed. */
MPH_API int mph_map(mph_host *host, mph_ref pool, mph_ref f, const mph_value *items, size_t n,
                    mph_value *results);

/* Starts f(args...) in a worker and returns at once; *future is for the functions below. */
MPH_API int mph_submit(mph_host *host, mph_ref pool, mph_ref f, const mph_value *args, int nargs,
                       mph_ref *future);

/* Whether it is over, well or not: 1 or 0. */
MPH_API int mph_future_done(mph_host *host, mph_ref future);

/* Its result. MPH_ETIMEDOUT (timeout 0: MPH_EAGAIN): not done yet. MPH_ECANCELED. MPH_ERUN: it
 * failed; the message has the worker's traceback. May be asked again. */
MPH_API int mph_future_get(mph_host *host, mph_ref future, double timeout, mph_value *result);

/* Cancels it: 1 done, 0 it was over already. */
MPH_API int mph_future_cancel(mph_host *host, mph_ref future);

/* Takes no more calls, waits until the workers have left. MPH_ETIMEDOUT: some are busy still. */
MPH_API int mph_pool_close(mph_host *host, mph_ref pool, double timeout);

/* Kills the workers, whatever they are doing. */
MPH_API int mph_pool_kill(mph_host *host, mph_ref pool);

/* ---- queues ---- */

/* A queue between processes (mp.Queue); capacity in messages, 0: it grows. */
MPH_API int mph_queue_open(mph_host *host, size_t capacity, mph_ref *queue);

/* Puts a value: once it returns MPH_OK the value is in the queue. MPH_ETIMEDOUT, MPH_EAGAIN
 * (timeout 0: the queue is full), MPH_ECLOSED; nil is MPH_EINVAL. */
MPH_API int mph_queue_put(mph_host *host, mph_ref queue, mph_value value, double timeout);

/* The same for bytes, which arrive as a string. */
MPH_API int mph_queue_put_bytes(mph_host *host, mph_ref queue, const void *data, size_t size,
                                double timeout);

/* Gets the next value. MPH_ETIMEDOUT, MPH_EAGAIN (timeout 0: it is empty), MPH_ECLOSED: closed and
 * empty. */
MPH_API int mph_queue_get(mph_host *host, mph_ref queue, mph_value *value, double timeout);

/* How many messages are in it now. */
MPH_API int mph_queue_length(mph_host *host, mph_ref queue);

/* No more puts, by anybody; gets go on until it is empty. */
MPH_API int mph_queue_close(mph_host *host, mph_ref queue);

/* ---- shared numbers ---- */

/* One number in shared memory (mp.Value). type is a letter of string.pack's, one of
 * "bBhHiIlLjJTfdn", or '?' for a boolean. */
MPH_API int mph_cell_open(mph_host *host, char type, mph_value init, mph_ref *cell);

/* Reads and writes it; each is atomic. A value that its type does not hold is MPH_ERUN. */
MPH_API int mph_cell_load(mph_host *host, mph_ref cell, mph_value *value);
MPH_API int mph_cell_store(mph_host *host, mph_ref cell, mph_value value);

/* Adds in one atomic step; *before, unless NULL, is what it was. */
MPH_API int mph_cell_add(mph_host *host, mph_ref cell, mph_value value, mph_value *before);

/* Replaces `old` by `value` in one atomic step: 1 done, 0 it was something else. */
MPH_API int mph_cell_cas(mph_host *host, mph_ref cell, mph_value old, mph_value value);

/* ---- shared arrays ---- */

/* n numbers in shared memory (mp.Array), zero; types as in mph_cell_open. */
MPH_API int mph_array_open(mph_host *host, char type, size_t n, mph_ref *array);

/* How many elements it has, in *n. */
MPH_API int mph_array_length(mph_host *host, mph_ref array, size_t *n);

/* Reads and writes the n elements from index `first` on, counted from 0. Each element is atomic,
 * the whole is not. MPH_ERUN when they are not all there, or one does not fit the type. */
MPH_API int mph_array_read(mph_host *host, mph_ref array, size_t first, size_t n, double *values);
MPH_API int mph_array_write(mph_host *host, mph_ref array, size_t first, size_t n,
                            const double *values);

/* ---- event loops ---- */

/* Called by mph_dispatch when what was watched is ready. */
typedef void (*mph_ready)(mph_host *host, void *user, mph_ref ref);

/* A descriptor for poll or epoll: readable when mph_dispatch has something to look at: what is
 * watched may be ready, or a process of the family has died. A host that waits costs nothing until
 * then; who has something to tell makes one system call, once per mph_dispatch. Where the kernel
 * has no pidfd (before Linux 5.3) it becomes readable every 50 ms as well. It is the host's: do not
 * read or close it. The same one each time, valid until mph_close; a forked child has one of its
 * own, and none of its parent's watches. */
MPH_API int mph_fd(mph_host *host);

/* Watches a future (done) or a queue (something to get, or closed): `ready` is called once, from
 * mph_dispatch. The reference must stay until then; releasing it ends the watch. */
MPH_API int mph_watch(mph_host *host, mph_ref ref, mph_ready ready, void *user);

/* Calls back for all that is ready, without waiting. Returns how many were called. */
MPH_API int mph_dispatch(mph_host *host);

/* ---- stock Lua ---- */

/* The other way in: `luaL_requiref(L, "mphost", luaopen_mphost, 0)` opens the library in a state of
 * the caller's. It is also what `require "mphost"` in a stock lua5.4 finds. Leaves the module on
 * the stack and returns 1; raises a Lua error if it cannot. */
MPH_API int luaopen_mphost(struct lua_State *L);

#ifdef __cplusplus
}
#endif

#endif
