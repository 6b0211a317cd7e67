/* rng.c: each thread's default generator. The numbers themselves come from pti_philox; a generator
   only says where in its stream the next draw begins. */
#include "rng.h"

#include <sys/random.h>

static _Thread_local pti_generator generator;
static _Thread_local bool seeded;

void pti_set_generator(pti_generator g) {
  generator = g;
  seeded = true;
}

pti_generator pti_swap_generator(pti_generator g) {
  pti_generator was = *pti_default_generator();
  pti_set_generator(g);
  return was;
}

void pt_manual_seed(uint64_t seed) { pti_set_generator((pti_generator){.seed = seed}); }

uint64_t pti_fresh_seed(void) {
  uint64_t seed;
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == (ssize_t)sizeof seed) return seed;
  uint32_t word[4];
  pti_philox((uint64_t)(pt_clock() * 1e9), (uint64_t)(uintptr_t)&generator, 0, word);
  return (uint64_t)word[1] << 32 | word[0];
}

pti_generator *pti_default_generator(void) {
  if (!seeded) pt_manual_seed(pti_fresh_seed());
  return &generator;
}

uint64_t pti_generator_take(pti_generator *g, int64_t n) {
  uint64_t first = g->offset;
  if (n > 0) g->offset += (uint64_t)n / 4 + (n % 4 != 0);
  return first;
}
