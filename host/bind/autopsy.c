/* Last words: see autopsy.h. */
#include "bind/autopsy.h"

#include <lauxlib.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/fault.h"
#include "shm/crash.h"

#define LEVELS 16

static lua_State *lua;
static struct crash *record;

_Static_assert(CRASH_FRAMES == FAULT_FRAMES, "all that is found is told");

/* release, here and below: who sees the count sees what it counts */
static void grow(_Atomic uint32_t *count, size_t size) {
  atomic_store_explicit(count, (uint32_t)size, memory_order_release);
}

static void tell_first(const struct fault *fault) {
  record = crash_begin();
  record->signal = (uint32_t)fault->signal;
  record->sender = (uint32_t)fault->sender;
  record->address = fault->address;
  record->frame[0] = (uint64_t)(uintptr_t)fault->frame[0];
  grow(&record->frames, 1);
  crash_show(record);
}

/* A return address may be the first of the next function: the call is before it. */
static const void *place_of(const struct crash *crash, uint32_t i) {
  return (const char *)(uintptr_t)crash->frame[i] - (i > 0);
}

/* Then the last line is not whole. */
static int is_full(const struct fault_text *text) {
  return text->size + 1 >= text->room;
}

static void tell_frames(const struct fault *fault) {
  struct fault_text text = {.text = record->native_text, .room = CRASH_TEXT};
  for (int i = 1; i < fault->frames; i++) record->frame[i] = (uint64_t)(uintptr_t)fault->frame[i];
  grow(&record->frames, (size_t)fault->frames);
  for (uint32_t i = 0; i < (uint32_t)fault->frames; i++) {
    fault_say(&text, "\n\t");
    fault_say_place(&text, place_of(record, i));
    if (is_full(&text)) return;
    grow(&record->native, text.size);
  }
}

/* In the words of luaL_traceback. */
static void tell_function(struct fault_text *text, const lua_Debug *ar) {
  if (*ar->namewhat) {
    fault_say(text, ar->namewhat);
    fault_say(text, " '");
    fault_say(text, ar->name);
    fault_say(text, "'");
  } else if (*ar->what == 'm') {
    fault_say(text, "main chunk");
  } else if (*ar->what != 'C') {
    fault_say(text, "function <");
    fault_say(text, ar->short_src);
    fault_say(text, ":");
    fault_say_number(text, (uint64_t)ar->linedefined, 10);
    fault_say(text, ">");
  } else {
    fault_say(text, "?");
  }
}

static void tell_stack(lua_State *L) {
  struct fault_text text = {.text = record->lua_text, .room = CRASH_TEXT};
  lua_Debug ar;
  for (int level = 0; level < LEVELS && lua_getstack(L, level, &ar); level++) {
    if (!lua_getinfo(L, "Sln", &ar)) return;
    fault_say(&text, "\n\t");
    fault_say(&text, ar.short_src);
    fault_say(&text, ":");
    if (ar.currentline > 0) {
      fault_say_number(&text, (uint64_t)ar.currentline, 10);
      fault_say(&text, ":");
    }
    fault_say(&text, " in ");
    tell_function(&text, &ar);
    if (is_full(&text)) return;
    grow(&record->lua, text.size);
  }
}

static void tell(const struct fault *fault) {
  if (!fault->whole) {
    tell_first(fault);
    return;
  }
  tell_frames(fault);
  if (syscall(SYS_gettid) == getpid()) tell_stack(lua);
}

void autopsy_prepare(void) {
  fault_prepare();
}

void autopsy_watch(lua_State *L) {
  lua = L;
  fault_watch(tell);
}

/* ---- in the parent ---- */

/* The dead one did not come to say names. A fork has its parent's places. */
static void name_frames(struct crash *crash) {
  struct fault_text text = {.text = crash->native_text, .room = CRASH_TEXT};
  for (uint32_t i = 0; i < crash->frames; i++) {
    fault_say(&text, "\n\t");
    fault_say_place(&text, place_of(crash, i));
  }
  crash->native = (uint32_t)text.size;
}

static void add_cause(luaL_Buffer *b, const struct crash *crash) {
  const char *name = sigabbrev_np((int)crash->signal);
  struct fault_text text = {.text = (char[64]){0}, .room = 64};
  luaL_addstring(b, " (SIG");
  luaL_addstring(b, name ? name : "?");
  if (!crash->sender && crash->signal != SIGABRT) {
    luaL_addstring(b, " at address ");
    fault_say_number(&text, crash->address, 16);
    luaL_addstring(b, text.text);
  }
  luaL_addstring(b, "):");
}

/* The first line; of an abort the first outside of the C library. */
static void push_place(lua_State *L, struct crash *crash) {
  char *line = crash->native_text + 2, *end = crash->native_text + crash->native;
  *end = 0;
  for (char *next; (next = strstr(line, "\n\t")); line = next + 2) {
    *next = 0;
    if (crash->signal != SIGABRT || !strstr(line, "/libc.so")) break;
  }
  lua_pushstring(L, line);
}

int autopsy_push(lua_State *L, uint64_t id) {
  struct crash crash;
  if (!crash_find(id, &crash)) return 0;
  if (!crash.native) name_frames(&crash);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  if (crash.lua) {
    luaL_addstring(&b, "stack traceback:");
    luaL_addlstring(&b, crash.lua_text, crash.lua);
    luaL_addchar(&b, '\n');
  }
  luaL_addstring(&b, "native stack traceback");
  add_cause(&b, &crash);
  luaL_addlstring(&b, crash.native_text, crash.native);
  luaL_pushresult(&b);
  push_place(L, &crash);
  return 2;
}
