/* job.c: what scripts/pt/pool.lua is made of: pools and jobs as Lua objects.

   core.pool_open(n, initializer, memory_limit, name) -> pool
   core.pool_submit(pool, op, fn, tasks, options) -> job       tasks: a list of values, or of lists ({star = true})
   core.job_take(job, ordered, seconds, values, errors) -> first, last | nil: not yet | false: nothing left to come
   core.jobs_wait(jobs, seconds) -> places of those that job_take would not wait for
   core.job_cancel(job), core.pool_close(pool, terminate), core.pool_join(pool, seconds), core.worker_id() */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lualib.h>

#include "rng.h"
#include "worker.h"

static const char pool_type[] = "pt.core.pool", job_type[] = "pt.core.job";

typedef struct pool_box {
  pl_pool *pool;
} pool_box;
typedef struct job_box {
  pl_job *job;
  int64_t cursor; /* tasks before it were taken, in order */
  int64_t taken;
} job_box;

static pl_pool *check_pool(lua_State *L, int i) {
  pool_box *box = luaL_checkudata(L, i, pool_type);
  return box->pool;
}
static job_box *check_job(lua_State *L, int i) { return luaL_checkudata(L, i, job_type); }

/* ---- pools ---- */

static char *copy_path(lua_State *L, const char *field) {
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  char *copy = NULL;
  if (lua_getfield(L, -1, LUA_LOADLIBNAME) == LUA_TTABLE &&
      lua_getfield(L, -1, field) == LUA_TSTRING)
    copy = strdup(lua_tostring(L, -1));
  return copy ? copy : strdup("");
}

static int pool_open(lua_State *L) {
  int n = (int)luaL_checkinteger(L, 1);
  const char *name = luaL_optstring(L, 4, "pool");
  lua_settop(L, 4);
  pool_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->pool = NULL;
  luaL_setmetatable(L, pool_type);
  pl_pool *pool = (pl_pool *)(void *)pti_workers_new(n, sizeof(pl_pool), &pl_worker_kind);
  box->pool = pool;
  if (pool == NULL) pl_raise(L);
  pool->memory_limit = (size_t)luaL_optinteger(L, 3, 0);
  pl_limits *limits = pl_limits_of(L);
  pool->limits = limits ? pl_limits_retain(limits)
                        : pl_limits_new(&(pt_vm_config){.size = sizeof(pt_vm_config)});
  if (pool->limits == NULL) pl_raise(L);
  pool->path = copy_path(L, "path");
  pool->cpath = copy_path(L, "cpath");
  if (pool->path == NULL || pool->cpath == NULL) return pl_error(L, PT_EMEMORY, "pool: no memory");
  snprintf(pool->base.name, sizeof pool->base.name, "%s", name);
  lua_settop(L, 5);
  if (!lua_isnil(L, 2)) {
    pl_packer p;
    pl_pack_begin(&p, L, "pool", &pool->initializer, NULL);
    p.private_writes = true;
    pl_pack_function(&p, 2);
  }
  lua_settop(L, 5);
  if (!pti_workers_start(&pool->base)) {
    box->pool = NULL;
    pti_workers_release(&pool->base);
    pl_raise(L);
  }
  return 1;
}

static int pool_close(lua_State *L) {
  pti_workers_close(&check_pool(L, 1)->base, lua_toboolean(L, 2));
  return 0;
}

static int pool_join(lua_State *L) {
  pl_pool *pool = check_pool(L, 1);
  bool ended = pti_workers_join(&pool->base, luaL_optnumber(L, 2, HUGE_VAL));
  if (!ended && !pti_poll()) pl_raise(L);
  lua_pushboolean(L, ended);
  return 1;
}

/* A worker that is blocked in a system call gets one second to return; then it is left behind. */
static int pool_gc(lua_State *L) {
  pool_box *box = luaL_checkudata(L, 1, pool_type);
  if (box->pool == NULL) return 0;
  pti_workers_close(&box->pool->base, true);
  if (!pti_workers_join(&box->pool->base, 1)) pti_workers_abandon(&box->pool->base);
  pti_workers_release(&box->pool->base);
  box->pool = NULL;
  return 0;
}

static int pool_size(lua_State *L) {
  lua_pushinteger(L, check_pool(L, 1)->base.n);
  return 1;
}

static int worker_id(lua_State *L) {
  const pti_worker *w = pti_this.worker;
  lua_pushinteger(L, w ? w->id : 0);
  return 1;
}

static int seed(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)pti_default_generator()->seed);
  return 1;
}

/* ---- jobs ---- */

static bool flag(lua_State *L, int options, const char *name) {
  lua_getfield(L, options, name);
  bool on = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return on;
}
static lua_Integer integer(lua_State *L, int options, const char *name) {
  lua_getfield(L, options, name);
  lua_Integer k = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return k;
}

/* The list of arguments at index `value`. */
static void pack_arguments(pl_packer *p, int value, lua_Integer shown) {
  lua_State *L = p->L;
  if (!lua_istable(L, value))
    pl_error(L, PT_EARG, "%s: task %lld must be a list of arguments, got %s", p->op,
             (long long)shown, pl_describe(L, value));
  lua_getfield(L, value, "n");
  lua_Integer n = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : (lua_Integer)lua_rawlen(L, value);
  lua_pop(L, 1);
  for (lua_Integer k = 1; k <= n; k++) {
    lua_rawgeti(L, value, k);
    pl_pack_value(p, value + 1, "task %lld argument %lld", (long long)shown, (long long)k);
    lua_pop(L, 1);
  }
}

/* Whether the lists of arguments at a and b, which is on top, hold the same values. */
static bool same_arguments(lua_State *L, int a, int b) {
  if (!lua_istable(L, a) || !lua_istable(L, b)) return false;
  bool same = lua_getfield(L, a, "n") == LUA_TNIL && lua_getfield(L, b, "n") == LUA_TNIL;
  lua_Unsigned n = lua_rawlen(L, a);
  same = same && n == lua_rawlen(L, b);
  for (lua_Unsigned k = 1; same && k <= n; k++) {
    lua_settop(L, b);
    lua_rawgeti(L, a, (lua_Integer)k);
    lua_rawgeti(L, b, (lua_Integer)k);
    same = lua_rawequal(L, -2, -1);
  }
  lua_settop(L, b);
  return same;
}

/* Task i is packed as the one before it. */
static void repeat(lua_State *L, pl_job *job, int64_t i) {
  size_t n = job->offset[i] - job->offset[i - 1];
  if (n > job->args.cap - job->args.n)
    pl_grow(L, &job->args, n); /* first: it may move what is read */
  pl_put(L, &job->args, job->args.data + job->offset[i - 1], n);
}

static void pack_job(lua_State *L, pl_job *job, const char *op, int function, int tasks,
                     int options) {
  pl_packer p;
  pl_pack_begin(&p, L, op, &job->code, &job->args);
  p.private_writes = flag(L, options, "private");
  pl_pack_function(&p, function);
  bool star = flag(L, options, "star");
  lua_Integer shown = integer(L, options, "first");
  lua_pushnil(L); /* the list of the task before */
  int top = lua_gettop(L);
  bool raw = !lua_getmetatable(L, tasks);
  for (int64_t i = 0; i < job->base.n; i++) {
    lua_settop(L, top);
    int type = raw ? lua_rawgeti(L, tasks, i + 1) : lua_geti(L, tasks, i + 1);
    pl_pack_group(&p);
    if (type == LUA_TNUMBER && !star) pl_pack_number(L, &job->args, top + 1);
    else if (star && same_arguments(L, top, top + 1)) repeat(L, job, i);
    else if (star) pack_arguments(&p, top + 1, shown + i + 1);
    else pl_pack_value(&p, top + 1, "task %lld argument", (long long)(shown + i + 1));
    job->offset[i + 1] = job->args.n;
    lua_settop(L, top + 1);
    lua_replace(L, top);
  }
  lua_settop(L, top);
  pl_pack_flush(&p);
  job->impure = p.impure;
  job->globals = p.globals;
}

static bool is_path(lua_State *L, const char *field, const char *path) {
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  bool same = lua_getfield(L, -1, LUA_LOADLIBNAME) != LUA_TTABLE ||
      lua_getfield(L, -1, field) != LUA_TSTRING || strcmp(lua_tostring(L, -1), path) == 0;
  lua_settop(L, 6);
  return same;
}

static void note_paths(lua_State *L, pl_job *job) {
  const pl_pool *pool = (const pl_pool *)(void *)job->base.pool;
  if (is_path(L, "path", pool->path) && is_path(L, "cpath", pool->cpath)) return;
  job->path = copy_path(L, "path");
  job->cpath = copy_path(L, "cpath");
  if (job->path == NULL || job->cpath == NULL) pl_error(L, PT_EMEMORY, "pool: no memory");
}

static void drop_job(pti_job *base) {
  pl_job *job = (pl_job *)(void *)base;
  pti_packet_free(&job->code);
  pti_packet_free(&job->args);
  free(job->path);
  free(job->cpath);
}

static pl_job *new_job(pl_pool *pool, lua_Integer n) {
  if (n < 0 || (uint64_t)n >= SIZE_MAX / 16)
    return pti_fail(PT_EMEMORY, "pool: out of memory for %lld tasks", (long long)n);
  size_t size = sizeof(pl_job) + ((size_t)n + 1) * sizeof(size_t);
  return (pl_job *)(void *)pti_job_new(&pool->base, n, size, drop_job);
}

/* The box keeps the pool's object alive, and the objects of the code: classes in it may come back by number. */
static int pool_submit(lua_State *L) {
  pl_pool *pool = check_pool(L, 1);
  const char *op = luaL_checkstring(L, 2);
  luaL_checktype(L, 4, LUA_TTABLE);
  luaL_checktype(L, 5, LUA_TTABLE);
  lua_settop(L, 5);
  lua_Integer n = integer(L, 5, "n");
  job_box *box = lua_newuserdatauv(L, sizeof *box, 2);
  *box = (job_box){0};
  luaL_setmetatable(L, job_type);
  if (pool == NULL) return pl_error(L, PT_EARG, "%s: the pool is closed", op);
  pl_job *job = box->job = new_job(pool, n);
  if (job == NULL) pl_raise(L);
  job->base.chunk = integer(L, 5, "chunksize");
  job->many = flag(L, 5, "many");
  job->collect = flag(L, 5, "collect");
  job->seed = (uint64_t)integer(L, 5, "seed");
  job->stream = ((uint64_t)integer(L, 5, "call") << 32) + (uint64_t)integer(L, 5, "first") + 1;
  job->deadline = pti_this.deadline;
  if (pool->limits->config.sandbox == PT_SANDBOX_NONE) note_paths(L, job);
  lua_settop(L, 6);
  pack_job(L, job, op, 3, 4, 5);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, 6, 1);
  lua_pushvalue(L, 7); /* pl_pack_begin's first slot */
  lua_setiuservalue(L, 6, 2);
  lua_settop(L, 6);
  if (!pti_job_queue(&job->base)) {
    pti_error_prefix(op);
    pl_raise(L);
  }
  return 1;
}

static int job_gc(lua_State *L) {
  job_box *box = check_job(L, 1);
  if (box->job == NULL) return 0;
  if (box->taken < box->job->base.n) pti_job_cancel(&box->job->base);
  pti_job_release(&box->job->base);
  box->job = NULL;
  return 0;
}

static int job_cancel(lua_State *L) {
  job_box *box = check_job(L, 1);
  if (box->job) pti_job_cancel(&box->job->base);
  return 0;
}

/* ---- results ---- */

typedef struct chunk_box {
  pti_chunk *chunk;
} chunk_box;
static const char chunk_type[] = "pt.core.chunk";

static int chunk_gc(lua_State *L) {
  chunk_box *box = luaL_checkudata(L, 1, chunk_type);
  pti_chunk_free(box->chunk);
  box->chunk = NULL;
  return 0;
}

/* {n = number of results, ...} */
static void read_results(pl_reader *r) {
  lua_State *L = r->L;
  pl_read_value(r);
  lua_Integer n = lua_tointeger(L, -1);
  lua_createtable(L, (int)n, 1);
  lua_insert(L, -2);
  lua_setfield(L, -2, "n");
  for (lua_Integer k = 1; k <= n; k++) {
    pl_read_value(r);
    lua_rawseti(L, -2, k);
  }
}

/* Reads the outcome of one task: into values[i], or into errors[i] = {message, traceback, worker, value}. */
static void read_task(pl_reader *r, bool many, int values, int errors, lua_Integer i) {
  static const char *const fields[] = {"message", "traceback", "worker", "value"};
  lua_State *L = r->L;
  pl_read_group(r);
  int what = pl_read_byte(r);
  if (what == PL_DONE) {
    if (many) read_results(r);
    else pl_read_value(r);
    lua_rawseti(L, values, i);
    return;
  }
  lua_createtable(L, 0, 4);
  if (what == PL_LOST) {
    lua_pushliteral(L, "not enough memory, nor any to say for what");
    lua_setfield(L, -2, "message");
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "traceback");
    lua_pushinteger(L, 0);
    lua_setfield(L, -2, "worker");
  }
  for (int k = 0; k < 4 && what == PL_FAILED; k++) {
    pl_read_value(r);
    lua_setfield(L, -2, fields[k]);
  }
  lua_rawseti(L, errors, i);
}

static int raise_broken(lua_State *L, pti_worker_pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  const char *why = pool->broken;
  pthread_mutex_unlock(&pool->mutex);
  return why ? pl_error(L, PT_ELUA, "pool: %s", why) : 0;
}

/* core.new_list(n) -> {n = n} with room for n values */
static int new_list(lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 1);
  lua_createtable(L, n > 0 && n < 1 << 26 ? (int)n : 0, 1);
  lua_pushinteger(L, n);
  lua_setfield(L, -2, "n");
  return 1;
}

static int job_take(lua_State *L) {
  job_box *box = check_job(L, 1);
  bool ordered = lua_toboolean(L, 2), over;
  double seconds = luaL_optnumber(L, 3, HUGE_VAL);
  lua_settop(L, 5);
  if (box->job == NULL) return pl_error(L, PT_EARG, "pool: the job was dropped");
  chunk_box *taken = lua_newuserdatauv(L, sizeof *taken, 0);
  taken->chunk = NULL;
  luaL_setmetatable(L, chunk_type);
  pti_chunk *chunk = taken->chunk =
      pti_job_take(&box->job->base, ordered, box->cursor, seconds, &over);
  if (chunk == NULL) {
    if (!over && !pti_poll()) {
      pti_job_cancel(&box->job->base);
      pl_raise(L);
    }
    if (over && !atomic_load(&box->job->base.cancelled)) raise_broken(L, box->job->base.pool);
    if (over) lua_pushboolean(L, false);
    else lua_pushnil(L);
    return 1;
  }
  box->cursor = chunk->hi;
  box->taken += chunk->hi - chunk->lo;
  pl_reader r;
  pl_read_begin(&r, L, &chunk->packet, 0, 0, false);
  for (int64_t i = chunk->lo; i < chunk->hi; i++) read_task(&r, box->job->many, 4, 5, i + 1);
  lua_pushinteger(L, chunk->lo + 1);
  lua_pushinteger(L, chunk->hi);
  pti_chunk_free(chunk);
  taken->chunk = NULL;
  return 2;
}

/* core.jobs_wait(jobs, seconds) -> list of the places of those that job_take would not wait for */
static int jobs_wait(lua_State *L) {
  double seconds = luaL_optnumber(L, 2, HUGE_VAL);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  int n = (int)lua_rawlen(L, 1);
  size_t each = sizeof(pti_job *) + sizeof(int64_t) + sizeof(bool);
  pti_job **job = lua_newuserdatauv(L, (size_t)n * each, 0);
  int64_t *cursor = (int64_t *)(job + n);
  bool *ready = (bool *)(cursor + n);
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, 1, i + 1);
    const job_box *box = check_job(L, -1);
    if (box->job == NULL) return pl_error(L, PT_EARG, "pool: the job was dropped");
    job[i] = &box->job->base;
    cursor[i] = box->cursor;
    lua_pop(L, 1);
  }
  pti_jobs_wait(job, cursor, ready, n, seconds);
  lua_newtable(L);
  lua_Integer k = 0;
  for (int i = 0; i < n; i++) {
    if (!ready[i]) continue;
    lua_pushinteger(L, i + 1);
    lua_rawseti(L, -2, ++k);
  }
  if (k == 0 && !pti_poll()) return pl_raise(L);
  return 1;
}

void pl_open_worker(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"pool_open", pool_open}, {"pool_submit", pool_submit}, {"pool_close", pool_close},
      {"pool_join", pool_join}, {"pool_size", pool_size},     {"job_take", job_take},
      {"jobs_wait", jobs_wait}, {"new_list", new_list},       {"job_cancel", job_cancel},
      {"worker_id", worker_id}, {"pool_seed", seed},          {NULL, NULL},
  };
  pl_new_type(L, pool_type, pool_gc);
  pl_new_type(L, job_type, job_gc);
  pl_new_type(L, chunk_type, chunk_gc);
  lua_pop(L, 3);
  luaL_setfuncs(L, functions, 0);
  pl_open_channel(L);
}
