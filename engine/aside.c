/* aside.c: a thread for each piece of work, which is long enough for that not to count. */
#include "aside.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"
#include "wait.h"

typedef struct aside {
  bool (*work)(void *ctx);
  void (*drop)(void *ctx);
  void *ctx;
  pti_thread caller; /* as it was: its limits hold for the work */
  pthread_mutex_t mutex;
  pthread_cond_t change;
  bool over, done;
  _Atomic int left; /* the work's interrupt */
  pt_status code;   /* of a failure */
  char why[256];
} aside;

/* ---- the end of the process ---- */

static struct {
  pthread_mutex_t mutex;
  pthread_cond_t change;
  int count; /* works that were left and go on */
} left_over = {.mutex = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

static void await_them(void) {
  pthread_mutex_lock(&left_over.mutex);
  while (left_over.count > 0) pthread_cond_wait(&left_over.change, &left_over.mutex);
  pthread_mutex_unlock(&left_over.mutex);
}

/* The child of a fork has none of these threads. */
static void after_fork(void) {
  pthread_mutex_init(&left_over.mutex, NULL);
  pthread_cond_init(&left_over.change, NULL);
  left_over.count = 0;
}

/* When the first work is left its library is loaded, so that this handler comes before the library's. */
static void watch_exit(void) {
  atexit(await_them);
  pthread_atfork(NULL, NULL, after_fork);
}

static void count_left(int delta) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, watch_exit);
  pthread_mutex_lock(&left_over.mutex);
  left_over.count += delta;
  pthread_cond_broadcast(&left_over.change);
  pthread_mutex_unlock(&left_over.mutex);
}

/* ---- both sides ---- */

static aside *aside_new(bool (*work)(void *), void (*drop)(void *), void *ctx) {
  aside *a = calloc(1, sizeof *a);
  if (a == NULL) return NULL;
  *a = (aside){.work = work, .drop = drop, .ctx = ctx, .caller = pti_this};
  pthread_mutex_init(&a->mutex, NULL);
  pti_init_cond(&a->change);
  return a;
}

static void aside_free(aside *a) {
  pthread_cond_destroy(&a->change);
  pthread_mutex_destroy(&a->mutex);
  free(a);
}

static void *run(void *arg) {
  aside *a = arg;
  pti_this.threads = a->caller.threads;
  pti_this.account = a->caller.account;
  pti_this.interrupt = &a->left;
  pti_worker_enter();
  bool done = a->work(a->ctx);
  pti_worker_leave();
  pthread_mutex_lock(&a->mutex);
  a->over = true;
  a->done = done;
  a->code = pt_error_code();
  memcpy(a->why, pt_error(), strnlen(pt_error(), sizeof a->why - 1));
  bool alone = atomic_load(&a->left);
  pthread_cond_signal(&a->change);
  pthread_mutex_unlock(&a->mutex);
  if (!alone) return NULL; /* the caller joins */
  pti_this = (pti_thread){0};
  a->drop(a->ctx);
  aside_free(a);
  count_left(-1);
  return NULL;
}

/* Whether the work is over; it is not where the caller was told to stop, and left. */
static bool await(aside *a) {
  pthread_mutex_lock(&a->mutex);
  while (!a->over && pti_poll()) pti_wait_slice(&a->change, &a->mutex, 1);
  bool over = a->over;
  if (!over) {
    count_left(1);
    atomic_store(&a->left, 1);
  }
  pthread_mutex_unlock(&a->mutex);
  return over;
}

/* Signals are for threads of the host. */
static bool start(pthread_t *thread, aside *a) {
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  bool started = pthread_create(thread, NULL, run, a) == 0;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return started;
}

pti_aside_end pti_aside(bool (*work)(void *), void (*drop)(void *), void *ctx) {
  aside *a = aside_new(work, drop, ctx);
  pthread_t thread;
  if (a == NULL || !start(&thread, a)) { /* late where it is interrupted, but done */
    if (a) aside_free(a);
    return work(ctx) ? PTI_ASIDE_DONE : PTI_ASIDE_FAILED;
  }
  if (!await(a)) {
    pthread_detach(thread);
    return PTI_ASIDE_LEFT;
  }
  pthread_join(thread, NULL);
  bool done = a->done;
  if (!done) pti_fail(a->code, "%s", a->why);
  aside_free(a);
  return done ? PTI_ASIDE_DONE : PTI_ASIDE_FAILED;
}
