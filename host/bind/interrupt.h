/* Interrupting Lua code from outside: a signal handler asks, the code that runs raises
   "interrupted!".

   Asking sets a debug hook, which is all that Lua allows a signal handler to do; it fires at the
   next instruction. Code that sleeps in a blocking call of ours runs no instruction: there the
   signal's EINTR is the moment to look. A hook that somebody else's handler has set (stock lua's
   own, for SIGINT) is given its chance at the same moment. */
#ifndef BIND_INTERRUPT_H
#define BIND_INTERRUPT_H

#include <lua.h>

/* What a hook is set for, with a count of 1, that is to fire at the next instruction. Stock lua's
 * handler sets its own so, too. */
#define INTERRUPT_EVENTS (LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT)

/* May be called by a signal handler. L, a main thread and no coroutine, raises "interrupted!" soon.
 */
void interrupt_ask(lua_State *L);

/* The same where a coroutine L of `main` runs, and not that. */
void interrupt_ask_in(lua_State *L, lua_State *main);

/* Called when it is raised in L, which may be a coroutine; NULL: nobody wants to know. */
extern void (*interrupt_raised)(lua_State *L);

/* Called where a blocking call of L has ended and nothing was asked: raises when there is another
 * reason to (guard.h has one: an item's time is over); NULL: there is none. */
extern void (*interrupt_look)(lua_State *L);

/* Whether this state's main thread was asked and has not raised yet: for what cannot raise. */
int interrupt_is_asked(lua_State *L);

/* Whether the text on top is of an interruption, or of an error that was made of one. */
int interrupt_is_told(lua_State *L);

/* Forgets what this main thread was asked and did not do yet. */
void interrupt_forget(lua_State *L);

/* The same of one that is closed by now: whether it was asked. */
int interrupt_closed(const lua_State *L);

/* Nobody but those who are asked has anything to notice: sleeps begin again (futex_disturbed). */
void interrupt_calm(void);

/* In a forked child: what any state of the parent was asked. */
void interrupt_forget_all(void);

/* For blocking calls: whether rc, -EINTR, means that they go on waiting. Raises when something was
 * asked: no lock and no memory may be held. */
int interrupt_again(lua_State *L, int rc);

/* After one that has ended otherwise: a coroutine has not the hook, and what it waited for may have
 * been interrupted, too (a terminal's Ctrl-C is for all processes). Raises when something was
 * asked. */
void interrupt_notice(lua_State *L);

#endif
