/* coroutine.c: the functions of Lua's coroutine library that run coroutines, with a note of which one runs: a signal
   that stops the task must reach that one (interrupt.c). */
#include "worker.h"

/* Notes that co runs; returns the one that ran before. */
static lua_State *note_running(lua_State *co) {
  return atomic_exchange(&pl_this_worker()->current, co);
}

enum { RESUMED = 100 /* instructions that a switch counts as */ };

/* lua_resume with a note of which coroutine runs. The number of results, or -1 with the error on top. */
static int resume(lua_State *L, lua_State *co, int nargs) {
  int nresults;
  if (!lua_checkstack(co, nargs)) {
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, co, nargs);
  lua_State *former = note_running(co);
  int status = lua_resume(co, L, nargs, &nresults);
  note_running(former);
  pl_pass_stop_on(L);
  pl_charge(L, RESUMED);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(co, L, 1);
    return -1;
  }
  if (!lua_checkstack(L, nresults + 1)) {
    lua_pop(co, nresults);
    lua_pushliteral(L, "too many results to resume");
    return -1;
  }
  lua_xmove(co, L, nresults);
  return nresults;
}

static int co_resume(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  luaL_argexpected(L, co, 1, "coroutine");
  int n = resume(L, co, lua_gettop(L) - 1);
  lua_pushboolean(L, n >= 0);
  lua_insert(L, n >= 0 ? -(n + 1) : -2);
  return n >= 0 ? n + 1 : 2;
}

static int call_wrapped(lua_State *L) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  int n = resume(L, co, lua_gettop(L));
  if (n >= 0) return n;
  int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) lua_resetthread(co);
  if (lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int co_wrap(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushcclosure(L, call_wrapped, 1);
  return 1;
}

/* coroutine.close runs what is to be closed in the coroutine. */
static int co_close(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  lua_State *former = atomic_load(&pl_this_worker()->current);
  if (co) note_running(co);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  note_running(former);
  pl_pass_stop_on(L);
  return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

void pl_watch_coroutines(lua_State *L) {
  int top = lua_gettop(L);
  if (lua_getglobal(L, "coroutine") == LUA_TTABLE) { /* a state may be without the library */
    lua_pushcfunction(L, co_resume);
    lua_setfield(L, top + 1, "resume");
    lua_pushcfunction(L, co_wrap);
    lua_setfield(L, top + 1, "wrap");
    if (lua_getfield(L, top + 1, "close") != LUA_TNIL) {
      lua_pushcclosure(L, co_close, 1);
      lua_setfield(L, top + 1, "close");
    }
  }
  lua_settop(L, top);
}
