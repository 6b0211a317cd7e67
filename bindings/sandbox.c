/* sandbox.c: what a sandboxed script is left with. Libraries that reach the system are not opened; of the others, what
   would run for long without an instruction, or show what is none of the script's business, is replaced
   (sandbox_base.c, sandbox_tables.c, pattern.c); and functions of pt.core that reach the process raise. */
#include <lauxlib.h>
#include <lualib.h>

#include "binding.h"
#include "sandbox.h"
#include "vm_limits.h"

/* ---- libraries ---- */

void pl_wrap(lua_State *L, const char *name, lua_CFunction fn) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, fn, 1);
  lua_setfield(L, -2, name);
}

void pl_remove_names(lua_State *L, const char *const *name) {
  for (; *name; name++) {
    lua_pushnil(L);
    lua_setfield(L, -2, *name);
  }
}

static void open_few(lua_State *L) {
  static const luaL_Reg library[] = {
      {LUA_GNAME, luaopen_base},          {LUA_TABLIBNAME, luaopen_table},
      {LUA_STRLIBNAME, luaopen_string},   {LUA_MATHLIBNAME, luaopen_math},
      {LUA_UTF8LIBNAME, luaopen_utf8},    {LUA_COLIBNAME, luaopen_coroutine},
      {LUA_LOADLIBNAME, luaopen_package},
  };
  for (size_t i = 0; i < PTI_COUNT(library); i++) {
    luaL_requiref(L, library[i].name, library[i].func, 1);
    lua_pop(L, 1);
  }
}

/* package.searchers: what is preloaded, the host's modules, and Lua's own where the sandbox leaves them. */
static void set_searchers(lua_State *L, const pl_limits *l) {
  lua_getglobal(L, LUA_LOADLIBNAME);
  lua_getfield(L, -1, "searchers");
  if (l->config.sandbox) {
    for (int i = 4; i >= 2; i--) {
      lua_pushnil(L);
      lua_rawseti(L, -2, i);
    }
  }
  if (l->config.find_module) {
    for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i >= 2; i--) {
      lua_rawgeti(L, -1, i);
      lua_rawseti(L, -2, i + 1);
    }
    lua_pushcfunction(L, pl_find_module);
    lua_rawseti(L, -2, 2);
  }
  lua_pop(L, 2);
}

void pl_open_libraries(lua_State *L) {
  pl_limits *l = pl_limits_of(L);
  pt_sandbox sandbox = l->config.sandbox;
  if (sandbox) open_few(L);
  else luaL_openlibs(L);
  pl_open_protected_calls(L);
  lua_getglobal(L, LUA_STRLIBNAME);
  pl_open_patterns(L);
  lua_pop(L, 1);
  if (sandbox || pl_counts(l)) {
    lua_pushglobaltable(L);
    pl_wrap(L, "xpcall", pl_protected_call);
    lua_pop(L, 1);
  }
  if (sandbox) {
    pl_guard_base(L, sandbox == PT_SANDBOX_PURE);
    pl_guard_strings(L);
    pl_guard_tables(L);
  }
  if (sandbox == PT_SANDBOX_PURE) {
    lua_getglobal(L, LUA_MATHLIBNAME);
    pl_wrap(L, "randomseed", pl_random_seed);
    lua_pop(L, 1);
  }
  pl_open_hooks(L);
  set_searchers(L, l);
}

/* `package` keeps what our scripts ask of it; `require` goes on with the real one. */
void pl_close_sandbox(lua_State *L) {
  if (pl_sandbox_of(L) == PT_SANDBOX_NONE) return;
  lua_createtable(L, 0, 2);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, LUA_LOADLIBNAME);
  lua_setfield(L, -2, "loaded");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_setfield(L, -2, "preload");
  lua_setglobal(L, LUA_LOADLIBNAME);
}

/* ---- pt.core ---- */

static int refuse(lua_State *L) {
  return pl_error(L, PT_EARG, "%s: this sandbox does not allow it",
                  lua_tostring(L, lua_upvalueindex(1)));
}

static void refuse_all(lua_State *L, const char *const *name) {
  for (; *name; name++) {
    if (lua_getfield(L, -1, *name) == LUA_TFUNCTION) {
      lua_pushstring(L, *name);
      lua_pushcclosure(L, refuse, 1);
      lua_setfield(L, -3, *name);
    }
    lua_pop(L, 1);
  }
}

void pl_restrict_core(lua_State *L) {
  static const char *const process[] = {"set_memory_limit",
                                        "set_num_threads",
                                        "set_cpu_level",
                                        "fail_at",
                                        "fail_lua_at",
                                        "try",
                                        "hold_interrupt",
                                        "interrupt_asked",
                                        "release_interrupt",
                                        "end_interrupt",
                                        "listen",
                                        "request",
                                        "answer",
                                        "connect",
                                        "send",
                                        "receive",
                                        "process",
                                        "disconnect",
                                        "stop_script",
                                        "http_open",
                                        "http_find",
                                        "comm_open",
                                        "value_pack",
                                        "value_unpack",
                                        "device_empty_cache",
                                        "device_reset_peak",
                                        "terminal_width",
                                        NULL};
  static const char *const time[] = {"clock", "fresh_seed", "pool_open", "event", NULL};
  pt_sandbox sandbox = pl_sandbox_of(L);
  if (sandbox >= PT_SANDBOX_FILES) refuse_all(L, process);
  if (sandbox >= PT_SANDBOX_IO) refuse_all(L, time);
}
