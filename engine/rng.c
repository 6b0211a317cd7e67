/* rng.c: each thread's default generator. The numbers themselves come from pti_philox or from the twister; a generator
   says where in its stream the next draw begins. */
#include "rng.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static _Thread_local pti_generator generator;
static _Thread_local bool seeded;

/* ---- the thread's twister, which ends with it ---- */

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void make_key(void) { pthread_key_create(&key, free); }

/* The thread frees g's twister when it ends, in place of the one that it had. */
static void keep(pti_generator g) {
  if (g.twister || generator.twister) {
    pthread_once(&once, make_key);
    pthread_setspecific(key, g.twister);
  }
  generator = g;
  seeded = true;
}

void pti_drop_generator(pti_generator *g) {
  free(g->twister);
  g->twister = NULL;
}

/* ---- the default generator ---- */

void pti_set_generator(pti_generator g) {
  pti_generator was = generator;
  keep(g);
  if (was.twister != g.twister) pti_drop_generator(&was);
}

pti_generator pti_swap_generator(pti_generator g) {
  pti_generator was = *pti_default_generator();
  keep(g);
  return was;
}

void pt_manual_seed(uint64_t seed) { pti_set_generator((pti_generator){.seed = seed}); }

void pti_twister_seed(pti_twister *t, uint64_t seed) {
  *t = (pti_twister){.seed = seed, .word = {(uint32_t)seed}, .left = 1};
  for (uint32_t i = 1; i < PTI_TWISTER_N; i++)
    t->word[i] = 1812433253u * (t->word[i - 1] ^ t->word[i - 1] >> 30) + i;
}

bool pt_manual_seed_pytorch(uint64_t seed) {
  pti_twister *t = calloc(1, sizeof *t);
  if (t == NULL) return pti_refuse(PT_EMEMORY, "manual_seed: no memory for a generator");
  pti_twister_seed(t, seed);
  pti_set_generator((pti_generator){.seed = seed, .twister = t});
  return true;
}

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

/* ---- PyTorch's state: a C struct of x86-64, little-endian, of which not all is used ---- */

enum {
  SEED = 0,
  LEFT = 8,
  SEEDED = 12,
  NEXT = 16,
  WORDS = 24,
  SPARE = 5024,
  HAS_SPARE = 5040,
  FLOAT_SPARE = 5048,
  HAS_FLOAT_SPARE = 5052
};

static void put(unsigned char *at, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; i++) at[i] = (unsigned char)(v >> 8 * i);
}
static uint64_t get(const unsigned char *at, int bytes) {
  uint64_t v = 0;
  for (int i = 0; i < bytes; i++) v |= (uint64_t)at[i] << 8 * i;
  return v;
}

void pti_twister_save(const pti_twister *t, unsigned char state[PTI_TWISTER_STATE]) {
  uint64_t spare;
  uint32_t float_spare;
  memset(state, 0, PTI_TWISTER_STATE);
  put(state + SEED, t->seed, 8);
  put(state + LEFT, t->left, 4);
  put(state + SEEDED, 1, 4);
  put(state + NEXT, t->next, 8);
  for (int i = 0; i < PTI_TWISTER_N; i++) put(state + WORDS + 8 * i, t->word[i], 8);
  memcpy(&spare, &t->spare, sizeof spare);
  memcpy(&float_spare, &t->float_spare, sizeof float_spare);
  if (t->has_spare) put(state + SPARE, spare, 8);
  put(state + HAS_SPARE, t->has_spare, 4);
  if (t->has_float_spare) put(state + FLOAT_SPARE, float_spare, 4);
  put(state + HAS_FLOAT_SPARE, t->has_float_spare, 1);
}

bool pti_twister_load(const unsigned char *state, size_t size) {
  const char *wrong = "a state of PyTorch's generator";
  if (size != PTI_TWISTER_STATE)
    return pti_refuse(PT_EARG, "%s has %d bytes, not %zu", wrong, PTI_TWISTER_STATE, size);
  uint64_t left = get(state + LEFT, 4), next = get(state + NEXT, 8);
  bool fresh = left == 1 && next == 0; /* no word was drawn */
  bool whole = fresh || (left >= 1 && left <= PTI_TWISTER_N && next + left == PTI_TWISTER_N + 1);
  if (get(state + SEEDED, 4) != 1 || !whole)
    return pti_refuse(PT_EARG, "these %zu bytes are not %s", size, wrong);
  pti_twister *t = calloc(1, sizeof *t);
  if (t == NULL) return pti_refuse(PT_EMEMORY, "no memory for a generator");
  t->seed = get(state + SEED, 8);
  t->left = (uint32_t)left;
  t->next = (uint32_t)next;
  for (int i = 0; i < PTI_TWISTER_N; i++) t->word[i] = (uint32_t)get(state + WORDS + 8 * i, 8);
  uint64_t spare = get(state + SPARE, 8);
  uint32_t float_spare = (uint32_t)get(state + FLOAT_SPARE, 4);
  memcpy(&t->spare, &spare, sizeof spare);
  memcpy(&t->float_spare, &float_spare, sizeof float_spare);
  t->has_spare = get(state + HAS_SPARE, 4) != 0;
  t->has_float_spare = get(state + HAS_FLOAT_SPARE, 1) != 0;
  pti_set_generator((pti_generator){.seed = t->seed, .twister = t});
  return true;
}
