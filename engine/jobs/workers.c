/* workers.c: the threads of a pool. They take chunks of jobs from the pool's queue and leave results in the
   job. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jobs/jobs.h"
#include "wait.h"
#include "mem.h"
#include "pool.h"

enum { STACK_BYTES = 1 << 20 };
static const double PATIENCE = 0.5, CHUNK_SECONDS = 500e-6, REST_SECONDS = 0.1;

bool pti_is_forked(const pti_worker_pool *pool) { return pool->pid != (int)getpid(); }

/* ---- pools ---- */

static pti_worker *new_worker(pti_worker_pool *pool, int id) {
  pti_worker *w = calloc(1, pool->kind->size);
  if (w == NULL) return NULL;
  w->pool = pool;
  w->id = id;
  return w;
}

static void free_pool(pti_worker_pool *pool) {
  for (int i = 0; i < pool->n; i++) free(pool->worker[i]);
  free(pool->worker);
  free(pool);
}

pti_worker_pool *pti_workers_new(int n, size_t size, const pti_worker_kind *kind) {
  pti_worker_pool *pool = calloc(1, size);
  if (pool) pool->kind = kind;
  if (pool) pool->worker = calloc((size_t)n, sizeof *pool->worker);
  bool ok = pool && pool->worker;
  while (ok && pool->n < n) {
    pti_worker *w = new_worker(pool, pool->n + 1);
    ok = w != NULL;
    if (ok) pool->worker[pool->n++] = w;
  }
  if (!ok) {
    if (pool) free_pool(pool);
    return pti_fail(PT_EMEMORY, "pool: out of memory");
  }
  pool->pid = (int)getpid();
  atomic_init(&pool->refs, 1);
  pthread_mutex_init(&pool->mutex, NULL);
  pti_init_cond(&pool->work);
  pti_init_cond(&pool->ended);
  return pool;
}

void pti_workers_release(pti_worker_pool *pool) {
  if (pool == NULL || atomic_fetch_sub(&pool->refs, 1) != 1) return;
  pthread_mutex_destroy(&pool->mutex);
  pthread_cond_destroy(&pool->work);
  pthread_cond_destroy(&pool->ended);
  pool->kind->drop(pool);
  free(pool->broken);
  free_pool(pool);
}

void pti_workers_break(pti_worker_pool *pool, const char *format, ...) {
  char text[1024];
  va_list ap;
  va_start(ap, format);
  vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  pthread_mutex_lock(&pool->mutex);
  if (pool->broken == NULL) pool->broken = strdup(text);
  for (pti_job *job = pool->head; job; job = job->link) pti_job_changed(job);
  pthread_mutex_unlock(&pool->mutex);
}

int64_t pti_call_workers(pti_worker_pool *pool, int64_t tasks) {
  int64_t n = pti_min64(tasks - pool->spinning, pool->asleep - pool->called);
  if (n <= 0) return 0;
  pool->called += (int)n;
  return n;
}

void pti_interrupt_job(pti_worker_pool *pool, const pti_job *job, int64_t lo) {
  for (int i = 0; i < pool->n; i++) {
    pti_worker *w = pool->worker[i];
    if (w->job == NULL || (job && w->job != job) || w->lo < lo) continue;
    if (w->told == 0) w->told = pt_clock();
    atomic_store(&w->interrupt, 1);
    pool->kind->stop(w);
  }
}

/* ---- the threads ---- */

/* How many tasks at once: as many as take CHUNK_SECONDS, but leave some for the others. The mutex is held. */
static int64_t choose(const pti_worker *w, const pti_job *job) {
  if (job->chunk > 0) return job->chunk;
  int64_t left = job->n - job->next, fair = left / (2 * w->pool->n);
  int64_t c = w->mean > 0 ? (int64_t)fmin(CHUNK_SECONDS / w->mean, 1e9) : 1;
  return pti_max64(1, pti_min64(c, fair));
}

/* Spins until there is a job, without the mutex, which is held before and after. At most as many workers spin as there
   are other cores, and none while workers that were called need one. */
static void spin(pti_worker_pool *pool) {
  if (pool->called > 0 || pool->spinning >= pt_get_num_threads() - 1) return;
  unsigned seen = atomic_load(&pool->news);
  pool->spinning++;
  pthread_mutex_unlock(&pool->mutex);
  pti_spin(&pool->news, seen);
  pthread_mutex_lock(&pool->mutex);
  pool->spinning--;
}

/* Nothing has come for a while: memory that tasks left behind is given back. The mutex is held before and after. */
static void tidy(pti_worker *w) {
  pthread_mutex_unlock(&w->pool->mutex);
  w->pool->kind->tidy(w);
  pti_mem_flush_thread();
  pthread_mutex_lock(&w->pool->mutex);
}

/* Sleeps until it is called, at most `seconds` (0: without limit); the mutex is held before and after. */
static void sleep_on(pti_worker_pool *pool, double seconds) {
  pool->asleep++;
  if (seconds > 0) pti_wait_until(&pool->work, &pool->mutex, seconds);
  else pthread_cond_wait(&pool->work, &pool->mutex);
  pool->asleep--;
  if (pool->called > 0) pool->called--;
}

/* Takes a chunk of the first job that has tasks left, waiting for one; NULL when the pool closes. */
static pti_chunk *next_chunk(pti_worker *w, pti_chunk *spare) {
  pti_worker_pool *pool = w->pool;
  enum { SPIN, REST, TIDY, SLEEP } next = w->fresh ? SLEEP : SPIN;
  int64_t called = 0; /* whoever queued a job may have counted on this worker */
  pthread_mutex_lock(&pool->mutex);
  for (;;) {
    pti_job *job = pool->head;
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
      if (hi >= job->n) pti_unlink_job(pool, job);
      if (pool->head) called = pti_call_workers(pool, pool->head->n - pool->head->next);
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

static void finish_chunk(pti_worker *w, pti_chunk *chunk) {
  pti_worker_pool *pool = w->pool;
  pti_job *job = w->job;
  pthread_mutex_lock(&pool->mutex);
  w->job = NULL;
  w->told = 0;
  atomic_store(&w->interrupt, 0);
  job->running--;
  if (atomic_load(&job->stop) < job->n) pti_unlink_job(pool, job);
  if (!atomic_load(&job->cancelled) && chunk->hi > chunk->lo) {
    pti_job_add(job, chunk);
    chunk = NULL;
  }
  pti_job_changed(job);
  pthread_mutex_unlock(&pool->mutex);
  pti_chunk_free(chunk);
  pti_job_release(job);
}

static void work_on(pti_worker *w, pti_chunk *chunk) {
  double start = pt_clock();
  int64_t lo = chunk->lo;
  pti_worker_enter();
  w->pool->kind->run(w, chunk);
  pti_worker_leave();
  int64_t n = chunk->hi - lo;
  w->mean = w->job->n > 1 && n > 0 ? (pt_clock() - start) / (double)n : 0;
  finish_chunk(w, chunk);
}

static void work(pti_worker *w) {
  pti_chunk *spare;
  while ((spare = calloc(1, sizeof *spare)) != NULL) {
    if (next_chunk(w, spare) == NULL) break;
    work_on(w, spare);
  }
  if (spare == NULL) pti_workers_break(w->pool, "worker %d stopped: out of memory", w->id);
  pti_chunk_free(spare);
}

static void name_thread(const pti_worker *w) {
  char name[16]; /* all that Linux takes */
  snprintf(name, sizeof name, "%.10s %d", w->pool->name, w->id);
  pthread_setname_np(pthread_self(), name);
}

static void *run_worker(void *arg) {
  pti_worker *w = arg;
  pti_worker_pool *pool = w->pool;
  name_thread(w);
  pti_this.worker = w;
  pti_this.interrupt = &w->interrupt;
  w->fresh = true;
  if (pool->kind->open(w)) work(w);
  pool->kind->close(w);
  pti_mem_flush_thread();
  pti_this.interrupt = NULL;
  pti_this.worker = NULL;
  pthread_mutex_lock(&pool->mutex);
  bool lost = w->lost;
  if (!lost) pool->alive--;
  pthread_cond_broadcast(&pool->ended);
  pthread_mutex_unlock(&pool->mutex);
  if (lost) free(w);
  pti_workers_release(pool);
  return NULL;
}

/* ---- starting and ending them ---- */

/* Signals are the host's: a worker blocks all, until its owner lets one through. The mutex is held. */
static int start_worker(pti_worker *w) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, STACK_BYTES);
  sigset_t all, former;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &former);
  atomic_fetch_add(&w->pool->refs, 1);
  int status = pthread_create(&w->thread, &attr, run_worker, w);
  if (status != 0) atomic_fetch_sub(&w->pool->refs, 1);
  pthread_sigmask(SIG_SETMASK, &former, NULL);
  pthread_attr_destroy(&attr);
  return status;
}

bool pti_workers_start(pti_worker_pool *pool) {
  int status = 0;
  pthread_mutex_lock(&pool->mutex);
  while (pool->alive < pool->n && (status = start_worker(pool->worker[pool->alive])) == 0)
    pool->alive++;
  while (pool->n > pool->alive) free(pool->worker[--pool->n]);
  int n = pool->n;
  pthread_mutex_unlock(&pool->mutex);
  return n > 0 || pti_refuse(PT_EMEMORY, "pool: the system makes no thread: %s", strerror(status));
}

void pti_replace_lost(pti_worker_pool *pool) {
  if (pool->head == NULL) return;
  double now = pt_clock();
  for (int i = 0; i < pool->n; i++) {
    pti_worker *w = pool->worker[i];
    if (w->told == 0 || now - w->told < PATIENCE) continue;
    pti_worker *other = new_worker(pool, w->id);
    if (other == NULL || start_worker(other) != 0) {
      free(other);
      return;
    }
    pool->worker[i] = other;
    w->lost = true;
    pthread_detach(w->thread);
  }
}

void pti_workers_close(pti_worker_pool *pool, bool terminate) {
  if (pti_is_forked(pool)) return;
  pthread_mutex_lock(&pool->mutex);
  pool->closing = true;
  if (terminate) {
    while (pool->head) {
      atomic_store(&pool->head->cancelled, true);
      pti_job_changed(pool->head);
      pti_unlink_job(pool, pool->head);
    }
    for (int i = 0; i < pool->n; i++)
      if (pool->worker[i]->job) {
        atomic_store(&pool->worker[i]->job->cancelled, true);
        pti_job_changed(pool->worker[i]->job);
      }
    pti_interrupt_job(pool, NULL, 0);
  }
  atomic_fetch_add(&pool->news, 1);
  pthread_cond_broadcast(&pool->work);
  pthread_mutex_unlock(&pool->mutex);
}

/* A thread that does not end, asleep in the system perhaps, is left behind with what it holds. */
bool pti_workers_join(pti_worker_pool *pool, double seconds) {
  if (pti_is_forked(pool)) return true;
  double end = pt_clock() + seconds, left;
  pthread_mutex_lock(&pool->mutex);
  while (pool->alive > 0 && (left = end - pt_clock()) > 0 && pti_poll())
    pti_wait_slice(&pool->ended, &pool->mutex, left);
  bool ended = pool->alive == 0, join = ended && !pool->joined;
  pool->joined = pool->joined || ended;
  pthread_mutex_unlock(&pool->mutex);
  for (int i = 0; join && i < pool->n; i++) pthread_join(pool->worker[i]->thread, NULL);
  return ended;
}

void pti_workers_abandon(pti_worker_pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  bool first = !pool->joined;
  pool->joined = true;
  pthread_mutex_unlock(&pool->mutex);
  if (pti_is_forked(pool)) return;
  for (int i = 0; first && i < pool->n; i++) pthread_detach(pool->worker[i]->thread);
}
