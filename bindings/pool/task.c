/* task.c: the tasks of a chunk, run in a worker's state one after the other. */
#include <string.h>

#include "worker.h"

enum { SLOTS = PL_AT_FUNCTION + 4 }; /* the last slot of the packer and the reader */
static const char trace_key;

typedef struct work {
  pl_job *job;
  pti_chunk *chunk;
  int64_t task;
  size_t n, nparcel; /* of the chunk's packet when the task began */
} work;

static int note_trace(lua_State *L) {
  if (lua_type(L, 1) != LUA_TSTRING && luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL &&
      !lua_istable(L, 1))
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  else lua_pushvalue(L, 1);
  luaL_traceback(L, L, NULL, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &trace_key);
  return 1;
}

/* The results of a task stand from index `first` on; the packer's slots below. */
static void pack_results(pl_packer *p, const pl_job *job, int first) {
  lua_State *L = p->L;
  pl_put_byte(L, p->value.out, PL_DONE);
  pl_pack_group(p);
  if (!job->many) {
    if (lua_type(L, first) == LUA_TNUMBER) pl_pack_number(L, p->value.out, first);
    else pl_pack_value(p, first, "the result");
    return;
  }
  int last = lua_gettop(L);
  luaL_checkstack(L, 24, "too many results");
  lua_pushinteger(L, last - first + 1);
  pl_pack_value(p, last + 1, "the number");
  for (int i = first; i <= last; i++) pl_pack_value(p, i, "result %d", i - first + 1);
}

/* Makes the stack: the values of pl_build_code, the slots of the packer and the reader. */
static void ready_stack(lua_State *L, const work *k, pl_packer *p, pl_reader *r) {
  const pl_job *job = k->job;
  if (job->impure) pl_build_code(L, job);
  lua_settop(L, PL_AT_FUNCTION);
  pl_pack_begin(p, L, "pool", NULL, &k->chunk->packet);
  p->reply = true;
  pl_read_begin(r, L, &job->args, PL_AT_OBJECTS, job->globals ? PL_AT_GLOBALS : 0, true);
}

static void run_task(lua_State *L, const work *k, pl_packer *p, pl_reader *r) {
  const pl_job *job = k->job;
  lua_settop(L, SLOTS);
  pt_set_grad_enabled(true);
  pl_seed_task(L, job->seed, job->stream + (uint64_t)k->task);
  pl_read_group(r);
  r->at = job->args.data + job->offset[k->task];
  r->end = job->args.data + job->offset[k->task + 1];
  lua_pushvalue(L, PL_AT_FUNCTION);
  while (r->at < r->end) {
    luaL_checkstack(L, 24, "too many arguments");
    pl_read_value(r);
  }
  lua_call(L, lua_gettop(L) - SLOTS - 1, job->many ? LUA_MULTRET : 1);
  p->named = p->named_ours = false; /* the task may have loaded modules */
  pack_results(p, job, SLOTS + 1);
}

/* Whether the chunk has a task left. */
static bool begin_task(work *k) {
  pti_chunk *chunk = k->chunk;
  k->n = chunk->packet.n;
  k->nparcel = chunk->packet.nparcel;
  if (atomic_load(&k->job->base.cancelled) || k->task >= atomic_load(&k->job->base.stop))
    chunk->hi = k->task;
  return k->task < chunk->hi;
}

/* Expects the three values of pl_build_code and the work: does its tasks from k->task on, until one raises. */
static int run_on(lua_State *L) {
  work *k = lua_touserdata(L, 4);
  pl_packer p;
  pl_reader r;
  if (!k->job->impure) ready_stack(L, k, &p, &r);
  for (; begin_task(k); k->task++) {
    if (k->job->impure) ready_stack(L, k, &p, &r);
    run_task(L, k, &p, &r);
  }
  return 0;
}

/* Expects the chunk, the error's value, and whether the value is sent beside its text. */
static int pack_failure(lua_State *L) {
  pti_chunk *chunk = lua_touserdata(L, 1);
  pl_packer p;
  size_t limit = pl_pool_of(pl_this_worker())->memory_limit;
  bool plain = lua_type(L, 2) == LUA_TSTRING;
  if (limit && plain && strcmp(lua_tostring(L, 2), "not enough memory") == 0)
    lua_pushfstring(L, "not enough memory: memory_limit is %I bytes", (LUAI_UACINT)limit);
  else luaL_tolstring(L, 2, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &trace_key);
  lua_pushinteger(L, pti_this.worker->id);
  if (plain || !lua_toboolean(L, 3)) lua_pushnil(L);
  else lua_pushvalue(L, 2);
  pl_put_byte(L, &chunk->packet, PL_FAILED);
  pl_pack_begin(&p, L, "pool", NULL, &chunk->packet);
  p.reply = true;
  for (int i = 4; i <= 7; i++) pl_pack_value(&p, i, "the error");
  return 0;
}

/* With the error's value; else, as that may not go from state to state, with its text alone; else with what is known. */
static bool write_failure(lua_State *L, pti_chunk *chunk) {
  size_t n = chunk->packet.n, nparcel = chunk->packet.nparcel;
  for (int attempt = 0; attempt < 3; attempt++) {
    lua_pushcfunction(L, pack_failure);
    lua_pushlightuserdata(L, chunk);
    if (attempt < 2) lua_pushvalue(L, -3);
    else lua_pushliteral(L, "not enough memory, or an error value that cannot be shown");
    lua_pushboolean(L, attempt == 0);
    if (lua_pcall(L, 3, 0, 0) == LUA_OK) return true;
    lua_pop(L, 1);
    pti_packet_cut(&chunk->packet, n, nparcel);
    lua_gc(L, LUA_GCCOLLECT);
  }
  return false;
}

/* Writes what is known about a failure, and less where even writing that fails. The limit that ended the task would end
   this, too: it is moved meanwhile. */
static void fail_task(lua_State *L, pti_chunk *chunk) {
  double deadline = pti_this.deadline;
  pl_limits_extend(L);
  if (!write_failure(L, chunk)) pti_packet_put_last(&chunk->packet, PL_LOST);
  pti_this.deadline = deadline;
}

static int load_code(lua_State *L) {
  const pl_job *job = lua_touserdata(L, 1);
  if (job->path) pl_set_paths(L, job->path, job->cpath);
  if (!job->impure) pl_build_code(L, job);
  lua_settop(L, PL_AT_FUNCTION); /* impure code is built for each task */
  return PL_AT_FUNCTION;
}

static bool ready_code(lua_State *L, pl_job *job) {
  lua_settop(L, 0);
  lua_pushcfunction(L, note_trace);
  lua_pushcfunction(L, load_code);
  lua_pushlightuserdata(L, job);
  return lua_pcall(L, 1, PL_AT_FUNCTION, 1) == LUA_OK;
}

static bool run_rest(lua_State *L, work *k) {
  lua_pushcfunction(L, run_on);
  for (int i = PL_AT_GLOBALS; i <= PL_AT_FUNCTION; i++)
    if (k->job->impure) lua_pushnil(L);
    else lua_pushvalue(L, i + 1);
  lua_pushlightuserdata(L, k);
  return lua_pcall(L, 4, 0, 1) == LUA_OK;
}

void pl_run_tasks(pti_worker *w, pti_chunk *chunk) {
  lua_State *L = ((pl_worker *)(void *)w)->L;
  pl_job *job = (pl_job *)(void *)w->job;
  pti_this.deadline = job->deadline;
  bool ready = ready_code(L, job);
  int top = lua_gettop(L);
  for (work k = {.job = job, .chunk = chunk, .task = chunk->lo}; begin_task(&k); k.task++) {
    if (ready) {
      lua_settop(L, top);
      if (run_rest(L, &k)) break;
      pti_packet_cut(&chunk->packet, k.n, k.nparcel);
    }
    fail_task(L, chunk);
    if (!job->collect) pti_job_fail(w, k.task);
  }
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &trace_key);
  lua_settop(L, 0);
  pti_this.deadline = 0;
  pl_rest(L);
}
