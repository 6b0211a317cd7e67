/* code_cache.c: the functions of jobs, built in a worker's state, and kept there where they can serve again. */
#include "worker.h"

enum { MOST = 64 /* functions kept; then they are forgotten together */ };
static const char cache_key;

/* Pushes the table of globals for functions of a job that uses the script's: what they write stays with them. */
static void push_env(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushglobaltable(L);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

void pl_build_code(lua_State *L, const pl_job *job) {
  lua_settop(L, 0);
  if (!job->impure) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key) != LUA_TTABLE) {
      lua_pop(L, 1);
      lua_newtable(L);
    }
    lua_pushlstring(L, job->code.data, job->code.n);
    if (lua_rawget(L, 1) == LUA_TTABLE) {
      for (int i = PL_AT_GLOBALS; i <= PL_AT_FUNCTION; i++) lua_rawgeti(L, 2, i);
      lua_remove(L, 1);
      lua_remove(L, 1);
      return;
    }
    lua_settop(L, 0);
  }
  if (job->globals) push_env(L);
  else lua_pushnil(L);
  pl_read_code(L, &job->code, job->globals ? PL_AT_GLOBALS : 0);
  if (job->impure) return;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key) != LUA_TTABLE || lua_rawlen(L, -1) >= MOST) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
  }
  lua_pushlstring(L, job->code.data, job->code.n);
  lua_createtable(L, PL_AT_FUNCTION, 0);
  for (int i = PL_AT_GLOBALS; i <= PL_AT_FUNCTION; i++) {
    lua_pushvalue(L, i);
    lua_rawseti(L, -2, i);
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, -4, (lua_Integer)lua_rawlen(L, -4) + 1); /* counts the entries */
  lua_rawset(L, -3);
  lua_settop(L, PL_AT_FUNCTION);
}
