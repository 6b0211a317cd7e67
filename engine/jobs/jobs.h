/* jobs.h: pools of worker threads and the jobs that they share. What a worker does to a task is its owner's: see
   pti_worker_kind. All fields of pools and jobs that change are guarded by the pool's mutex unless they are atomic;
   nothing of the owner's is called while it is held, except `stop`. */
#ifndef PTI_JOBS_H
#define PTI_JOBS_H

#include <pthread.h>
#include <stdatomic.h>

#include "jobs/channel.h"

/* The outcome of tasks lo .. hi-1, as the owner writes it. */
typedef struct pti_chunk {
  int64_t lo, hi;
  pti_packet packet;
  struct pti_chunk *before, *after;
} pti_chunk;

/* A thread that waits for any of several jobs. */
typedef struct pti_waiter {
  pthread_mutex_t mutex;
  pthread_cond_t change;
  bool news;
} pti_waiter;

/* One call: a function over n tasks. The first member of the owner's struct. */
typedef struct pti_job {
  atomic_int refs;
  struct pti_worker_pool *pool;      /* retained */
  void (*drop)(struct pti_job *job); /* frees what the owner's struct holds */
  int64_t n, chunk;                  /* chunk 0: chosen by how long tasks take */
  atomic_bool cancelled;
  _Atomic int64_t stop; /* tasks from here on are not begun: n, or what follows the first failure */
  int64_t next, running;  /* first task not handed out; chunks in work */
  pti_chunk *head, *tail; /* finished and not yet taken, by number */
  pthread_cond_t change;
  atomic_uint news;   /* grows with every change, for threads that spin without the mutex */
  pti_waiter *waiter; /* or NULL */
  struct pti_job *link;
} pti_job;

/* A thread of a pool. The first member of the owner's struct. */
typedef struct pti_worker {
  struct pti_worker_pool *pool;
  int id;
  pthread_t thread;
  pti_job *job; /* what it works on, from `lo` on */
  int64_t lo;
  atomic_int interrupt;
  double mean; /* seconds per task of the job, lately */
  bool fresh;  /* has not run anything yet */
  double told; /* when it was interrupted, or 0 */
  bool lost;   /* it did not stop, and another thread has its place; ends and frees itself */
} pti_worker;

/* What the owner of a pool does in its threads. */
typedef struct pti_worker_kind {
  size_t size;                 /* of the owner's struct */
  bool (*open)(pti_worker *w); /* false: the pool is broken (pti_break_pool) */
  void (*run)(pti_worker *w,
              pti_chunk *chunk); /* the tasks of the chunk; sets chunk->hi where it stops early */
  void (*stop)(pti_worker *w);   /* from another thread: w->interrupt was set */
  void (*tidy)(pti_worker *w);   /* nothing has come for a while */
  void (*close)(pti_worker *w);  /* also after an `open` that failed */
  void (*drop)(struct pti_worker_pool *pool); /* frees what the owner's pool holds */
} pti_worker_kind;

/* The first member of the owner's struct. */
typedef struct pti_worker_pool {
  const pti_worker_kind *kind;
  atomic_int refs;
  int n, alive;
  pti_worker **worker;
  pthread_mutex_t mutex;
  pthread_cond_t work, ended;
  pti_job *head, *tail;
  atomic_uint news;   /* grows when a job comes or the pool closes */
  int spinning;       /* workers that spin until there is news, and need no signal */
  int asleep, called; /* workers that wait for a signal, and those of them that got one */
  bool closing, joined;
  char name[16]; /* of its threads, as far as the system has room */
  char *broken;  /* why no worker can run, or NULL; never changes once it is set */
  int pid;
} pti_worker_pool;

/* ---- pools (workers.c) ---- */

/* A pool in a struct of `size` bytes, without threads yet. */
pti_worker_pool *pti_workers_new(int n, size_t size, const pti_worker_kind *kind);
/* Starts the threads; false with the error recorded where the system makes none. */
bool pti_workers_start(pti_worker_pool *pool);
void pti_workers_release(pti_worker_pool *pool);
/* Whether the pool belongs to the process that this one was forked from, and has no threads here. */
bool pti_is_forked(const pti_worker_pool *pool);
/* No more jobs; with `terminate`, those there are end now. */
void pti_workers_close(pti_worker_pool *pool, bool terminate);
/* Waits at most `seconds` for the threads to end. */
bool pti_workers_join(pti_worker_pool *pool, double seconds);
/* Lets threads go that did not end in time: what they hold is freed when they do. */
void pti_workers_abandon(pti_worker_pool *pool);
/* Says why no worker of the pool can run. */
void pti_workers_break(pti_worker_pool *pool, const char *format, ...) PTI_PRINTF(2, 3);
/* Gives the places of workers that were told to stop and did not, asleep in the system perhaps, to new threads, if
   there is work for them. The mutex is held. */
void pti_replace_lost(pti_worker_pool *pool);
/* Stops the workers that run tasks of the job (NULL: of any) from `lo` on. The mutex is held. */
void pti_interrupt_job(pti_worker_pool *pool, const pti_job *job, int64_t lo);
/* How many signals of `work` it takes to bring workers to so many tasks; the caller gives them once it has left the
   mutex, which is held. */
int64_t pti_call_workers(pti_worker_pool *pool, int64_t tasks);

/* ---- jobs (job.c) ---- */

/* A job over n tasks in a struct of `size` bytes. */
pti_job *pti_job_new(pti_worker_pool *pool, int64_t n, size_t size, void (*drop)(pti_job *job));
bool pti_job_queue(pti_job *job);
void pti_job_cancel(pti_job *job);
void pti_job_release(pti_job *job);
/* Task `task` of w's job failed: tasks behind it are not begun, and those that run are stopped. */
void pti_job_fail(pti_worker *w, int64_t task);
/* The next finished chunk, the caller's from then on; `ordered`: the one with the lowest tasks not yet taken. NULL
   when `seconds` have passed (*over false) or nothing is left to come (*over true). */
pti_chunk *pti_job_take(pti_job *job, bool ordered, int64_t cursor, double seconds, bool *over);
/* Waits at most `seconds` until pti_job_take would return at once for some of the jobs; marks these in ready[]. */
void pti_jobs_wait(pti_job *const *job, const int64_t *cursor, bool *ready, int n, double seconds);
void pti_chunk_free(pti_chunk *chunk);
/* Adds a finished chunk to the job's. The mutex is held, as for the next two. */
void pti_job_add(pti_job *job, pti_chunk *chunk);
/* Wakes the threads that wait for the job. */
void pti_job_changed(pti_job *job);
/* Takes the job out of the queue, if it is there. */
void pti_unlink_job(pti_worker_pool *pool, pti_job *job);

#endif
