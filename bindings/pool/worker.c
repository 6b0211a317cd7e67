/* worker.c: the threads of a pool. Each owns a Lua state, takes chunks of jobs from the pool's queue and leaves
   results in the job. This file and engine/pool.c are the only ones that make threads.

   A running task is stopped by a signal to its own thread, whose handler puts a hook into the state that runs: Lua
   allows that from a handler, and not from another thread. The signal is SIGURG, which by default does nothing. */
#include "worker.h"

#include <lualib.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "pool.h"
#include "rng.h"

enum { STACK = 1 << 20, SIGNAL = SIGURG };
static const double CHUNK_SECONDS = 500e-6, REST_SECONDS = 0.1;

static PTI_THREAD pl_worker *here;

pl_worker *pl_this_worker(void) { return here; }
bool pl_in_worker(void) { return here != NULL; }

/* ---- stopping what runs ---- */

static struct sigaction former;

static void stop_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  if (here == NULL || atomic_load(&here->interrupt) == 0) {
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  lua_sethook(L, stop_hook, LUA_MASKCOUNT, 1);
  luaL_error(L, "stopped");
}

static void on_signal(int number, siginfo_t *info, void *context) {
  pl_worker *w = here;
  if (w == NULL) {
    if (former.sa_flags & SA_SIGINFO) former.sa_sigaction(number, info, context);
    else if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN)
      former.sa_handler(number);
    return;
  }
  lua_State *running = atomic_load(&w->current);
  if (running == NULL || atomic_load(&w->interrupt) == 0) return;
  lua_sethook(w->L, stop_hook, LUA_MASKCOUNT, 1);
  if (running != w->L) lua_sethook(running, stop_hook, LUA_MASKCOUNT, 1);
}

static void install_handler(void) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  sigaction(SIGNAL, &action, &former);
}

static void allow_signal(int how) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGNAL);
  pthread_sigmask(how, &set, NULL);
}

void pl_interrupt_job(pl_pool *pool, const pl_job *job, int64_t lo) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, install_handler);
  for (int i = 0; i < pool->n; i++) {
    pl_worker *w = pool->worker[i];
    if (w->job == NULL || (job && w->job != job) || w->lo < lo) continue;
    if (w->told == 0) w->told = pt_clock();
    atomic_store(&w->interrupt, 1);
    pthread_kill(w->thread, SIGNAL);
  }
}

/* ---- what differs in a worker's state ---- */

static int no_exit(lua_State *L) {
  return luaL_error(L, "os.exit does not work in a worker; return or raise instead");
}

/* lua_resume with a note of which coroutine runs. The number of results, or -1 with the error on top. */
static int resume(lua_State *L, lua_State *co, int nargs) {
  int nresults;
  if (!lua_checkstack(co, nargs)) {
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, co, nargs);
  lua_State *former_one = atomic_load(&here->current);
  atomic_store(&here->current, co);
  int status = lua_resume(co, L, nargs, &nresults);
  atomic_store(&here->current, former_one);
  if (atomic_load(&here->interrupt)) lua_sethook(L, stop_hook, LUA_MASKCOUNT, 1);
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
  lua_State *former_one = atomic_load(&here->current);
  if (co) atomic_store(&here->current, co);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  atomic_store(&here->current, former_one);
  if (atomic_load(&here->interrupt)) lua_sethook(L, stop_hook, LUA_MASKCOUNT, 1);
  return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

static void set_close(lua_State *L) {
  if (lua_getglobal(L, "coroutine") == LUA_TTABLE && lua_getfield(L, -1, "close") != LUA_TNIL) {
    lua_pushcclosure(L, co_close, 1);
    lua_setfield(L, -2, "close");
  }
  lua_settop(L, 0);
}

static void set_function(lua_State *L, const char *library, const char *name, lua_CFunction fn) {
  if (lua_getglobal(L, library) == LUA_TTABLE) { /* a state may be without the library */
    lua_pushcfunction(L, fn);
    lua_setfield(L, -2, name);
  }
  lua_pop(L, 1);
}

static const char seed_key, cache_key, trace_key;

/* Where Lua keeps the state of math.random: in the upvalue of math.randomseed, which is on top of the stack. To call
   that for each task would cost a third of a short one's time. NULL unless it is the xoshiro256** of Lua 5.4, of which
   a known seed makes known words. */
static uint64_t *find_generator(lua_State *L) {
  static const uint64_t known[4] = {0xef18bce40e78715e, 0xe3aa178e59d84061, 0xba1f972e418f4e3d,
                                    0x71f5a7e986320bd7};
  lua_pushvalue(L, -1);
  lua_pushinteger(L, 1);
  lua_pushinteger(L, 2);
  lua_call(L, 2, 0);
  if (lua_getupvalue(L, -1, 1) == NULL) return NULL;
  uint64_t *state = lua_rawlen(L, -1) == sizeof known ? lua_touserdata(L, -1) : NULL;
  lua_pop(L, 1);
  if (state && memcmp(state, known, sizeof known) != 0) state = NULL;
  lua_pushvalue(L, -1);
  lua_call(L, 0, 0); /* by chance again */
  return state;
}

static uint64_t mix(uint64_t x) { /* the end of SplitMix64: one to one */
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

static void seed_generator(uint64_t state[4], uint64_t seed, uint64_t stream) {
  uint64_t a = mix(seed + 0x9e3779b97f4a7c15), b = mix(stream);
  state[0] = a;
  state[1] = mix(a + b);
  state[2] = mix(a ^ ~b);
  state[3] = b;
}

static int run_initializer(lua_State *L, const pl_packet *code) {
  if (code->n == 0) return 0;
  lua_pushglobaltable(L);
  pl_read_code(L, code, lua_gettop(L));
  lua_call(L, 0, 0);
  return 0;
}

static void set_paths(lua_State *L, const char *path, const char *cpath) {
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
  const pl_pool *pool = here->pool;
  set_function(L, "os", "exit", no_exit);
  set_function(L, "coroutine", "resume", co_resume);
  set_function(L, "coroutine", "wrap", co_wrap);
  set_close(L);
  lua_getglobal(L, "math");
  lua_getfield(L, -1, "randomseed");
  here->generator = find_generator(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &seed_key);
  if (!pool->no_stdlib) set_paths(L, pool->path, pool->cpath);
  lua_settop(L, 0);
  return run_initializer(L, &pool->initializer);
}

/* ---- one task ---- */

typedef struct work {
  pl_job *job;
  pl_chunk *chunk;
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

/* Pushes the table of globals for functions of a job that uses the script's: what they write stays with them. */
static void push_env(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushglobaltable(L);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

enum { CACHED = 64, ENV = 1, CODE, FUNCTION, SEED = FUNCTION + 5 };

/* Makes the stack: globals (or nil), objects of the code (or nil), function. Code without tables, tensors or writes
   is built once for each worker and content; other code is built anew for each task, which may change it. */
static void push_code(lua_State *L, const pl_job *job) {
  lua_settop(L, 0);
  if (!job->impure) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key) != LUA_TTABLE) {
      lua_pop(L, 1);
      lua_newtable(L);
    }
    lua_pushlstring(L, job->code.data, job->code.n);
    if (lua_rawget(L, 1) == LUA_TTABLE) {
      for (int i = ENV; i <= FUNCTION; i++) lua_rawgeti(L, 2, i);
      lua_remove(L, 1);
      lua_remove(L, 1);
      return;
    }
    lua_settop(L, 0);
  }
  if (job->globals) push_env(L);
  else lua_pushnil(L);
  pl_read_code(L, &job->code, job->globals ? ENV : 0);
  if (job->impure) return;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key) != LUA_TTABLE || lua_rawlen(L, -1) >= CACHED) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
  }
  lua_pushlstring(L, job->code.data, job->code.n);
  lua_createtable(L, FUNCTION, 0);
  for (int i = ENV; i <= FUNCTION; i++) {
    lua_pushvalue(L, i);
    lua_rawseti(L, -2, i);
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, -4, (lua_Integer)lua_rawlen(L, -4) + 1); /* counts the entries */
  lua_rawset(L, -3);
  lua_settop(L, FUNCTION);
}

static void seed_task(lua_State *L, const pl_job *job, int64_t task) {
  uint64_t stream = job->stream + (uint64_t)task;
  *pti_default_generator() = (pti_generator){.seed = job->seed, .stream = stream};
  if (here->generator) {
    seed_generator(here->generator, job->seed, stream);
    return;
  }
  lua_pushvalue(L, SEED);
  lua_pushinteger(L, (lua_Integer)job->seed);
  lua_pushinteger(L, (lua_Integer)stream);
  lua_call(L, 2, 0);
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

/* Makes the stack: the values of push_code, the slots of the packer and the reader, math.randomseed at SEED. */
static void ready_stack(lua_State *L, const work *k, pl_packer *p, pl_reader *r) {
  const pl_job *job = k->job;
  if (job->impure) push_code(L, job);
  lua_settop(L, FUNCTION);
  pl_pack_begin(p, L, "pool", NULL, &k->chunk->packet);
  p->reply = true;
  pl_read_begin(r, L, &job->args, CODE, job->globals ? ENV : 0, true);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &seed_key);
}

static void run_task(lua_State *L, const work *k, pl_packer *p, pl_reader *r) {
  const pl_job *job = k->job;
  lua_settop(L, SEED);
  pt_set_grad_enabled(true);
  seed_task(L, job, k->task);
  pl_read_group(r);
  r->at = job->args.data + job->offset[k->task];
  r->end = job->args.data + job->offset[k->task + 1];
  lua_pushvalue(L, FUNCTION);
  while (r->at < r->end) {
    luaL_checkstack(L, 24, "too many arguments");
    pl_read_value(r);
  }
  lua_call(L, lua_gettop(L) - SEED - 1, job->many ? LUA_MULTRET : 1);
  p->named = p->named_ours = false; /* the task may have loaded modules */
  pack_results(p, job, SEED + 1);
}

/* Whether the chunk has a task to do. */
static bool begin_task(work *k) {
  pl_chunk *chunk = k->chunk;
  k->n = chunk->packet.n;
  k->nparcel = chunk->packet.nparcel;
  if (atomic_load(&k->job->cancelled) || k->task >= atomic_load(&k->job->stop)) chunk->hi = k->task;
  return k->task < chunk->hi;
}

/* Expects the three values of push_code and the work: does its tasks from k->task on, until one raises. */
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

static void cut(pl_packet *packet, size_t n, size_t nparcel) {
  while (packet->nparcel > nparcel) pt_parcel_free(packet->parcel[--packet->nparcel]);
  packet->n = n;
}

/* Expects the chunk and the error's value. */
static int pack_failure(lua_State *L) {
  pl_chunk *chunk = lua_touserdata(L, 1);
  pl_packer p;
  size_t limit = here->pool->memory_limit;
  bool plain = lua_type(L, 2) == LUA_TSTRING;
  if (limit && plain && strcmp(lua_tostring(L, 2), "not enough memory") == 0)
    lua_pushfstring(L, "not enough memory: memory_limit is %I bytes", (LUAI_UACINT)limit);
  else luaL_tolstring(L, 2, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &trace_key);
  lua_pushinteger(L, here->id);
  if (plain) lua_pushnil(L);
  else lua_pushvalue(L, 2);
  pl_put_byte(L, &chunk->packet, PL_FAILED);
  pl_pack_begin(&p, L, "pool", NULL, &chunk->packet);
  p.reply = true;
  for (int i = 3; i <= 6; i++) pl_pack_value(&p, i, "the error");
  return 0;
}

/* Writes what is known about a failure; with less where even that fails. */
static void fail_task(lua_State *L, pl_chunk *chunk) {
  size_t n = chunk->packet.n, nparcel = chunk->packet.nparcel;
  for (int attempt = 0; attempt < 2; attempt++) {
    lua_pushcfunction(L, pack_failure);
    lua_pushlightuserdata(L, chunk);
    if (attempt == 0) lua_pushvalue(L, -3);
    else lua_pushliteral(L, "not enough memory, or an error value that cannot be shown");
    if (lua_pcall(L, 2, 0, 0) == LUA_OK) return;
    lua_pop(L, 1);
    cut(&chunk->packet, n, nparcel);
    lua_gc(L, LUA_GCCOLLECT);
  }
}

/* Tasks after a failed one are not begun, and those that run are stopped, unless failures are collected. */
static void note_failure(pl_worker *w, pl_job *job, int64_t task) {
  if (job->collect) return;
  pthread_mutex_lock(&w->pool->mutex);
  if (task + 1 < atomic_load(&job->stop)) atomic_store(&job->stop, task + 1);
  w->job = NULL; /* not itself */
  pl_interrupt_job(w->pool, job, task + 1);
  w->job = job;
  pthread_mutex_unlock(&w->pool->mutex);
}

static int load_code(lua_State *L) {
  const pl_job *job = lua_touserdata(L, 1);
  if (job->path) set_paths(L, job->path, job->cpath);
  if (!job->impure) push_code(L, job);
  lua_settop(L, FUNCTION); /* impure code is built for each task */
  return FUNCTION;
}

static bool ready_code(lua_State *L, pl_job *job) {
  lua_settop(L, 0);
  lua_pushcfunction(L, note_trace);
  lua_pushcfunction(L, load_code);
  lua_pushlightuserdata(L, job);
  return lua_pcall(L, 1, FUNCTION, 1) == LUA_OK;
}

static bool run_rest(lua_State *L, work *k) {
  lua_pushcfunction(L, run_on);
  for (int i = ENV; i <= FUNCTION; i++)
    if (k->job->impure) lua_pushnil(L);
    else lua_pushvalue(L, i + 1);
  lua_pushlightuserdata(L, k);
  return lua_pcall(L, 4, 0, 1) == LUA_OK;
}

static void run_tasks(pl_worker *w, pl_job *job, pl_chunk *chunk) {
  lua_State *L = w->L;
  bool ready = ready_code(L, job);
  int top = lua_gettop(L);
  for (work k = {.job = job, .chunk = chunk, .task = chunk->lo}; begin_task(&k); k.task++) {
    if (ready) {
      lua_settop(L, top);
      if (run_rest(L, &k)) break;
      cut(&chunk->packet, k.n, k.nparcel);
    }
    fail_task(L, chunk);
    note_failure(w, job, k.task);
  }
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &trace_key);
  lua_settop(L, 0);
}

/* ---- the queue ---- */

/* How many tasks at once: as many as take CHUNK_SECONDS, but leave some for the others. The mutex is held. */
static int64_t choose(const pl_worker *w, const pl_job *job) {
  if (job->chunk > 0) return job->chunk;
  int64_t left = job->n - job->next, fair = left / (2 * w->pool->n);
  int64_t c = w->mean > 0 ? (int64_t)fmin(CHUNK_SECONDS / w->mean, 1e9) : 1;
  return pti_max64(1, pti_min64(c, fair));
}

/* Looks for a job without the mutex, which is held before and after. So do as many at once as there are other cores,
   unless workers have been called, who need one. */
static void spin(pl_pool *pool) {
  if (pool->called > 0 || pool->spinning >= pt_get_num_threads() - 1) return;
  unsigned seen = atomic_load(&pool->news);
  pool->spinning++;
  pthread_mutex_unlock(&pool->mutex);
  pl_spin(&pool->news, seen);
  pthread_mutex_lock(&pool->mutex);
  pool->spinning--;
}

/* Nothing has come for a while: what tasks left behind goes back. The mutex is held before and after. */
static void tidy(pl_worker *w) {
  pthread_mutex_unlock(&w->pool->mutex);
  lua_gc(w->L, LUA_GCCOLLECT);
  pti_mem_flush_thread();
  pthread_mutex_lock(&w->pool->mutex);
}

/* Sleeps until it is called, or for so many seconds; the mutex is held before and after. */
static void sleep_on(pl_pool *pool, double seconds) {
  pool->asleep++;
  if (seconds > 0) pl_wait_until(&pool->work, &pool->mutex, seconds);
  else pthread_cond_wait(&pool->work, &pool->mutex);
  pool->asleep--;
  if (pool->called > 0) pool->called--;
}

/* Takes a chunk of the first job that has tasks left, waiting for one; NULL when the pool closes. */
static pl_chunk *next_chunk(pl_worker *w, pl_chunk *spare) {
  pl_pool *pool = w->pool;
  enum { SPIN, REST, TIDY, SLEEP } next = w->fresh ? SLEEP : SPIN;
  int64_t called = 0; /* whoever queued a job may have counted on this worker */
  pthread_mutex_lock(&pool->mutex);
  for (;;) {
    pl_job *job = pool->head;
    if (job && !w->lost) {
      int64_t hi = pti_min64(job->next + choose(w, job), job->n);
      spare->lo = job->next;
      spare->hi = hi;
      job->next = hi;
      job->running++;
      atomic_fetch_add(&job->refs, 1);
      w->job = job;
      w->lo = spare->lo;
      atomic_store(&w->interrupt, 0);
      w->fresh = false;
      if (hi >= job->n) pl_unlink_job(pool, job);
      if (pool->head) called = pl_call_workers(pool, pool->head->n - pool->head->next);
      break;
    }
    if (pool->closing || w->lost) {
      spare = NULL;
      break;
    }
    switch (next) {
    case SPIN: spin(pool); break;
    case REST: sleep_on(pool, REST_SECONDS); break;
    case TIDY: tidy(w); break;
    case SLEEP: sleep_on(pool, 0); break;
    }
    if (next < SLEEP) next++;
  }
  pthread_mutex_unlock(&pool->mutex);
  for (; called > 0; called--) pthread_cond_signal(&pool->work);
  return spare;
}

static void insert_chunk(pl_job *job, pl_chunk *chunk) {
  pl_chunk *before = job->tail;
  while (before && before->lo > chunk->lo) before = before->before;
  chunk->before = before;
  chunk->after = before ? before->after : job->head;
  *(before ? &before->after : &job->head) = chunk;
  *(chunk->after ? &chunk->after->before : &job->tail) = chunk;
}

static void finish_chunk(pl_worker *w, pl_chunk *chunk) {
  pl_pool *pool = w->pool;
  pl_job *job = w->job;
  pthread_mutex_lock(&pool->mutex);
  w->job = NULL;
  w->told = 0;
  atomic_store(&w->interrupt, 0);
  job->running--;
  if (atomic_load(&job->stop) < job->n) pl_unlink_job(pool, job);
  if (!atomic_load(&job->cancelled) && chunk->hi > chunk->lo) {
    insert_chunk(job, chunk);
    chunk = NULL;
  }
  pl_job_changed(job);
  pthread_mutex_unlock(&pool->mutex);
  pl_chunk_free(chunk);
  pl_job_release(job);
}

/* ---- the thread ---- */

static void break_pool(pl_pool *pool, const char *format, int id, const char *why) {
  char text[1024];
  snprintf(text, sizeof text, format, id, why);
  pthread_mutex_lock(&pool->mutex);
  if (pool->broken == NULL) pool->broken = strdup(text);
  for (pl_job *job = pool->head; job; job = job->link) pl_job_changed(job);
  pthread_mutex_unlock(&pool->mutex);
}

static bool open_worker(pl_worker *w) {
  pt_vm_config config = {.size = sizeof config,
                         .memory_limit = w->pool->memory_limit,
                         .no_stdlib = w->pool->no_stdlib};
  w->L = pl_open_lazy_state(&config);
  if (w->L == NULL) {
    break_pool(w->pool, "worker %d could not start: %s", w->id, pt_error());
    return false;
  }
  pl_book_tensors(w->L);
  lua_pushcfunction(w->L, set_up);
  if (lua_pcall(w->L, 0, 0, 0) != LUA_OK) {
    const char *why = lua_tostring(w->L, -1);
    break_pool(w->pool, "the initializer failed in worker %d: %s", w->id,
               why ? why : "an error value");
    lua_settop(w->L, 0);
    return false;
  }
  atomic_store(&w->current, w->L);
  return true;
}

static void work_on(pl_worker *w, pl_chunk *chunk) {
  const pl_job *job = w->job;
  double start = pt_clock();
  int64_t lo = chunk->lo;
  pti_worker_enter();
  run_tasks(w, w->job, chunk);
  pti_worker_leave();
  lua_sethook(w->L, NULL, 0, 0);
  int64_t n = chunk->hi - lo;
  w->mean = job->n > 1 && n > 0 ? (pt_clock() - start) / (double)n : 0;
  finish_chunk(w, chunk);
}

static void name_thread(const pl_worker *w) {
  char name[16]; /* all that Linux takes */
  snprintf(name, sizeof name, "%.10s %d", w->pool->name, w->id);
  pthread_setname_np(pthread_self(), name);
}

void *pl_worker_main(void *arg) {
  pl_worker *w = arg;
  pl_pool *pool = w->pool;
  name_thread(w);
  here = w;
  pti_this.interrupt = &w->interrupt;
  pt_set_index_base(1);
  w->fresh = true;
  if (open_worker(w)) {
    allow_signal(SIG_UNBLOCK);
    pl_chunk *spare;
    while ((spare = calloc(1, sizeof *spare)) != NULL) {
      if (next_chunk(w, spare) == NULL) break;
      work_on(w, spare);
    }
    if (spare == NULL) break_pool(pool, "worker %d stopped: %s", w->id, "out of memory");
    pl_chunk_free(spare);
    allow_signal(SIG_BLOCK);
  }
  atomic_store(&w->current, NULL);
  if (w->L) lua_close(w->L);
  pl_book_tensors(NULL);
  pti_mem_flush_thread();
  pti_this.interrupt = NULL;
  here = NULL;
  pthread_mutex_lock(&pool->mutex);
  bool lost = w->lost;
  if (!lost) pool->alive--;
  pthread_cond_broadcast(&pool->ended);
  pthread_mutex_unlock(&pool->mutex);
  if (lost) free(w);
  pl_pool_release(pool);
  return NULL;
}
