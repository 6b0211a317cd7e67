/* lua_queue.c: pools and jobs as the threads share them: who owns what, who waits for whom. No Lua here. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua_worker.h"

enum { STACK = 1 << 20 };
/* ---- pools ---- */

pl_pool *pl_pool_new(int n) {
  pl_pool *pool = calloc(1, sizeof *pool);
  pl_worker *worker = calloc((size_t)n, sizeof *worker);
  if (pool == NULL || worker == NULL) {
    free(pool);
    free(worker);
    return pti_fail(PT_EMEMORY, "pool: out of memory");
  }
  for (int i = 0; i < n; i++) {
    worker[i].pool = pool;
    worker[i].id = i + 1;
  }
  pool->worker = worker;
  pool->n = n;
  pool->pid = (int)getpid();
  atomic_init(&pool->refs, 1);
  pthread_mutex_init(&pool->mutex, NULL);
  pl_init_cond(&pool->work);
  pl_init_cond(&pool->ended);
  return pool;
}

void pl_pool_release(pl_pool *pool) {
  if (pool == NULL || atomic_fetch_sub(&pool->refs, 1) != 1) return;
  pthread_mutex_destroy(&pool->mutex);
  pthread_cond_destroy(&pool->work);
  pthread_cond_destroy(&pool->ended);
  pl_packet_free(&pool->initializer);
  free(pool->path);
  free(pool->cpath);
  free(pool->broken);
  free(pool->worker);
  free(pool);
}

/* Signals are the host's: workers block all but their own, which they let through once they are ready for it. */
bool pl_pool_start(pl_pool *pool) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, STACK);
  sigset_t all, former;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &former);
  pthread_mutex_lock(&pool->mutex);
  int status = 0;
  for (int i = 0; i < pool->n && status == 0; i++) {
    atomic_fetch_add(&pool->refs, 1);
    status = pthread_create(&pool->worker[i].thread, &attr, pl_worker_main, &pool->worker[i]);
    if (status == 0) pool->alive++;
    else atomic_fetch_sub(&pool->refs, 1);
  }
  if (status != 0) pool->n = pool->alive;
  int n = pool->n;
  pthread_mutex_unlock(&pool->mutex);
  pthread_sigmask(SIG_SETMASK, &former, NULL);
  pthread_attr_destroy(&attr);
  return n > 0 || pti_fail(PT_EMEMORY, "pool: the system makes no thread: %s", strerror(status));
}

static bool is_forked(const pl_pool *pool) { return pool->pid != (int)getpid(); }

void pl_pool_close(pl_pool *pool, bool terminate) {
  if (is_forked(pool)) return;
  pthread_mutex_lock(&pool->mutex);
  pool->closing = true;
  if (terminate) {
    while (pool->head) {
      atomic_store(&pool->head->cancelled, true);
      pthread_cond_broadcast(&pool->head->change);
      pl_unlink_job(pool, pool->head);
    }
    for (int i = 0; i < pool->n; i++)
      if (pool->worker[i].job) atomic_store(&pool->worker[i].job->cancelled, true);
    pl_interrupt_job(pool, NULL, 0);
  }
  pthread_cond_broadcast(&pool->work);
  pthread_mutex_unlock(&pool->mutex);
}

/* A thread that does not end, asleep in the system perhaps, is left behind with what it holds. */
bool pl_pool_join(pl_pool *pool, double seconds) {
  if (is_forked(pool)) return true;
  double end = pt_clock() + seconds, left;
  pthread_mutex_lock(&pool->mutex);
  while (pool->alive > 0 && (left = end - pt_clock()) > 0 && pti_poll())
    pl_wait_slice(&pool->ended, &pool->mutex, left);
  bool ended = pool->alive == 0, join = ended && !pool->joined;
  pool->joined = pool->joined || ended;
  pthread_mutex_unlock(&pool->mutex);
  for (int i = 0; join && i < pool->n; i++) pthread_join(pool->worker[i].thread, NULL);
  return ended;
}

void pl_pool_abandon(pl_pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  bool first = !pool->joined;
  pool->joined = true;
  pthread_mutex_unlock(&pool->mutex);
  if (is_forked(pool)) return;
  for (int i = 0; first && i < pool->n; i++) pthread_detach(pool->worker[i].thread);
}

/* ---- jobs ---- */

pl_job *pl_job_new(pl_pool *pool, int64_t n) {
  pl_job *job = calloc(1, sizeof *job);
  size_t *offset = calloc((size_t)n + 1, sizeof *offset);
  if (job == NULL || offset == NULL) {
    free(job);
    free(offset);
    return pti_fail(PT_EMEMORY, "pool: out of memory for %lld tasks", (long long)n);
  }
  atomic_init(&job->refs, 1);
  atomic_init(&job->stop, n);
  job->offset = offset;
  job->n = n;
  job->pool = pool;
  atomic_fetch_add(&pool->refs, 1);
  pl_init_cond(&job->change);
  return job;
}

void pl_chunk_free(pl_chunk *chunk) {
  if (chunk == NULL) return;
  pl_packet_free(&chunk->packet);
  free(chunk);
}

void pl_job_release(pl_job *job) {
  if (job == NULL || atomic_fetch_sub(&job->refs, 1) != 1) return;
  for (pl_chunk *chunk = job->head, *after; chunk; chunk = after) {
    after = chunk->after;
    pl_chunk_free(chunk);
  }
  pl_packet_free(&job->code);
  pl_packet_free(&job->args);
  pthread_cond_destroy(&job->change);
  free(job->offset);
  pl_pool *pool = job->pool;
  free(job);
  pl_pool_release(pool);
}

bool pl_job_queue(pl_job *job) {
  pl_pool *pool = job->pool;
  if (is_forked(pool)) return pti_fail(PT_EARG, "this pool belongs to the process that was forked");
  pthread_mutex_lock(&pool->mutex);
  bool open = !pool->closing;
  if (open && job->n > 0) {
    atomic_fetch_add(&job->refs, 1);
    *(pool->tail ? &pool->tail->link : &pool->head) = job;
    pool->tail = job;
    if (job->n == 1) pthread_cond_signal(&pool->work);
    else pthread_cond_broadcast(&pool->work);
  }
  pthread_mutex_unlock(&pool->mutex);
  return open || pti_fail(PT_EARG, "the pool is closed");
}

void pl_unlink_job(pl_pool *pool, pl_job *job) {
  pl_job *before = NULL;
  for (pl_job *at = pool->head; at; before = at, at = at->link) {
    if (at != job) continue;
    *(before ? &before->link : &pool->head) = job->link;
    if (pool->tail == job) pool->tail = before;
    job->link = NULL;
    pl_job_release(job);
    return;
  }
}

void pl_job_cancel(pl_job *job) {
  pl_pool *pool = job->pool;
  if (is_forked(pool)) return;
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&job->cancelled, true);
  pl_unlink_job(pool, job);
  pl_interrupt_job(pool, job, 0);
  pthread_cond_broadcast(&job->change);
  pthread_mutex_unlock(&pool->mutex);
}

/* The mutex is held. */
static pl_chunk *take_first(pl_job *job, bool ordered, int64_t cursor) {
  pl_chunk *chunk = job->head;
  if (chunk == NULL || (ordered && chunk->lo != cursor)) return NULL;
  job->head = chunk->after;
  *(chunk->after ? &chunk->after->before : &job->tail) = NULL;
  return chunk;
}

static bool is_over(const pl_job *job) {
  if (job->running > 0) return false;
  return atomic_load(&job->cancelled) || job->next >= job->n ||
         job->next >= atomic_load(&job->stop);
}

pl_chunk *pl_job_take(pl_job *job, bool ordered, int64_t cursor, double seconds, bool *over) {
  pl_pool *pool = job->pool;
  double end = pt_clock() + seconds;
  pl_chunk *chunk;
  *over = false;
  pthread_mutex_lock(&pool->mutex);
  while ((chunk = take_first(job, ordered, cursor)) == NULL) {
    double left = end - pt_clock();
    *over = is_over(job) || pool->broken;
    if (*over || left <= 0 || !pti_poll()) break;
    pl_wait_slice(&job->change, &pool->mutex, left);
  }
  /* After a failure the tasks between the last chunk taken and the failed one are missing: out of order then. */
  if (chunk == NULL && *over) chunk = take_first(job, false, 0);
  if (chunk) *over = false;
  pthread_mutex_unlock(&pool->mutex);
  return chunk;
}
