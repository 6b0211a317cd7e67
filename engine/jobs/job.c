/* job.c: jobs of a pool: queued, cancelled, and their results taken. */
#include "jobs/jobs.h"

#include <stdlib.h>

#include "wait.h"

pti_job *pti_job_new(pti_worker_pool *pool, int64_t n, size_t size, void (*drop)(pti_job *job)) {
  pti_job *job = calloc(1, size);
  if (job == NULL) return pti_fail(PT_EMEMORY, "pool: out of memory for %lld tasks", (long long)n);
  atomic_init(&job->refs, 1);
  atomic_init(&job->stop, n);
  job->n = n;
  job->drop = drop;
  job->pool = pool;
  atomic_fetch_add(&pool->refs, 1);
  pti_init_cond(&job->change);
  return job;
}

void pti_chunk_free(pti_chunk *chunk) {
  if (chunk == NULL) return;
  pti_packet_free(&chunk->packet);
  free(chunk);
}

void pti_job_release(pti_job *job) {
  if (job == NULL || atomic_fetch_sub(&job->refs, 1) != 1) return;
  for (pti_chunk *chunk = job->head, *after; chunk; chunk = after) {
    after = chunk->after;
    pti_chunk_free(chunk);
  }
  job->drop(job);
  pthread_cond_destroy(&job->change);
  pti_worker_pool *pool = job->pool;
  free(job);
  pti_workers_release(pool);
}

bool pti_job_queue(pti_job *job) {
  pti_worker_pool *pool = job->pool;
  if (pti_is_forked(pool))
    return pti_fail(PT_EARG, "this pool belongs to the process that was forked");
  pthread_mutex_lock(&pool->mutex);
  bool open = !pool->closing;
  if (open && job->n > 0) {
    atomic_fetch_add(&job->refs, 1);
    *(pool->tail ? &pool->tail->link : &pool->head) = job;
    pool->tail = job;
  }
  int64_t called = open ? pti_call_workers(pool, job->n) : 0;
  pthread_mutex_unlock(&pool->mutex);
  atomic_fetch_add(&pool->news, 1); /* last: threads that spin take the mutex at once */
  for (; called > 0; called--) pthread_cond_signal(&pool->work);
  return open || pti_refuse(PT_EARG, "the pool is closed");
}

void pti_unlink_job(pti_worker_pool *pool, pti_job *job) {
  pti_job *before = NULL;
  for (pti_job *at = pool->head; at; before = at, at = at->link) {
    if (at != job) continue;
    *(before ? &before->link : &pool->head) = job->link;
    if (pool->tail == job) pool->tail = before;
    job->link = NULL;
    pti_job_release(job);
    return;
  }
}

void pti_job_cancel(pti_job *job) {
  pti_worker_pool *pool = job->pool;
  if (pti_is_forked(pool)) return;
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&job->cancelled, true);
  pti_unlink_job(pool, job);
  pti_interrupt_job(pool, job, 0);
  pti_job_changed(job);
  pthread_mutex_unlock(&pool->mutex);
}

void pti_job_fail(pti_worker *w, int64_t task) {
  pti_job *job = w->job;
  pthread_mutex_lock(&w->pool->mutex);
  if (task + 1 < atomic_load(&job->stop)) atomic_store(&job->stop, task + 1);
  w->job = NULL; /* not itself */
  pti_interrupt_job(w->pool, job, task + 1);
  w->job = job;
  pthread_mutex_unlock(&w->pool->mutex);
}

void pti_job_add(pti_job *job, pti_chunk *chunk) {
  pti_chunk *before = job->tail;
  while (before && before->lo > chunk->lo) before = before->before;
  chunk->before = before;
  chunk->after = before ? before->after : job->head;
  *(before ? &before->after : &job->head) = chunk;
  *(chunk->after ? &chunk->after->before : &job->tail) = chunk;
}

/* Threads that spin take the mutex at once, so `news` changes last. */
void pti_job_changed(pti_job *job) {
  pti_waiter *w = job->waiter;
  if (w) {
    pthread_mutex_lock(&w->mutex);
    w->news = true;
    pthread_cond_signal(&w->change);
    pthread_mutex_unlock(&w->mutex);
  }
  pthread_cond_broadcast(&job->change);
  atomic_fetch_add(&job->news, 1);
}

/* The mutex is held. */
static pti_chunk *take_first(pti_job *job, bool ordered, int64_t cursor) {
  pti_chunk *chunk = job->head;
  if (chunk == NULL || (ordered && chunk->lo != cursor)) return NULL;
  job->head = chunk->after;
  *(chunk->after ? &chunk->after->before : &job->tail) = NULL;
  return chunk;
}

static bool is_over(const pti_job *job) {
  if (atomic_load(&job->cancelled))
    return true; /* the results of tasks that still run are not wanted */
  return job->running == 0 && (job->next >= job->n || job->next >= atomic_load(&job->stop));
}

/* Whether the tasks that are left leave a core to the thread that waits for them. The mutex is held. */
static bool leaves_core(const pti_job *job) {
  return job->n - job->next + job->running < pt_get_num_threads();
}

pti_chunk *pti_job_take(pti_job *job, bool ordered, int64_t cursor, double seconds, bool *over) {
  pti_worker_pool *pool = job->pool;
  double end = pt_clock() + seconds;
  pti_chunk *chunk;
  bool spun = seconds <= 0;
  *over = false;
  pthread_mutex_lock(&pool->mutex);
  while ((chunk = take_first(job, ordered, cursor)) == NULL) {
    double left = end - pt_clock();
    *over = is_over(job) || pool->broken;
    if (*over || left <= 0 || !pti_poll()) break;
    if (!spun && leaves_core(job)) {
      pti_wait_spinning(&job->news, &pool->mutex);
      spun = true;
      continue;
    }
    pti_wait_slice(&job->change, &pool->mutex, left);
    pti_replace_lost(pool);
  }
  /* After a failure the tasks between the last chunk taken and the failed one are missing: out of order then. */
  if (chunk == NULL && *over) chunk = take_first(job, false, 0);
  if (chunk) *over = false;
  pthread_mutex_unlock(&pool->mutex);
  return chunk;
}

/* Whether pti_job_take would return at once; if not, `w` (or NULL) is woken when it would. */
static bool ask_job(pti_job *job, int64_t cursor, pti_waiter *w) {
  pti_worker_pool *pool = job->pool;
  pthread_mutex_lock(&pool->mutex);
  pti_replace_lost(pool);
  bool ready = is_over(job) || pool->broken || (job->head && job->head->lo == cursor);
  job->waiter = w;
  pthread_mutex_unlock(&pool->mutex);
  return ready;
}

void pti_jobs_wait(pti_job *const *job, const int64_t *cursor, bool *ready, int n, double seconds) {
  double end = pt_clock() + seconds, left;
  if (n == 0) return; /* nothing could ever come */
  pti_waiter w = {.mutex = PTHREAD_MUTEX_INITIALIZER};
  pti_init_cond(&w.change);
  bool any = false;
  do {
    for (int i = 0; i < n; i++) any |= ready[i] = ask_job(job[i], cursor[i], &w);
    pthread_mutex_lock(&w.mutex);
    while (!any && !w.news && (left = end - pt_clock()) > 0 && pti_poll())
      pti_wait_slice(&w.change, &w.mutex, left);
    w.news = false;
    pthread_mutex_unlock(&w.mutex);
  } while (!any && end > pt_clock() && pti_poll());
  for (int i = 0; i < n; i++) ready[i] = ask_job(job[i], cursor[i], NULL);
  pthread_cond_destroy(&w.change);
  pthread_mutex_destroy(&w.mutex);
}
