/* rng.h: generators of random numbers. The usual one is Philox 4x32-10 (Salmon et al., 2011), which is counter-based:
   element i of a draw depends on (seed, offset, i) alone, so the numbers are the same for any number of threads and on
   any device. The other one is PyTorch's mt19937, for those who want PyTorch's numbers: one after another, on the
   host. */
#ifndef PTI_RNG_H
#define PTI_RNG_H

#include "base.h"
#include "philox.h"
#include "twister.h"

/* A copy moves the twister: the generator that is kept owns it. */
typedef struct pti_generator {
  uint64_t seed;
  uint64_t stream;      /* a task of a pool has its own */
  uint64_t offset;      /* draws made so far, in units of 4 numbers */
  pti_twister *twister; /* draws PyTorch's numbers; NULL: Philox */
} pti_generator;

/* The thread's default generator. */
pti_generator *pti_default_generator(void);
/* A seed that differs between runs and between threads. */
uint64_t pti_fresh_seed(void);
/* Sets the thread's default generator to a state read from it or from another; what it had is freed. */
void pti_set_generator(pti_generator g);
/* The same; returns where it was. */
pti_generator pti_swap_generator(pti_generator g);
/* Frees what a generator owns. */
void pti_drop_generator(pti_generator *g);
/* Reserves counters for n elements and returns the first. */
uint64_t pti_generator_take(pti_generator *g, int64_t n);

void pti_twister_seed(pti_twister *t, uint64_t seed);
/* The bytes of torch.get_rng_state(). */
enum { PTI_TWISTER_STATE = 5056 };
void pti_twister_save(const pti_twister *t, unsigned char state[PTI_TWISTER_STATE]);
/* Makes the thread's generator PyTorch's, at that state. False after an error: no state of PyTorch's, no memory. */
bool pti_twister_load(const unsigned char *state, size_t size);

#endif
