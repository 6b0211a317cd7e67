/* queue.c: pools and jobs as the threads share them: who owns what, who waits for whom. No Lua here. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker.h"

enum { STACK = 1 << 20 };
static const double PATIENCE = 0.5;

/* ---- pools ---- */

static pl_worker *new_worker(pl_pool *pool, int id) {
  pl_worker *w = calloc(1, sizeof *w);
  if (w == NULL) return NULL;
  w->pool = pool;
  w->id = id;
  return w;
}

static void free_pool(pl_pool *pool) {
  for (int i = 0; i < pool->n; i++) free(pool->worker[i]);
  free(pool->worker);
  free(pool);
}

pl_pool *pl_pool_new(int n) {
  pl_pool *pool = calloc(1, sizeof *pool);
  if (pool) pool->worker = calloc((size_t)n, sizeof *pool->worker);
  bool ok = pool && pool->worker;
  while (ok && pool->n < n) {
    pl_worker *w = new_worker(pool, pool->n + 1);
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
  free_pool(pool);
}

/* Signals are the host's: workers block all but their own, which they let through once they are ready for it. The
   mutex is held. */
static int start_worker(pl_worker *w) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, STACK);
  sigset_t all, former;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &former);
  atomic_fetch_add(&w->pool->refs, 1);
  int status = pthread_create(&w->thread, &attr, pl_worker_main, w);
  if (status != 0) atomic_fetch_sub(&w->pool->refs, 1);
  pthread_sigmask(SIG_SETMASK, &former, NULL);
  pthread_attr_destroy(&attr);
  return status;
}

bool pl_pool_start(pl_pool *pool) {
  int status = 0;
  pthread_mutex_lock(&pool->mutex);
  while (pool->alive < pool->n && (status = start_worker(pool->worker[pool->alive])) == 0)
    pool->alive++;
  while (pool->n > pool->alive) free(pool->worker[--pool->n]);
  int n = pool->n;
  pthread_mutex_unlock(&pool->mutex);
  return n > 0 || pti_refuse(PT_EMEMORY, "pool: the system makes no thread: %s", strerror(status));
}

void pl_replace_lost(pl_pool *pool) {
  if (pool->head == NULL) return;
  double now = pt_clock();
  for (int i = 0; i < pool->n; i++) {
    pl_worker *w = pool->worker[i];
    if (w->told == 0 || now - w->told < PATIENCE) continue;
    pl_worker *other = new_worker(pool, w->id);
    if (other == NULL || start_worker(other) != 0) {
      free(other);
      return;
    }
    pool->worker[i] = other;
    w->lost = true;
    pthread_detach(w->thread);
  }
}

static bool is_forked(const pl_pool *pool) { return pool->pid != (int)getpid(); }

void pl_pool_close(pl_pool *pool, bool terminate) {
  if (is_forked(pool)) return;
  pthread_mutex_lock(&pool->mutex);
  pool->closing = true;
  if (terminate) {
    while (pool->head) {
      atomic_store(&pool->head->cancelled, true);
      pl_job_changed(pool->head);
      pl_unlink_job(pool, pool->head);
    }
    for (int i = 0; i < pool->n; i++)
      if (pool->worker[i]->job) {
        atomic_store(&pool->worker[i]->job->cancelled, true);
        pl_job_changed(pool->worker[i]->job);
      }
    pl_interrupt_job(pool, NULL, 0);
  }
  atomic_fetch_add(&pool->news, 1);
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
  for (int i = 0; join && i < pool->n; i++) pthread_join(pool->worker[i]->thread, NULL);
  return ended;
}

void pl_pool_abandon(pl_pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  bool first = !pool->joined;
  pool->joined = true;
  pthread_mutex_unlock(&pool->mutex);
  if (is_forked(pool)) return;
  for (int i = 0; first && i < pool->n; i++) pthread_detach(pool->worker[i]->thread);
}

/* ---- jobs ---- */

pl_job *pl_job_new(pl_pool *pool, int64_t n) {
  pl_job *job = (uint64_t)n < SIZE_MAX / 16
                    ? calloc(1, sizeof *job + ((size_t)n + 1) * sizeof(size_t))
                    : NULL;
  if (job == NULL) return pti_fail(PT_EMEMORY, "pool: out of memory for %lld tasks", (long long)n);
  atomic_init(&job->refs, 1);
  atomic_init(&job->stop, n);
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
  free(job->path);
  free(job->cpath);
  pl_pool *pool = job->pool;
  free(job);
  pl_pool_release(pool);
}

int64_t pl_call_workers(pl_pool *pool, int64_t tasks) {
  int64_t n = pti_min64(tasks - pool->spinning, pool->asleep - pool->called);
  if (n <= 0) return 0;
  pool->called += (int)n;
  return n;
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
  }
  int64_t called = open ? pl_call_workers(pool, job->n) : 0;
  pthread_mutex_unlock(&pool->mutex);
  atomic_fetch_add(&pool->news, 1); /* those who look come for the mutex at once */
  for (; called > 0; called--) pthread_cond_signal(&pool->work);
  return open || pti_refuse(PT_EARG, "the pool is closed");
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
  pl_job_changed(job);
  pthread_mutex_unlock(&pool->mutex);
}

/* Those who look come for the mutex at once: they are told last. */
void pl_job_changed(pl_job *job) {
  pl_waiter *w = job->waiter;
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
static pl_chunk *take_first(pl_job *job, bool ordered, int64_t cursor) {
  pl_chunk *chunk = job->head;
  if (chunk == NULL || (ordered && chunk->lo != cursor)) return NULL;
  job->head = chunk->after;
  *(chunk->after ? &chunk->after->before : &job->tail) = NULL;
  return chunk;
}

static bool is_over(const pl_job *job) {
  if (atomic_load(&job->cancelled))
    return true; /* whatever still runs: its results are not wanted */
  return job->running == 0 && (job->next >= job->n || job->next >= atomic_load(&job->stop));
}

/* Do the tasks that are to come leave a core to whoever waits for them? The mutex is held. */
static bool leaves_core(const pl_job *job) {
  return job->n - job->next + job->running < pt_get_num_threads();
}

pl_chunk *pl_job_take(pl_job *job, bool ordered, int64_t cursor, double seconds, bool *over) {
  pl_pool *pool = job->pool;
  double end = pt_clock() + seconds;
  pl_chunk *chunk;
  bool spun = seconds <= 0;
  *over = false;
  pthread_mutex_lock(&pool->mutex);
  while ((chunk = take_first(job, ordered, cursor)) == NULL) {
    double left = end - pt_clock();
    *over = is_over(job) || pool->broken;
    if (*over || left <= 0 || !pti_poll()) break;
    if (!spun && leaves_core(job)) {
      pl_wait_spinning(&job->news, &pool->mutex);
      spun = true;
      continue;
    }
    pl_wait_slice(&job->change, &pool->mutex, left);
    pl_replace_lost(pool);
  }
  /* After a failure the tasks between the last chunk taken and the failed one are missing: out of order then. */
  if (chunk == NULL && *over) chunk = take_first(job, false, 0);
  if (chunk) *over = false;
  pthread_mutex_unlock(&pool->mutex);
  return chunk;
}

/* Whether pl_job_take has something to say; if not, `w` (or NULL) is told when it has. */
static bool ask_job(pl_job *job, int64_t cursor, pl_waiter *w) {
  pl_pool *pool = job->pool;
  pthread_mutex_lock(&pool->mutex);
  pl_replace_lost(pool);
  bool ready = is_over(job) || pool->broken || (job->head && job->head->lo == cursor);
  job->waiter = w;
  pthread_mutex_unlock(&pool->mutex);
  return ready;
}

void pl_jobs_wait(pl_job *const *job, const int64_t *cursor, bool *ready, int n, double seconds) {
  double end = pt_clock() + seconds, left;
  pl_waiter w = {.mutex = PTHREAD_MUTEX_INITIALIZER};
  pl_init_cond(&w.change);
  bool any = false;
  do {
    for (int i = 0; i < n; i++) any |= ready[i] = ask_job(job[i], cursor[i], &w);
    pthread_mutex_lock(&w.mutex);
    while (!any && !w.news && (left = end - pt_clock()) > 0 && pti_poll())
      pl_wait_slice(&w.change, &w.mutex, left);
    w.news = false;
    pthread_mutex_unlock(&w.mutex);
  } while (!any && end > pt_clock() && pti_poll());
  for (int i = 0; i < n; i++) ready[i] = ask_job(job[i], cursor[i], NULL);
  pthread_cond_destroy(&w.change);
  pthread_mutex_destroy(&w.mutex);
}
