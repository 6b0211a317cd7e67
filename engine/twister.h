/* twister.h: the Mersenne twister mt19937 (Matsumoto and Nishimura, 1998) as PyTorch's CPU generator keeps it, with the
   normal numbers that it holds back. Sequential: a word depends on all words before it. Read by the engine and by the
   CPU's kernels. */
#ifndef PTI_TWISTER_H
#define PTI_TWISTER_H

#include <stdbool.h>
#include <stdint.h>

enum { PTI_TWISTER_N = 624, PTI_TWISTER_M = 397 };

typedef struct pti_twister {
  uint64_t seed;
  uint32_t word[PTI_TWISTER_N];
  uint32_t next, left; /* the next word; words until the state is renewed, and 1 */
  double spare;        /* Box and Muller's second number, */
  bool has_spare;      /* while nobody has drawn it */
  float float_spare;   /* PyTorch's states have one of these too; kept, never drawn */
  bool has_float_spare;
} pti_twister;

static inline uint32_t pti_twister_twist(uint32_t u, uint32_t v) {
  return (((u & 0x80000000u) | (v & 0x7fffffffu)) >> 1) ^ (0x9908b0dfu & (0u - (v & 1)));
}

static inline void pti_twister_renew(pti_twister *t) {
  uint32_t *w = t->word;
  int i = 0, ahead = PTI_TWISTER_M, behind = PTI_TWISTER_N - PTI_TWISTER_M;
  for (; i < behind; i++) w[i] = w[i + ahead] ^ pti_twister_twist(w[i], w[i + 1]);
  for (; i < PTI_TWISTER_N - 1; i++) w[i] = w[i - behind] ^ pti_twister_twist(w[i], w[i + 1]);
  w[i] = w[i - behind] ^ pti_twister_twist(w[i], w[0]);
  t->left = PTI_TWISTER_N;
  t->next = 0;
}

/* The next 32 random bits. */
static inline uint32_t pti_twister_word(pti_twister *t) {
  if (--t->left == 0) pti_twister_renew(t);
  uint32_t y = t->word[t->next++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

/* The next 64, of which the upper half comes first. */
static inline uint64_t pti_twister_word64(pti_twister *t) {
  uint64_t high = pti_twister_word(t);
  return high << 32 | pti_twister_word(t);
}

#endif
