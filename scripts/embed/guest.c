/* A program with a Lua state of its own, which takes mphost in as a module.
   cc guest.c $(pkg-config --cflags --libs mphost lua5.4) */
#include <mphost.h>
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

/* What this program gives its scripts. */
static int app_name(lua_State *L) {
  lua_pushliteral(L, "guest");
  return 1;
}

static const char script[] =
    "local mp = require 'mphost'\n"
    "local pool <close> = mp.Pool(2)\n"
    "local names = pool:map(function(n) return app_name() .. n end, {1, 2, 3})\n"
    "return table.concat(names, ' ')\n";

int main(void) {
  lua_State *L = luaL_newstate();
  if (!L) return 1;
  luaL_openlibs(L);
  lua_register(L, "app_name", app_name);
  luaL_requiref(L, "mphost", luaopen_mphost, 0);
  lua_pop(L, 1);
  int failed = luaL_dostring(L, script);
  fprintf(failed ? stderr : stdout, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return failed;
}
