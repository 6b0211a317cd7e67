/* sandbox_tables.c: string.rep and the functions of `table` as a sandbox has them: what would run for long without an
   instruction looks at the limits meanwhile. */
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "binding.h"
#include "sandbox.h"
#include "vm_limits.h"

enum {
  EACH = 1024,        /* elements moved between two looks at the limits */
  LONG_COPY = 1 << 20 /* bytes copied */
};

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

/* ---- into the globals ---- */

void pl_guard_strings(lua_State *L) {
  static const char *const gone[] = {"dump", NULL};
  lua_getglobal(L, LUA_STRLIBNAME);
  pl_remove_names(L, gone);
  lua_pushcfunction(L, rep);
  lua_setfield(L, -2, "rep");
  pl_wrap(L, "format", pl_format);
  lua_pop(L, 1);
}

void pl_guard_tables(lua_State *L) {
  static const luaL_Reg functions[] = {{"insert", insert},
                                       {"remove", table_remove},
                                       {"move", move},
                                       {"concat", concat},
                                       {NULL, NULL}};
  lua_getglobal(L, LUA_TABLIBNAME);
  luaL_setfuncs(L, functions, 0);
  pl_wrap(L, "sort", sort);
  lua_pop(L, 1);
}
