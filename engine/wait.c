/* wait.c: waiting for another thread: asleep, in slices so that interrupts are noticed, or spinning. */
#include "wait.h"

#include <math.h>
#include <time.h>

#include "pool.h"

static const double SLICE = 0.02, SPIN = 100e-6;

static struct timespec after(double seconds) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  double whole = floor(seconds);
  t.tv_sec += (time_t)whole;
  t.tv_nsec += (long)((seconds - whole) * 1e9);
  if (t.tv_nsec >= 1000000000) {
    t.tv_nsec -= 1000000000;
    t.tv_sec++;
  }
  return t;
}

void pti_init_cond(pthread_cond_t *cond) {
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(cond, &attr);
  pthread_condattr_destroy(&attr);
}

void pti_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, double seconds) {
  struct timespec until = after(seconds);
  pthread_cond_timedwait(cond, mutex, &until);
}

void pti_wait_slice(pthread_cond_t *cond, pthread_mutex_t *mutex, double seconds) {
  bool counted = pti_this.worker != NULL;
  if (counted) pti_worker_leave();
  pti_wait_until(cond, mutex, seconds < SLICE ? seconds : SLICE);
  if (counted) pti_worker_enter();
}

/* A sleeping thread wakes after 40 to 90 us, and SPIN is longer than that, so that two threads that take turns go back
   to spinning after one of them has slept. Where cores are busy or tasks are long, spinning is wasted: a thread that
   spun in vain sleeps at once the next time, then the next three times, up to PAUSE times. */
void pti_spin(const atomic_uint *news, unsigned seen) {
  enum { PAUSE = 63 };
  static PTI_THREAD int pause, skips;
  if (pt_get_num_threads() < 2 || (skips > 0 && skips-- > 0)) return;
  double until = pt_clock() + SPIN;
  while (atomic_load_explicit(news, memory_order_acquire) == seen) {
    if (pt_clock() > until || !pti_core_free()) {
      pause = pause < PAUSE ? 2 * pause + 1 : PAUSE;
      skips = pause;
      return;
    }
    for (int i = 0; i < 8; i++) pti_relax();
  }
  pause = 0;
}

void pti_wait_spinning(const atomic_uint *news, pthread_mutex_t *mutex) {
  bool counted = pti_this.worker != NULL;
  unsigned seen = atomic_load(news);
  pthread_mutex_unlock(mutex);
  if (counted) pti_worker_leave();
  pti_spin(news, seen);
  if (counted) pti_worker_enter();
  pthread_mutex_lock(mutex);
}
