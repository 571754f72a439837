/* mphost.h: Lua 5.4 with processes, pools, queues and shared values, inside a C or C++ program.
 *
 * Caveats first.
 * - One thread at a time uses a host; two hosts in two threads are two separate families.
 * - Processes are made by fork. A child is a copy of the calling program in which only the forking
 *   thread lives on: a lock that another thread holds at that moment stays locked in the child.
 *   Open hosts before starting threads, or hold no locks of other threads while Lua runs.
 * - A child runs Lua only. It leaves by _exit and never returns from the mph_ call that forked it.
 * - Descriptors are inherited unless they are close-on-exec and the child execs; database
 *   connections and the like must not be used in parent and child both.
 * - The library prints nothing, does not exit, installs no signal handler and changes no global
 *   state of the process. What the Lua code itself does (print, os.exit, os.setlocale) it does.
 * - Strings given back stay valid as long as the function's comment says, no longer.
 *
 * Functions that can fail return an int: 0 or more is good, negative is one of the MPH_E codes.
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

/* Version of this header, as "major.minor.patch". */
#define MPHOST_VERSION "0.1.0"

/* Marks the names that the library exports; everything else in it is hidden. */
#define MPH_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* A Lua state with the library in it. Opaque; made by mph_open, freed by mph_close. */
typedef struct mph_host mph_host;

/* Lua's own state, as <lua.h> declares it; that header is needed only to use mph_lua's result. */
struct lua_State;

/* Results below zero. The values are part of the ABI: they are added to, never changed. */
enum {
  MPH_OK = 0,       /* done */
  MPH_EINVAL = -1,  /* an argument makes no sense: a null pointer, a config of size 0 */
  MPH_ENOMEM = -2,  /* no memory left */
  MPH_EFILE = -3,   /* the script could not be opened or read */
  MPH_ESYNTAX = -4, /* the code does not compile; nothing of it ran */
  MPH_ERUN = -5,    /* the code raised an error */
  MPH_EINTR = -6    /* mph_interrupt was called, and an error ended the code after that */
};

/* Bits of mph_config.flags. */
enum {
  MPH_NOENV = 1 /* ignore LUA_PATH, LUA_CPATH and their versioned forms, as `lua -E` does */
};

/* Settings of mph_open. Fields are only ever added at the end; the first one says how much of the
 * struct the caller knows, so a program compiled with an older header goes on working. */
typedef struct mph_config {
  size_t size;    /* sizeof(mph_config) */
  unsigned flags; /* MPH_NOENV, or 0 */
} mph_config;

/* Every field at its default: `mph_config cfg = MPH_CONFIG_INIT;` */
#define MPH_CONFIG_INIT                                                                            \
  { sizeof(mph_config), 0 }

/* Version of the library that is linked, in the form of MPHOST_VERSION. Static. */
MPH_API const char *mph_version(void);

/* One sentence about a result code, for all codes that exist and some that do not. Static. */
MPH_API const char *mph_strerror(int rc);

/* A result code's name, such as "MPH_ESYNTAX". Static. */
MPH_API const char *mph_errname(int rc);

/* Makes a Lua state with the standard libraries and `require "mphost"` in it, and stores it in
 * *host; on error *host is NULL, which every function below takes. config NULL means all defaults.
 */
MPH_API int mph_open(mph_host **host, const mph_config *config);

/* Closes the state: runs what is left to be closed, waits for child processes as the Lua objects
 * that own them say, frees everything. NULL is fine. */
MPH_API void mph_close(mph_host *host);

/* The Lua state, to push values into and take results from. NULL for a NULL host. Valid until
 * mph_close; must not be lua_close'd. Errors raised outside a protected call end the program. */
MPH_API struct lua_State *mph_lua(mph_host *host);

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

/* What went wrong in the last call that failed: the message, and for MPH_ERUN the traceback below
 * it. "" when nothing did. Valid until the next call with this host. */
MPH_API const char *mph_errmsg(mph_host *host);

/* Asks the code that runs in this host to stop: it raises "interrupted!" at its next instruction,
 * or out of the call of this library in which it sleeps if a signal ends that sleep. The code may
 * catch it as any error; __close and __gc run. Code inside a coroutine notices only once it sleeps
 * or yields. May be called from a signal handler that runs on the host's own thread, and from
 * nowhere else while another thread is in the host. Without code that runs it does nothing. */
MPH_API void mph_interrupt(mph_host *host);

/* Ends the processes and pools that the host's Lua code has started: SIGTERM, after a second
 * SIGKILL; waits for them. Returns 0. mph_close alone waits for those that are not daemons. */
MPH_API int mph_stop(mph_host *host);

/* Runs the prompt (mp.repl in Lua) until its end of input or `:quit`: reads Lua from standard
 * input, writes results to standard output, prompts and errors to standard error. Line editing is
 * the calling program's to offer, by a module "mphost.terminal" in package.preload (the functions
 * are described in lua/mphost/repl.lua); without one there are plain lines. No signal handler is
 * installed: call mph_interrupt in one for SIGINT to cancel what runs. Processes started at the
 * prompt are ended with it. Returns 0. */
MPH_API int mph_repl(mph_host *host);

/* The other way in: `luaL_requiref(L, "mphost", luaopen_mphost, 0)` opens the library in a state of
 * the caller's. It is also what `require "mphost"` in a stock lua5.4 finds. Leaves the module on
 * the stack and returns 1; raises a Lua error if it cannot. */
MPH_API int luaopen_mphost(struct lua_State *L);

#ifdef __cplusplus
}
#endif

#endif
