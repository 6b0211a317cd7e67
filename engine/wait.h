/* wait.h: how threads wait for each other. */
#ifndef PTI_WAIT_H
#define PTI_WAIT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base.h"

/* A condition variable that uses the monotonic clock. */
void pti_init_cond(pthread_cond_t *cond);
void pti_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, double seconds);
/* Waits for one slice, at most `seconds`; the caller then asks pti_poll. A worker that waits gives its core away. */
void pti_wait_slice(pthread_cond_t *cond, pthread_mutex_t *mutex, double seconds);

/* Spins for some microseconds until *news is no longer `seen`, which is faster than to sleep and be woken. */
void pti_spin(const atomic_uint *news, unsigned seen);
/* The same for a thread that holds the mutex, which it lets go of meanwhile, as a worker does of its core. */
void pti_wait_spinning(const atomic_uint *news, pthread_mutex_t *mutex);

#endif
