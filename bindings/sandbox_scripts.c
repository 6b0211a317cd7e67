/* sandbox_scripts.c: the globals that the library's own scripts have in a sandbox: a little more than the user's. */
#include <lauxlib.h>
#include <lualib.h>

#include "binding.h"
#include "sandbox.h"
#include "vm_limits.h"

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

static int no_file(lua_State *L) {
  luaL_pushfail(L);
  lua_pushfstring(L, "%s: there are no files in this sandbox", luaL_optstring(L, 1, "the file"));
  return 2;
}

/* file:write(...): to the host, or where it does not listen to stdout, but for PURE. */
static int write(lua_State *L) {
  const pl_limits *l = pl_limits_of(L);
  int n = lua_gettop(L);
  for (int i = 2; i <= n; i++) {
    size_t length;
    const char *text = luaL_checklstring(L, i, &length);
    if (l->config.on_print) l->config.on_print(l->config.ud, text, length);
    else if (l->config.sandbox != PT_SANDBOX_PURE) lua_writestring(text, length);
  }
  lua_settop(L, 1);
  return 1;
}

static void set_file(lua_State *L, const char *name, bool shown) {
  const luaL_Reg methods[] = {{"write", shown ? write : nothing}, {"flush", nothing}, {NULL, NULL}};
  luaL_newlib(L, methods);
  lua_setfield(L, -2, name);
}

/* What messages and plots want of debug, io and os; no script of the user's comes to see it. */
static void make_environment(lua_State *L) {
  static const char *const frames[] = {"getinfo", "getlocal", "traceback"};
  static const luaL_Reg io[] = {{"open", no_file}, {NULL, NULL}},
                        os[] = {{"getenv", nothing}, {"time", nothing}, {NULL, NULL}};
  lua_createtable(L, 0, 32);
  lua_createtable(L, 0, 3);
  lua_pushcfunction(L, luaopen_debug);
  lua_call(L, 0, 1);
  for (size_t i = 0; i < PTI_COUNT(frames); i++) {
    lua_getfield(L, -1, frames[i]);
    lua_setfield(L, -3, frames[i]);
  }
  lua_pop(L, 1);
  lua_setfield(L, -2, "debug");
  luaL_newlib(L, io);
  set_file(L, "stdout", true);
  set_file(L, "stderr", false);
  lua_setfield(L, -2, "io");
  luaL_newlib(L, os);
  lua_setfield(L, -2, "os");
  lua_createtable(L, 0, 1);
  lua_pushglobaltable(L);
  int globals = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, globals);) { /* what a script makes of its own is its business */
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, globals - 2);
  }
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

void pl_lend_environment(lua_State *L) {
  static const char key;
  if (pl_sandbox_of(L) == PT_SANDBOX_NONE) return;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TNIL) {
    lua_pop(L, 1);
    make_environment(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
  }
  if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
}
