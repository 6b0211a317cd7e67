/* worker.h: pools, their threads and jobs, shared by the threads (worker.c), the queue (queue.c) and
   Lua's side (job.c). All fields of pools and jobs that change are guarded by the pool's mutex unless they are
   atomic; no Lua call is made while it is held. */
#ifndef PTL_POOL_WORKER_H
#define PTL_POOL_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "pack.h"

/* What became of tasks lo .. hi-1: for each a byte, then its result or what is known about its failure. */
typedef struct pl_chunk {
  int64_t lo, hi;
  pl_packet packet;
  struct pl_chunk *before, *after;
} pl_chunk;
enum { PL_DONE, PL_FAILED };

/* Who waits for any of several jobs. */
typedef struct pl_waiter {
  pthread_mutex_t mutex;
  pthread_cond_t change;
  bool news;
} pl_waiter;

/* One call: a function over n tasks. */
typedef struct pl_job {
  atomic_int refs;
  struct pl_pool *pool; /* retained */
  pl_packet code, args;
  int64_t n, chunk; /* chunk 0: chosen by how long tasks take */
  bool impure, globals, many, collect;
  char *path,
      *cpath; /* of the caller's package, where they are no longer those of the pool's beginning */
  uint64_t seed, stream; /* task i draws from stream + i */
  atomic_bool cancelled;
  _Atomic int64_t stop; /* tasks from here on are not begun: n, or what follows the first failure */
  int64_t next, running; /* first task not handed out; chunks in work */
  pl_chunk *head, *tail; /* finished and not yet taken, by number */
  pthread_cond_t change;
  atomic_uint news;  /* grows with every change, for those who look without the mutex */
  pl_waiter *waiter; /* or NULL */
  struct pl_job *link;
  size_t offset[]; /* of each task in args; n + 1 */
} pl_job;

typedef struct pl_worker {
  struct pl_pool *pool;
  int id;
  pthread_t thread;
  lua_State *L;
  _Atomic(lua_State *) current; /* the coroutine that runs, for the signal handler of this thread */
  pl_job *job;                  /* what it works on, from `lo` on */
  int64_t lo;
  atomic_int interrupt;
  uint64_t *generator; /* the state of math.random, or NULL */
  double mean;         /* seconds per task of the job, lately */
  bool fresh;          /* has not done anything yet */
  double told;         /* when it was interrupted, or 0 */
  bool lost;           /* it did not listen: another thread has its place; ends and frees itself */
} pl_worker;

typedef struct pl_pool {
  atomic_int refs;
  int n, alive;
  pl_worker **worker;
  pthread_mutex_t mutex;
  pthread_cond_t work, ended;
  pl_job *head, *tail;
  atomic_uint news;   /* grows when a job comes or the pool closes */
  int spinning;       /* workers that look for news and need no signal */
  int asleep, called; /* workers that wait for a signal, and those of them that got one */
  bool closing, joined;
  pl_packet initializer;
  char *path, *cpath;
  char name[16]; /* its threads are called by, as far as the system has room */
  char *broken;  /* why no worker can run, or NULL */
  size_t memory_limit;
  bool no_stdlib; /* as the state that opened the pool */
  int pid;
} pl_pool;

/* Condition variables that go by the monotonic clock (channel.c). */
void pl_init_cond(pthread_cond_t *cond);
void pl_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, double seconds);
/* Waits for one slice, at most `seconds`; the caller then asks pti_poll. A worker that waits gives its core away. */
void pl_wait_slice(pthread_cond_t *cond, pthread_mutex_t *mutex, double seconds);

/* Looks for a change of *news for some microseconds, which is faster than to sleep and be woken. */
void pl_spin(const atomic_uint *news, unsigned seen);

/* The same for whoever holds a mutex, on a core that a worker gives away meanwhile. */
void pl_wait_spinning(const atomic_uint *news, pthread_mutex_t *mutex);

/* The worker that this thread is, or NULL. */
pl_worker *pl_this_worker(void);

/* What a thread of the pool runs, given its pl_worker. */
void *pl_worker_main(void *worker);
/* Stops the workers that run tasks of the job (NULL: of any) from `lo` on. The mutex is held. */
void pl_interrupt_job(pl_pool *pool, const pl_job *job, int64_t lo);
/* How many signals of `work` it takes to bring workers to so many tasks; the caller gives them once it has left the
   mutex, which is held. */
int64_t pl_call_workers(pl_pool *pool, int64_t tasks);
/* Takes the job out of the queue, if it is there. The mutex is held. */
void pl_unlink_job(pl_pool *pool, pl_job *job);

pl_pool *pl_pool_new(int n);
/* Starts the threads; false with the engine's error recorded where there is none. */
bool pl_pool_start(pl_pool *pool);
void pl_pool_release(pl_pool *pool);
/* Gives the places of workers that were told to stop and did not, asleep in the system perhaps, to new threads, if
   there is work for them. The mutex is held. */
void pl_replace_lost(pl_pool *pool);
/* No more jobs; with `terminate`, those there are end now. */
void pl_pool_close(pl_pool *pool, bool terminate);
/* Waits at most `seconds` for the threads to end. */
bool pl_pool_join(pl_pool *pool, double seconds);
/* Lets threads go that did not end in time: what they hold is freed when they do. */
void pl_pool_abandon(pl_pool *pool);

pl_job *pl_job_new(pl_pool *pool, int64_t n);
bool pl_job_queue(pl_job *job);
void pl_job_cancel(pl_job *job);
void pl_job_release(pl_job *job);
/* The next finished chunk, the caller's from then on; `ordered`: the one with the lowest tasks not yet taken. NULL
   when `seconds` have passed (*over false) or nothing is left to come (*over true). */
pl_chunk *pl_job_take(pl_job *job, bool ordered, int64_t cursor, double seconds, bool *over);
void pl_chunk_free(pl_chunk *chunk);
/* Tells those who wait for the job. The mutex is held. */
void pl_job_changed(pl_job *job);
/* Waits at most `seconds` until pl_job_take would return at once for some of the jobs; marks these in ready[]. */
void pl_jobs_wait(pl_job *const *job, const int64_t *cursor, bool *ready, int n, double seconds);

#endif
