/* lua_pt.c: luaopen_pt. Makes `pt.core`, the part of the module that is C, and lets `require` find the scripts that
   are packed into the library (or those of PT_LUA_PATH), of which scripts/pt/init.lua makes the module. */
#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#ifdef PT_HAVE_ZLIB
#include <zlib.h>
#endif

#include "binding.h"
#include "vm_limits.h"
#include "pool/pack.h"
#include "mem.h"

/* ---- scripts ---- */

static int load_code(lua_State *L, const pl_script *script, const char *code) {
  return luaL_loadbufferx(L, code, script->size, script->name, "b");
}

#ifdef PT_HAVE_ZLIB
static bool unpack(const pl_script *script, char *code) {
  z_stream z = {.next_in = (void *)(uintptr_t)script->code,
                .avail_in = (uInt)script->stored,
                .next_out = (void *)code,
                .avail_out = (uInt)script->size};
  if (inflateInit2(&z, MAX_WBITS + 16 /* gzip */) != Z_OK) return false;
  bool whole = inflate(&z, Z_FINISH) == Z_STREAM_END;
  inflateEnd(&z);
  return whole;
}

static int load_script_code(lua_State *L, const pl_script *script) {
  if (script->stored == script->size) return load_code(L, script, script->code);
  char *code = malloc(script->size);
  int status = LUA_ERRMEM;
  if (code != NULL && unpack(script, code)) status = load_code(L, script, code);
  else lua_pushliteral(L, "not enough memory");
  free(code);
  return status;
}
#else
static int load_script_code(lua_State *L, const pl_script *script) {
  return load_code(L, script, script->code);
}
#endif

static void push_script(lua_State *L, const pl_script *script) {
  int status = load_script_code(L, script);
  if (status == LUA_OK) return;
  if (status == LUA_ERRMEM) lua_error(L);
  luaL_error(L, "%s; this Lua needs the scripts as text: name their folder in PT_LUA_PATH",
             lua_tostring(L, -1));
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

/* core.scripts_are_packed(): false where PT_LUA_PATH gives others */
static int scripts_are_packed(lua_State *L) {
  const char *folder = getenv("PT_LUA_PATH");
  lua_pushboolean(L, folder == NULL || *folder == 0);
  return 1;
}

/* The loader of a script (upvalue 1): runs it with the arguments that `require` gives. */
static int load_script(lua_State *L) {
  const pl_script *script = lua_touserdata(L, lua_upvalueindex(1));
  int n = lua_gettop(L);
  if (!load_file(L, script->name)) push_script(L, script);
  pl_lend_environment(L);
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

/* Once the state closes, its garbage is no longer searched for memory. */
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
  static void (*const parts[])(lua_State *) = {
      pl_open_error,  pl_open_tensor, pl_open_data,   pl_open_op,     pl_open_grad,
      pl_open_mode,   pl_open_hook,   pl_open_optim,  pl_open_io,     pl_open_blob,
      pl_open_json,   pl_open_system, pl_open_signal, pl_open_listen, pl_open_http,
      pl_open_device, pl_open_stream, pl_open_worker, pl_open_comm,   pl_open_dlpack};
  lua_newtable(L);
  for (size_t i = 0; i < PTI_COUNT(parts); i++) parts[i](L);
  lua_pushcfunction(L, scripts_are_packed);
  lua_setfield(L, -2, "scripts_are_packed");
  pl_restrict_core(L);
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

/* ---- the module on demand ---- */

static const char promised_key; /* in the registry, until the module is there */

void pl_need_module(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &promised_key) != LUA_TNIL) {
    pl_push_require(L);
    lua_pushliteral(L, "pt");
    lua_call(L, 1, 0);
  }
  lua_pop(L, 1);
}

/* The last of package.searchers: `require "pt.nn"` in a state that has not run `require "pt"`. */
static int find_part(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  if (strncmp(name, "pt.", 3) != 0) return 0;
  pl_need_module(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  return lua_getfield(L, -1, name) == LUA_TFUNCTION ? 1 : 0;
}

/* __index of the globals: `pt`, which from then on is an ordinary global. */
static int find_global(lua_State *L) {
  if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "pt") != 0) return 0;
  pl_need_module(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, "pt");
  return 1;
}

/* A module that loaded in part is dropped: the next `require` tries again. */
static void forget_parts(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    if (strcmp(name, "pt") != 0 && strncmp(name, "pt.", 3) != 0) continue;
    lua_pushvalue(L, -2);
    lua_pushnil(L);
    lua_rawset(L, -5);
  }
  lua_pop(L, 1);
}

/* The loader of "pt". The globals lose the metatable that waited for this, unless the script has given them another. */
static int open_promised(lua_State *L) {
  lua_settop(L, 0);
  lua_gc(L, LUA_GCSTOP); /* all that is made here stays */
  lua_pushcfunction(L, luaopen_pt);
  int status = lua_pcall(L, 0, 1, 0);
  lua_gc(L, LUA_GCRESTART);
  if (status != LUA_OK) {
    forget_parts(L);
    return lua_error(L);
  }
  lua_pushglobaltable(L);
  if (luaL_getmetafield(L, 2, "__index") != LUA_TNIL && lua_tocfunction(L, -1) == find_global) {
    lua_pushnil(L);
    lua_setmetatable(L, 2);
    lua_pushvalue(L, 1);
    lua_setfield(L, 2, "pt");
  }
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &promised_key);
  lua_settop(L, 1);
  return 1;
}

void pl_promise_module(lua_State *L) {
  int top = lua_gettop(L);
  pl_push_require(L);
  lua_pushboolean(L, true);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &promised_key);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, open_promised);
  lua_setfield(L, -2, "pt");
  lua_getglobal(L, LUA_LOADLIBNAME);
  lua_getfield(L, -1, "searchers");
  lua_pushcfunction(L, find_part);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pushglobaltable(L);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, find_global);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_settop(L, top);
}
