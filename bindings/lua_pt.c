/* lua_pt.c: luaopen_pt. Makes `pt.core`, the part of the module that is C, and lets `require` find the scripts that
   are packed into the library (or those of PT_LUA_PATH), of which scripts/pt/init.lua makes the module. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "mem.h"

/* ---- scripts ---- */

/* "=[pt]/nn/module.lua" for pt.nn.module: what messages and tracebacks call it. */
static void push_chunk_name(lua_State *L, const char *name) {
  const char *inner = name[2] ? name + 3 : "init";
  lua_pushfstring(L, "=[pt]/%s.lua", luaL_gsub(L, inner, ".", "/"));
  lua_remove(L, -2);
}

/* Loads PT_LUA_PATH/pt/nn/module.lua or .../module/init.lua where there is one. */
static bool load_file(lua_State *L, const char *name) {
  static const char *const ends[] = {".lua", "/init.lua"};
  const char *folder = getenv("PT_LUA_PATH");
  if (folder == NULL || *folder == 0) return false;
  const char *stem = luaL_gsub(L, name, ".", "/");
  for (size_t i = 0; i < PTI_COUNT(ends); i++) {
    int status = luaL_loadfilex(L, lua_pushfstring(L, "%s/%s%s", folder, stem, ends[i]), "t");
    if (status == LUA_OK) return true;
    if (status != LUA_ERRFILE) lua_error(L);
  }
  return false;
}

/* The loader of a script (upvalue 1): runs it with the arguments that `require` gives. */
static int load_script(lua_State *L) {
  const pl_script *script = lua_touserdata(L, lua_upvalueindex(1));
  int n = lua_gettop(L);
  if (!load_file(L, script->name)) {
    push_chunk_name(L, script->name);
    const char *name = lua_tostring(L, -1);
    if (luaL_loadbufferx(L, script->text, script->size, name, "t") != LUA_OK) return lua_error(L);
  }
  lua_insert(L, 1);
  lua_settop(L, n + 1);
  lua_call(L, n, 1);
  return 1;
}

/* package.preload[name] for every script but the first, "pt" itself. */
static void preload(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  for (const pl_script *s = pl_scripts; s->name; s++) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)s);
    lua_pushcclosure(L, load_script, 1);
    lua_setfield(L, -2, s->name);
  }
  lua_pop(L, 1);
}

/* ---- memory ---- */

static void collect(void *L) { lua_gc(L, LUA_GCCOLLECT); }

/* When the state closes, nothing may look for memory in it. */
static int forget_state(lua_State *L) {
  (void)L;
  pti_set_pressure(NULL, NULL);
  return 0;
}

/* Tensors that find no memory look for it in this state's garbage. Hosts and workers, which know which state runs, set
   this for themselves. */
static void offer_garbage(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  pti_set_pressure(collect, lua_tothread(L, -1));
  lua_pop(L, 1);
  lua_newuserdatauv(L, 0, 0);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, forget_state);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_setfield(L, LUA_REGISTRYINDEX, "pt.garbage");
}

/* ---- the module ---- */

/* Pushes pt.core, and leaves it in package.loaded. */
static void push_core(lua_State *L) {
  static void (*const parts[])(lua_State *) = {pl_open_error, pl_open_tensor, pl_open_data,
                                               pl_open_op,    pl_open_grad,   pl_open_optim,
                                               pl_open_io,    pl_open_system, pl_open_worker};
  lua_newtable(L);
  for (size_t i = 0; i < PTI_COUNT(parts); i++) parts[i](L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "pt.core");
  lua_pop(L, 1);
}

int luaopen_pt(lua_State *L) {
  pt_set_index_base(1);
  offer_garbage(L);
  push_core(L);
  preload(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_getfield(L, -1, "pt");
  lua_newtable(L); /* the module: there before its scripts, which require it */
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "pt");
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  lua_insert(L, -3);
  lua_call(L, 1, 0);
  return 1;
}
