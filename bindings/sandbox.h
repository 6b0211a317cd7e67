/* sandbox.h: the parts of a sandbox, and the functions that speak to the host. */
#ifndef PTL_SANDBOX_H
#define PTL_SANDBOX_H

#include <lua.h>
#include <stdbool.h>

/* Puts fn in place of t[name], its upvalue, in the table t on top of the stack. */
void pl_wrap(lua_State *L, const char *name, lua_CFunction fn);
/* Sets fields of the table on top of the stack to nil; the list ends with NULL. */
void pl_remove_names(lua_State *L, const char *const *name);

/* sandbox_base.c, sandbox_tables.c: into the globals, `string`, `table`. */
void pl_guard_base(lua_State *L, bool pure);
void pl_guard_strings(lua_State *L);
void pl_guard_tables(lua_State *L);
/* In place of xpcall, string.format and math.randomseed, which are their upvalues: the handler of an error out of a hook
   is not called; no addresses; without arguments a fixed seed, not the clock. */
int pl_protected_call(lua_State *L);
int pl_format(lua_State *L);
int pl_random_seed(lua_State *L);
/* Pushes luaL_tolstring of the value at i, or where that would show an address, what it is. */
void pl_push_text(lua_State *L, int i);

/* host_hooks.c: print and warnings go to the host where it listens; a searcher of `require` that asks it. */
void pl_open_hooks(lua_State *L);
int pl_find_module(lua_State *L);

#endif
