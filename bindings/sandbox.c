/* sandbox.c: what a sandboxed script is left with. Libraries that reach the system are not opened; of the others, what
   would run for long without an instruction, or show what is none of the script's business, is replaced; and functions
   of pt.core that reach the process raise. Our own scripts run in the same state and live with the same. */
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "binding.h"
#include "vm_limits.h"

enum {
  EACH = 1024,        /* elements moved between two looks at the limits */
  LONG_COPY = 1 << 20 /* bytes copied */
};

/* ---- base ---- */

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

/* xpcall, the upvalue, with that handler. */
static int protected_call(lua_State *L) {
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, handle, 1);
  lua_replace(L, 2);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* Pushes luaL_tolstring of the value at i, or where that would show an address, what it is. */
static void push_text(lua_State *L, int i) {
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
  push_text(L, 1);
  return 1;
}

/* string.format, the upvalue, without addresses. */
static int format(lua_State *L) {
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
    push_text(L, i);
    lua_replace(L, i);
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, n, 1);
  return 1;
}

/* ---- strings ---- */

static int rep(lua_State *L) {
  size_t n, m;
  const char *text = luaL_checklstring(L, 1, &n), *between = luaL_optlstring(L, 3, "", &m);
  lua_Integer times = luaL_checkinteger(L, 2);
  if (times <= 0 || n + m == 0) return lua_pushliteral(L, ""), 1;
  if ((size_t)times > ((size_t)1 << 40) / (n + m))
    return luaL_error(L, "resulting string too large");
  size_t unit = n + m, total = (size_t)times * unit - m, done = unit < total ? unit : total;
  luaL_Buffer b;
  char *to = luaL_buffinitsize(L, &b, total + m);
  memcpy(to, text, n);
  memcpy(to + n, between, m);
  while (done < total) { /* what is there, once more: a multiple of the unit */
    size_t more = done < LONG_COPY ? done : LONG_COPY / unit > 0 ? LONG_COPY / unit * unit : unit;
    if (more > total - done) more = total - done;
    memcpy(to + done, to, more);
    done += more;
    if (more >= LONG_COPY / 2) pl_charge(L, EACH);
  }
  luaL_pushresultsize(&b, total);
  return 1;
}

/* ---- tables ---- */

static void take_pains(lua_State *L, lua_Integer i) {
  if (i % EACH == 0) pl_charge(L, EACH);
}

static int insert(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Integer end = luaL_len(L, 1) + 1, at = end;
  int n = lua_gettop(L);
  if (n != 2 && n != 3) return luaL_error(L, "wrong number of arguments to 'insert'");
  if (n == 3) {
    at = luaL_checkinteger(L, 2);
    luaL_argcheck(L, (lua_Unsigned)at - 1u < (lua_Unsigned)end, 2, "position out of bounds");
    for (lua_Integer i = end; i > at; i--) {
      take_pains(L, i);
      lua_geti(L, 1, i - 1);
      lua_seti(L, 1, i);
    }
  }
  lua_seti(L, 1, at);
  return 0;
}

static int table_remove(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Integer n = luaL_len(L, 1), at = luaL_optinteger(L, 2, n);
  if (lua_gettop(L) > 1)
    luaL_argcheck(L,
                  (lua_Unsigned)n + 1u - (lua_Unsigned)at <= (lua_Unsigned)n || n + 1 == at ||
                      (n == 0 && at == 0),
                  2, "position out of bounds");
  lua_geti(L, 1, at);
  for (; at < n; at++) {
    take_pains(L, at);
    lua_geti(L, 1, at + 1);
    lua_seti(L, 1, at);
  }
  lua_pushnil(L);
  lua_seti(L, 1, at);
  return 1;
}

static int move(lua_State *L) {
  int to = lua_isnoneornil(L, 5) ? 1 : 5;
  lua_Integer f = luaL_checkinteger(L, 2), e = luaL_checkinteger(L, 3), t = luaL_checkinteger(L, 4);
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, to, LUA_TTABLE);
  if (e >= f) {
    luaL_argcheck(L, f > 0 || e < LUA_MAXINTEGER + f, 3, "too many elements to move");
    lua_Integer n = e - f + 1;
    luaL_argcheck(L, t <= LUA_MAXINTEGER - n + 1, 4, "destination wrap around");
    bool up = t > e || t <= f || (to != 1 && !lua_compare(L, 1, to, LUA_OPEQ));
    for (lua_Integer k = 0; k < n; k++) {
      lua_Integer i = up ? k : n - 1 - k;
      take_pains(L, k);
      lua_geti(L, 1, f + i);
      lua_seti(L, to, t + i);
    }
  }
  lua_pushvalue(L, to);
  return 1;
}

static int concat(lua_State *L) {
  size_t m;
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *between = luaL_optlstring(L, 2, "", &m);
  lua_Integer i = luaL_optinteger(L, 3, 1),
              last = lua_isnoneornil(L, 4) ? luaL_len(L, 1) : luaL_checkinteger(L, 4);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (; i <= last; i++) {
    take_pains(L, i);
    lua_geti(L, 1, i);
    if (!lua_isstring(L, -1))
      return luaL_error(L, "invalid value (at index %I) in table for 'concat'", (LUAI_UACINT)i);
    luaL_addvalue(&b);
    if (i == last) break; /* the highest integer there is */
    luaL_addlstring(&b, between, m);
  }
  luaL_pushresult(&b);
  return 1;
}

static int is_less(lua_State *L) {
  pl_charge(L, 1);
  lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
  return 1;
}

/* table.sort, the upvalue, always with a function that counts; Lua's own counts by itself. */
static int sort(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  bool counted = !lua_isnoneornil(L, 2);
  if (counted) luaL_checktype(L, 2, LUA_TFUNCTION);
  if (counted && lua_iscfunction(L, 2))
    return pl_error(L, PT_EARG, "sort: the comparison must be a Lua function in this sandbox");
  lua_settop(L, 2);
  if (!counted) {
    lua_pushcfunction(L, is_less);
    lua_replace(L, 2);
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 2, 0);
  return 0;
}

/* ---- numbers ---- */

/* math.randomseed, the upvalue: without arguments it would ask the clock. */
static int random_seed(lua_State *L) {
  if (lua_gettop(L) == 0) lua_pushinteger(L, 1);
  int n = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, n, 0);
  return 0;
}

/* ---- what a host is told ---- */

static int print(lua_State *L) {
  const pl_limits *l = pl_limits_of(L);
  bool pure = l->config.sandbox == PT_SANDBOX_PURE;
  int n = lua_gettop(L);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (int i = 1; i <= n; i++) {
    if (i > 1) luaL_addchar(&b, '\t');
    if (pure) push_text(L, i);
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

/* A searcher of `require`: the host knows the module. */
static int find_module(lua_State *L) {
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

/* ---- libraries ---- */

static void set_closure(lua_State *L, const char *name, lua_CFunction fn) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, fn, 1);
  lua_setfield(L, -2, name);
}

static void remove_names(lua_State *L, const char *const *name) {
  for (; *name; name++) {
    lua_pushnil(L);
    lua_setfield(L, -2, *name);
  }
}

static void guard_base(lua_State *L, bool pure) {
  static const char *const gone[] = {"dofile", "loadfile", NULL};
  lua_pushglobaltable(L);
  remove_names(L, gone);
  set_closure(L, "load", load_text);
  lua_pushcfunction(L, set_metatable);
  lua_setfield(L, -2, "setmetatable");
  if (pure) {
    lua_pushcfunction(L, to_string);
    lua_setfield(L, -2, "tostring");
  }
  lua_pop(L, 1);
}

static void guard_strings(lua_State *L) {
  static const char *const gone[] = {"dump", NULL};
  lua_getglobal(L, LUA_STRLIBNAME);
  remove_names(L, gone);
  pl_open_patterns(L);
  lua_pushcfunction(L, rep);
  lua_setfield(L, -2, "rep");
  set_closure(L, "format", format);
  lua_pop(L, 1);
}

static void guard_tables(lua_State *L) {
  static const luaL_Reg functions[] = {{"insert", insert},
                                       {"remove", table_remove},
                                       {"move", move},
                                       {"concat", concat},
                                       {NULL, NULL}};
  lua_getglobal(L, LUA_TABLIBNAME);
  luaL_setfuncs(L, functions, 0);
  set_closure(L, "sort", sort);
  lua_pop(L, 1);
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
    lua_pushcfunction(L, find_module);
    lua_rawseti(L, -2, 2);
  }
  lua_pop(L, 2);
}

void pl_open_libraries(lua_State *L) {
  pl_limits *l = pl_limits_of(L);
  pt_sandbox sandbox = l->config.sandbox;
  if (sandbox) open_few(L);
  else luaL_openlibs(L);
  if (sandbox || pl_counts(l)) {
    lua_pushglobaltable(L);
    set_closure(L, "xpcall", protected_call);
    lua_pop(L, 1);
  }
  if (sandbox) {
    guard_base(L, sandbox == PT_SANDBOX_PURE);
    guard_strings(L);
    guard_tables(L);
  }
  if (sandbox == PT_SANDBOX_PURE) {
    lua_getglobal(L, LUA_MATHLIBNAME);
    set_closure(L, "randomseed", random_seed);
    lua_pop(L, 1);
  }
  if (l->config.on_print || sandbox == PT_SANDBOX_PURE) {
    lua_pushcfunction(L, print);
    lua_setglobal(L, "print");
  }
  if (l->config.on_log) lua_setwarnf(L, warn, l);
  else if (sandbox == PT_SANDBOX_PURE) lua_setwarnf(L, NULL, NULL);
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

/* ---- the globals of our own scripts ---- */

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
                                        "hold_interrupt",
                                        "interrupt_asked",
                                        "release_interrupt",
                                        "listen",
                                        "request",
                                        "answer",
                                        "connect",
                                        "send",
                                        "receive",
                                        "process",
                                        "disconnect",
                                        "stop_script",
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
