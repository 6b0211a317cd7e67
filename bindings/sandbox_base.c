/* sandbox_base.c: basic functions and string.format as a sandbox has them: source is text and is read bit by bit, no
   finalizers, message handlers that do not run without limits, no addresses where results are to be the same always. */
#include <lauxlib.h>
#include <string.h>

#include "binding.h"
#include "sandbox.h"
#include "vm_limits.h"

typedef struct piece {
  const char *text;
  size_t left;
} piece;

/* Gives a source bit by bit: reading it is work, too. */
static const char *read_piece(lua_State *L, void *ud, size_t *size) {
  piece *p = ud;
  const char *text = p->text;
  *size = p->left < 4096 ? p->left : 4096;
  if (*size) pl_charge(L, 1000);
  p->text += *size;
  p->left -= *size;
  return *size ? text : NULL;
}

/* As luaL_loadbufferx, for text. */
int pl_load_text(lua_State *L, const char *source, size_t length, const char *name) {
  piece p = {source, length};
  return lua_load(L, read_piece, &p, name, "t");
}

/* load(chunk, name, mode, env): text alone, as binary chunks can be made to crash the program. A function gives its
   pieces to Lua's own load (the upvalue). */
static int load_text(lua_State *L) {
  lua_settop(L, lua_isnone(L, 4) ? 3 : 4); /* an environment that is nil differs from none */
  lua_pushliteral(L, "t");
  lua_replace(L, 3);
  if (!lua_isstring(L, 1)) {
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
  }
  size_t n;
  const char *text = lua_tolstring(L, 1, &n), *name = luaL_optstring(L, 2, text);
  if (pl_load_text(L, text, n, name) != LUA_OK) {
    luaL_pushfail(L);
    lua_insert(L, -2);
    return 2;
  }
  if (lua_gettop(L) == 5) {
    lua_pushvalue(L, 4);
    if (!lua_setupvalue(L, 5, 1)) lua_pop(L, 1);
  }
  return 1;
}

/* Lua runs finalizers without hooks, so that nothing could stop one: an object whose metatable has no __gc as it is set
   gets none. */
static int set_metatable(lua_State *L) {
  int type = lua_type(L, 2);
  luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
  luaL_checktype(L, 1, LUA_TTABLE);
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
    return luaL_error(L, "cannot change a protected metatable");
  lua_settop(L, 2);
  lua_pushnil(L);
  if (type == LUA_TTABLE) {
    lua_pushliteral(L, "__gc");
    lua_rawget(L, 2);
    lua_replace(L, 3);
  }
  bool finalizer = !lua_isnil(L, 3);
  for (int i = 0; i < 2; i++) { /* out, and back: a field that is there is set without memory */
    if (finalizer) {
      lua_pushliteral(L, "__gc");
      if (i == 0) lua_pushnil(L);
      else lua_pushvalue(L, 3);
      lua_rawset(L, 2);
    }
    if (i > 0) continue;
    lua_pushvalue(L, 2);
    lua_setmetatable(L, 1);
  }
  lua_settop(L, 1);
  return 1;
}

/* The handler of an xpcall; its upvalue is the script's. */
static int handle(lua_State *L) {
  if (pl_hooks_are_off(L)) return 1;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return 1;
}

int pl_protected_call(lua_State *L) {
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, handle, 1);
  lua_replace(L, 2);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

void pl_push_text(lua_State *L, int i) {
  int type = lua_type(L, i);
  bool plain =
      type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNUMBER || type == LUA_TSTRING;
  if (!plain && luaL_getmetafield(L, i, "__tostring") == LUA_TNIL) {
    lua_pushstring(L, luaL_typename(L, i));
    return;
  }
  if (!plain) lua_pop(L, 1);
  luaL_tolstring(L, i, NULL);
}

static int to_string(lua_State *L) {
  luaL_checkany(L, 1);
  pl_push_text(L, 1);
  return 1;
}

int pl_format(lua_State *L) {
  const char *f = luaL_checkstring(L, 1);
  bool pure = pl_sandbox_of(L) == PT_SANDBOX_PURE;
  for (const char *at = f; pure && (at = strchr(at, '%')) != NULL; at++) {
    at += 1 + strspn(at + 1, "-+ #0123456789.");
    if (*at == 'p') return luaL_error(L, "format: '%%p' shows addresses");
    if (*at == 0) break;
  }
  int n = lua_gettop(L);
  for (int i = 2; pure && i <= n; i++) {
    if (lua_type(L, i) == LUA_TNUMBER || lua_type(L, i) == LUA_TSTRING) continue;
    pl_push_text(L, i);
    lua_replace(L, i);
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, n, 1);
  return 1;
}

int pl_random_seed(lua_State *L) {
  if (lua_gettop(L) == 0) lua_pushinteger(L, 1);
  int n = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, n, 0);
  return 0;
}

/* ---- into the globals ---- */

void pl_guard_base(lua_State *L, bool pure) {
  static const char *const gone[] = {"dofile", "loadfile", NULL};
  lua_pushglobaltable(L);
  pl_remove_names(L, gone);
  pl_wrap(L, "load", load_text);
  lua_pushcfunction(L, set_metatable);
  lua_setfield(L, -2, "setmetatable");
  if (pure) {
    lua_pushcfunction(L, to_string);
    lua_setfield(L, -2, "tostring");
  }
  lua_pop(L, 1);
}
