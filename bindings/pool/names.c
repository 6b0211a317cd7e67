/* names.c: what both states have already and is therefore sent by name: the functions and tables of loaded modules,
   and classes that crossed before. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lualib.h>

#include "pack.h"

/* ---- names: "pt.nn\1Linear" is package.loaded["pt.nn"].Linear ---- */

enum { DEPTH = 5, SEPARATOR = '\1' };
static const char names_key, found_key;

static const char *const standard[] = {
    "_G",     "_VERSION",     "assert",   "collectgarbage", "coroutine", "debug",        "dofile",
    "error",  "getmetatable", "io",       "ipairs",         "load",      "loadfile",     "math",
    "next",   "os",           "package",  "pairs",          "pcall",     "print",        "rawequal",
    "rawget", "rawlen",       "rawset",   "require",        "select",    "setmetatable", "string",
    "table",  "tonumber",     "tostring", "type",           "utf8",      "warn",         "xpcall",
    NULL,
};

bool pl_standard_global(const char *name) {
  for (int i = 0; standard[i]; i++)
    if (strcmp(standard[i], name) == 0) return true;
  return false;
}

static bool is_ours(const char *module) {
  return strcmp(module, "pt") == 0 || strncmp(module, "pt.", 3) == 0;
}

/* Whether the worker will find this module as the script did: a library of ours or Lua's, or a file on the path. */
static bool can_load(lua_State *L, const char *module) {
  if (pl_standard_global(module) || is_ours(module)) return true;
  bool found = false;
  const char *const paths[] = {"path", "cpath"};
  int top = lua_gettop(L);
  for (int i = 0; i < 2 && !found; i++) {
    lua_settop(L, top);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_LOADLIBNAME) != LUA_TTABLE) break;
    if (lua_getfield(L, -1, "searchpath") != LUA_TFUNCTION) break;
    lua_pushstring(L, module);
    lua_getfield(L, -3, paths[i]);
    found = lua_pcall(L, 2, 1, 0) == LUA_OK && lua_isstring(L, -1);
  }
  lua_settop(L, top);
  return found;
}

/* Notes what the table on top of the stack holds under `prefix` (a string at index `prefix`); new tables go to the
   list at `queue` with their prefix. Pops the table. */
static lua_Integer note_fields(lua_State *L, int names, int prefix, int queue, lua_Integer n) {
  int table = lua_gettop(L);
  bool globals = lua_rawequal(L, table, names + 1);
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    int type = lua_type(L, -1);
    if (lua_type(L, -2) != LUA_TSTRING || (type != LUA_TFUNCTION && type != LUA_TTABLE)) continue;
    if (globals && (!lua_iscfunction(L, -1) || !pl_standard_global(lua_tostring(L, -2)))) continue;
    lua_pushvalue(L, -1);
    if (lua_rawget(L, names) != LUA_TNIL) {
      lua_pop(L, 1);
      continue;
    }
    lua_pop(L, 1);
    const char step[2] = {SEPARATOR, 0};
    lua_pushvalue(L, prefix);
    lua_pushstring(L, step);
    lua_pushvalue(L, -4);
    lua_concat(L, 3);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, names);
    if (type == LUA_TTABLE) {
      lua_pushvalue(L, -2);
      lua_rawseti(L, queue, ++n);
      lua_rawseti(L, queue, ++n);
    } else {
      lua_pop(L, 1);
    }
  }
  lua_settop(L, table - 1);
  return n;
}

/* Stack: module name, module. What a module of ours holds is looked at if `ours`, others' if not. */
static bool note_module(lua_State *L, int names, int queue, lua_Integer *n, bool ours) {
  int type = lua_type(L, -1);
  const char *name = lua_tostring(L, -2);
  if ((type != LUA_TTABLE && type != LUA_TFUNCTION) || !can_load(L, name)) return false;
  lua_pushvalue(L, -1);
  lua_pushvalue(L, -3);
  lua_rawset(L, names);
  if (type != LUA_TTABLE || strcmp(name, LUA_LOADLIBNAME) == 0 || is_ours(name) != ours)
    return false;
  lua_pushvalue(L, -1);
  lua_rawseti(L, queue, ++*n);
  lua_pushvalue(L, -2);
  lua_rawseti(L, queue, ++*n);
  return true;
}

/* Adds to the table of names at index `names`; the globals stand above it. Breadth first, to a small depth: the names
   found are short. */
static void add_names(lua_State *L, int names, bool ours) {
  lua_newtable(L);
  int queue = lua_gettop(L);
  lua_Integer n = 0, level = 0;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  int loaded = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, loaded); lua_pop(L, 1))
    if (lua_type(L, -2) == LUA_TSTRING) note_module(L, names, queue, &n, ours);
  lua_settop(L, queue);
  lua_Integer ends = n;
  for (lua_Integer i = 1; i <= n; i += 2) {
    if (i > ends) {
      if (++level >= DEPTH) break;
      ends = n;
    }
    lua_rawgeti(L, queue, i + 1);
    lua_rawgeti(L, queue, i);
    n = note_fields(L, names, queue + 1, queue, n);
    lua_settop(L, queue);
  }
  lua_settop(L, names + 1);
}

static lua_Integer count_loaded(lua_State *L) {
  lua_Integer n = 0;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) n++;
  lua_pop(L, 1);
  return n;
}

static void push_new_names(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushglobaltable(L);
  add_names(L, lua_gettop(L) - 1, false);
  lua_pop(L, 1);
}

/* names[0] is the number of modules then, negative once ours are in. The table is made anew when modules were loaded
   since. */
void pl_refresh_names(lua_State *L, bool ours) {
  lua_Integer modules = count_loaded(L), then = 0;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &names_key) == LUA_TTABLE) {
    lua_rawgeti(L, -1, 0);
    then = lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  if (then != modules && then != -modules) {
    lua_pop(L, 1);
    push_new_names(L);
    then = modules;
  }
  if (ours && then > 0) {
    lua_pushglobaltable(L);
    add_names(L, lua_gettop(L) - 1, true);
    lua_pop(L, 1);
    then = -modules;
  }
  lua_pushinteger(L, then);
  lua_rawseti(L, -2, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &names_key);
}

bool pl_may_be_ours(lua_State *L, int i) {
  if (lua_type(L, i) != LUA_TFUNCTION || lua_iscfunction(L, i) || getenv("PT_LUA_PATH"))
    return true;
  lua_Debug ar;
  lua_pushvalue(L, i);
  lua_getinfo(L, ">S", &ar);
  return strncmp(ar.source, "=[pt]", 5) == 0;
}

bool pl_name_of(lua_State *L, int i) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &names_key);
  lua_pushvalue(L, i);
  bool named = lua_rawget(L, -2) == LUA_TSTRING;
  lua_remove(L, -2);
  if (!named) lua_pop(L, 1);
  return named;
}

static const char
    require_key; /* in the registry: `require`, whatever the script does to its globals */

void pl_push_require(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &require_key) != LUA_TNIL) return;
  lua_pop(L, 1);
  lua_getglobal(L, "require");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &require_key);
}

/* The module itself: loaded, or loaded now. */
static void push_module(lua_State *L, const char *name, size_t n) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushlstring(L, name, n);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    lua_pop(L, 1);
    pl_push_require(L);
    lua_pushlstring(L, name, n);
    lua_gc(L, LUA_GCSTOP); /* what modules make stays */
    int status = lua_pcall(L, 1, 1, 0);
    lua_gc(L, LUA_GCRESTART);
    if (status != LUA_OK) lua_error(L);
  }
  lua_remove(L, -2);
}

void pl_push_named(lua_State *L, const char *name, size_t n) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &found_key) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &found_key);
  }
  lua_pushlstring(L, name, n);
  if (lua_rawget(L, -2) != LUA_TNIL) {
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 1);
  const char *end = name + n, *at = memchr(name, SEPARATOR, n);
  push_module(L, name, at ? (size_t)(at - name) : n);
  while (at) {
    const char *key = at + 1;
    at = memchr(key, SEPARATOR, (size_t)(end - key));
    lua_pushlstring(L, key, at ? (size_t)(at - key) : (size_t)(end - key));
    if (!lua_istable(L, -2)) break;
    lua_gettable(L, -2); /* not raw: the module loads a part of it that is asked for */
    lua_remove(L, -2);
  }
  if (at || lua_isnil(L, -1)) {
    lua_pushlstring(L, name, n);
    pl_error(L, PT_ELUA, "unpack: the worker's modules have no '%s'",
             luaL_gsub(L, lua_tostring(L, -1), "\1", "."));
  }
  lua_pushlstring(L, name, n);
  lua_pushvalue(L, -2);
  lua_rawset(L, -4);
  lua_remove(L, -2);
}

/* ---- classes: one id for the process, and a table in each state that has met it ---- */

static atomic_llong last_id;
static const char ids_key, classes_key, foreign_key;

static void push_weak(lua_State *L, const void *key, const char *mode) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushstring(L, mode);
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

static lua_Integer known_id(lua_State *L, int i) {
  push_weak(L, &ids_key, "k");
  lua_pushvalue(L, i);
  lua_rawget(L, -2);
  lua_Integer id = lua_tointeger(L, -1);
  lua_pop(L, 2);
  return id;
}

static bool has_field(lua_State *L, int i, const char *name, int type) {
  lua_pushstring(L, name);
  int got = lua_rawget(L, i);
  lua_pop(L, 1);
  return type == LUA_TNIL ? got != LUA_TNIL : got == type;
}

bool pl_is_class(lua_State *L, int i) {
  return has_field(L, i, "__index", LUA_TNIL) || has_field(L, i, "__name", LUA_TSTRING) ||
      known_id(L, i) != 0;
}

static bool is_foreign(lua_State *L, int i) {
  push_weak(L, &foreign_key, "k");
  lua_pushvalue(L, i);
  bool foreign = lua_rawget(L, -2) != LUA_TNIL;
  lua_pop(L, 2);
  return foreign;
}

void pl_note_class(lua_State *L, lua_Integer id, bool foreign) {
  int class = lua_gettop(L);
  push_weak(L, &ids_key, "k");
  lua_pushvalue(L, class);
  lua_pushinteger(L, id);
  lua_rawset(L, -3);
  push_weak(L, &classes_key, "v");
  lua_pushvalue(L, class);
  lua_rawseti(L, -2, id);
  push_weak(L, &foreign_key, "k");
  lua_pushvalue(L, class);
  if (foreign) lua_pushboolean(L, true);
  else lua_pushnil(L);
  lua_rawset(L, -3);
  lua_settop(L, class);
}

/* Ids of two processes differ: values may cross between them, too (comm/value.c). */
static lua_Integer process_base(void) {
  static atomic_llong base;
  long long known = atomic_load(&base);
  if (known) return known;
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  uint64_t mixed = ((uint64_t)getpid() << 32 ^ (uint64_t)t.tv_nsec ^ (uint64_t)t.tv_sec << 20) *
      0x9E3779B97F4A7C15u;
  long long fresh = (long long)(mixed >> 33 | 1) << 32;
  return atomic_compare_exchange_strong(&base, &known, fresh) ? fresh : known;
}

lua_Integer pl_class_id(lua_State *L, int i, bool *foreign) {
  lua_Integer id = known_id(L, i);
  *foreign = id != 0 && is_foreign(L, i);
  if (id != 0) return id;
  id = process_base() + atomic_fetch_add(&last_id, 1) + 1;
  lua_pushvalue(L, i);
  pl_note_class(L, id, false);
  lua_pop(L, 1);
  return id;
}

bool pl_push_class(lua_State *L, lua_Integer id, bool *home) {
  push_weak(L, &classes_key, "v");
  bool known = lua_rawgeti(L, -1, id) == LUA_TTABLE;
  lua_remove(L, -2);
  *home = known && !is_foreign(L, lua_gettop(L));
  return known;
}
