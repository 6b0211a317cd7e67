/* worker.c: what a thread of a pool does: it opens a Lua state, runs chunks of jobs in it (task.c) and closes it. */
#include "worker.h"

#include <lualib.h>
#include <stdlib.h>

static int no_exit(lua_State *L) {
  return luaL_error(L, "os.exit does not work in a worker; return or raise instead");
}

static void replace_exit(lua_State *L) {
  if (lua_getglobal(L, "os") == LUA_TTABLE) { /* a state may be without the library */
    lua_pushcfunction(L, no_exit);
    lua_setfield(L, -2, "exit");
  }
  lua_pop(L, 1);
}

static int run_initializer(lua_State *L, const pti_packet *code) {
  if (code->n == 0) return 0;
  lua_pushglobaltable(L);
  pl_read_code(L, code, lua_gettop(L));
  lua_call(L, 0, 0);
  return 0;
}

void pl_set_paths(lua_State *L, const char *path, const char *cpath) {
  int top = lua_gettop(L);
  if (lua_getglobal(L, LUA_LOADLIBNAME) == LUA_TTABLE) {
    lua_pushstring(L, path);
    lua_setfield(L, -2, "path");
    lua_pushstring(L, cpath);
    lua_setfield(L, -2, "cpath");
  }
  lua_settop(L, top);
}

static int set_up(lua_State *L) {
  lua_settop(L, 0);
  const pl_pool *pool = pl_pool_of(pl_this_worker());
  replace_exit(L);
  pl_watch_coroutines(L);
  pl_find_generator(L);
  if (pool->limits->config.sandbox == PT_SANDBOX_NONE) pl_set_paths(L, pool->path, pool->cpath);
  return run_initializer(L, &pool->initializer);
}

static bool open_worker(pti_worker *base) {
  pl_worker *w = (pl_worker *)(void *)base;
  pl_pool *pool = pl_pool_of(w);
  pt_set_index_base(1);
  pl_limits_enter(pool->limits);
  w->L = pl_open_lazy_state(pool->limits, pool->memory_limit);
  if (w->L == NULL) {
    pti_workers_break(&pool->base, "worker %d could not start: %s", base->id, pt_error());
    return false;
  }
  pti_this.account = pl_account_of(w->L);
  lua_pushcfunction(w->L, set_up);
  if (lua_pcall(w->L, 0, 0, 0) != LUA_OK) {
    const char *why = lua_tostring(w->L, -1);
    pti_workers_break(&pool->base, "the initializer failed in worker %d: %s", base->id,
                      why ? why : "an error value");
    return false;
  }
  atomic_store(&w->current, w->L);
  pl_allow_stop(true);
  return true;
}

static void tidy_worker(pti_worker *w) { lua_gc(((pl_worker *)(void *)w)->L, LUA_GCCOLLECT); }

static void close_worker(pti_worker *base) {
  pl_worker *w = (pl_worker *)(void *)base;
  pl_allow_stop(false);
  atomic_store(&w->current, NULL);
  pti_this.deadline = 0; /* finalizers do their work */
  if (w->L) lua_close(w->L);
  pti_this.account = NULL;
  pti_this.files = NULL; /* the pool's limits may end before the thread */
}

static void drop_pool(pti_worker_pool *base) {
  pl_pool *pool = (pl_pool *)(void *)base;
  pti_packet_free(&pool->initializer);
  free(pool->path);
  free(pool->cpath);
  pl_limits_release(pool->limits);
}

const pti_worker_kind pl_worker_kind = {
    .size = sizeof(pl_worker),
    .open = open_worker,
    .run = pl_run_tasks,
    .stop = pl_stop_worker,
    .tidy = tidy_worker,
    .close = close_worker,
    .drop = drop_pool,
};
