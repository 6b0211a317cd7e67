/* rng.h: Philox 4x32-10 (Salmon et al., 2011). Counter-based: element i of a draw depends on (seed,
   offset, i) alone, so the numbers are the same for any number of threads and on any device. */
#ifndef PTI_RNG_H
#define PTI_RNG_H

#include "base.h"
#include "philox.h"

typedef struct pti_generator {
  uint64_t seed;
  uint64_t stream; /* a task of a pool has its own */
  uint64_t offset; /* draws made so far, in units of 4 numbers */
} pti_generator;

/* The thread's default generator. */
pti_generator *pti_default_generator(void);
/* A seed that differs between runs and between threads. */
uint64_t pti_fresh_seed(void);
/* Sets the thread's default generator to a state read from it or from another. */
void pti_set_generator(pti_generator g);
/* The same; returns where it was. */
pti_generator pti_swap_generator(pti_generator g);
/* Reserves counters for n elements and returns the first. */
uint64_t pti_generator_take(pti_generator *g, int64_t n);

#endif
