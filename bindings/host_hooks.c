/* host_hooks.c: what scripts say to the host through the functions of its configuration: print, warnings, modules. */
#include <lauxlib.h>

#include "binding.h"
#include "sandbox.h"
#include "vm_limits.h"

static int print(lua_State *L) {
  const pl_limits *l = pl_limits_of(L);
  bool pure = l->config.sandbox == PT_SANDBOX_PURE;
  int n = lua_gettop(L);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (int i = 1; i <= n; i++) {
    if (i > 1) luaL_addchar(&b, '\t');
    if (pure) pl_push_text(L, i);
    else luaL_tolstring(L, i, NULL);
    luaL_addvalue(&b);
  }
  luaL_addchar(&b, '\n');
  luaL_pushresult(&b);
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  if (l->config.on_print) l->config.on_print(l->config.ud, text, length);
  return 0;
}

/* Pieces of a warning come one by one; they are gathered until the last. */
static void warn(void *ud, const char *text, int more) {
  static _Thread_local char line[1024];
  static _Thread_local size_t n;
  const pl_limits *l = ud;
  for (; *text && n + 1 < sizeof line; text++) line[n++] = *text;
  if (more) return;
  line[n] = 0;
  n = 0;
  l->config.on_log(l->config.ud, line);
}

int pl_find_module(lua_State *L) {
  const pl_limits *l = pl_limits_of(L);
  const char *name = luaL_checkstring(L, 1);
  size_t length = 0;
  const char *source = l->config.find_module(l->config.ud, name, &length);
  if (source == NULL) return lua_pushfstring(L, "the host has no module '%s'", name), 1;
  if (pl_load_text(L, source, length, lua_pushfstring(L, "@%s", name)) != LUA_OK)
    return luaL_error(L, "error loading module '%s' from the host:\n\t%s", name,
                      lua_tostring(L, -1));
  lua_pushliteral(L, ":host:");
  return 2;
}

void pl_open_hooks(lua_State *L) {
  pl_limits *l = pl_limits_of(L);
  bool pure = l->config.sandbox == PT_SANDBOX_PURE;
  if (l->config.on_print || pure) {
    lua_pushcfunction(L, print);
    lua_setglobal(L, "print");
  }
  if (l->config.on_log) lua_setwarnf(L, warn, l);
  else if (pure) lua_setwarnf(L, NULL, NULL);
}
