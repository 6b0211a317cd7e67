/* worker.h: the pools, workers and jobs of engine/jobs as Lua has them: a worker is a thread with a Lua state, a job is
   a Lua function over lists of arguments. */
#ifndef PTL_POOL_WORKER_H
#define PTL_POOL_WORKER_H

#include "jobs/jobs.h"
#include "../vm_limits.h"
#include "pack.h"

/* What the results of a chunk begin with, task by task; then comes the result or what is known about the failure. */
enum { PL_DONE, PL_FAILED, PL_LOST /* there was not even memory to say why */ };

typedef struct pl_pool {
  pti_worker_pool base;
  pti_packet initializer;
  char *path, *cpath;
  size_t memory_limit; /* of each worker */
  pl_limits *limits;   /* of the state that opened the pool */
} pl_pool;

typedef struct pl_job {
  pti_job base;
  pti_packet code, args;
  bool impure, globals, many, collect;
  char *path,
      *cpath; /* of the caller's package, where they are no longer those of the pool's beginning */
  uint64_t seed, stream; /* task i draws from stream + i */
  double deadline;       /* of the call in which it was submitted; 0: none */
  size_t offset[];       /* of each task in args; n + 1 */
} pl_job;

typedef struct pl_worker {
  pti_worker base;
  lua_State *L;
  _Atomic(lua_State *) current; /* the coroutine that runs, for the signal handler of this thread */
  uint64_t *generator;          /* the state of math.random, or NULL */
} pl_worker;

/* The worker whose thread this is, or NULL. */
static inline pl_worker *pl_this_worker(void) { return (pl_worker *)(void *)pti_this.worker; }
static inline pl_pool *pl_pool_of(const pl_worker *w) { return (pl_pool *)(void *)w->base.pool; }

/* What a pool's threads do (worker.c). */
extern const pti_worker_kind pl_worker_kind;
void pl_set_paths(lua_State *L, const char *path, const char *cpath);

/* ---- tasks (task.c) ---- */

/* Runs the tasks of a chunk and packs their results into it. */
void pl_run_tasks(pti_worker *w, pti_chunk *chunk);

/* ---- code (code_cache.c) ---- */

/* Stack indices of what pl_build_code makes: globals (or nil), objects of the code (or nil), function. */
enum { PL_AT_GLOBALS = 1, PL_AT_OBJECTS, PL_AT_FUNCTION };
/* Makes the stack. Code without tables, tensors or writes is built once for each worker and content; other code is
   built anew for each task, which may change it. */
void pl_build_code(lua_State *L, const pl_job *job);

/* ---- stopping a task (interrupt.c) ---- */

/* Stops the worker's task; called from another thread. */
void pl_stop_worker(pti_worker *w);
/* Lets this thread's worker be stopped from now on, or no longer. */
void pl_allow_stop(bool on);
/* A stop that came while a coroutine ran goes on in L. */
void pl_pass_stop_on(lua_State *L);

/* ---- what differs in a worker's state ---- */

/* Notes which coroutine runs, for pl_stop_worker (coroutine.c). */
void pl_watch_coroutines(lua_State *L);
/* Readies math.random for pl_seed_task (seed.c). */
void pl_find_generator(lua_State *L);
/* Gives this thread's task random streams of its own, in tensors and in Lua. */
void pl_seed_task(lua_State *L, uint64_t seed, uint64_t stream);

#endif
