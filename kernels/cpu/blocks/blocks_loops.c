/* blocks_loops.c: the loops of blocks_loops.h for one CPU level. A product by one row reads each block once, and is limited by
   that: 18 bytes of q4_0 hold 32 numbers. So a block's integers are turned into floats in registers, sixteen at a time,
   multiplied by x, and the sum of 32 products is scaled once.

   Sums stay in sixteen lanes at every level; what differs between levels is that multiplications and additions fuse, and
   that AVX-512 with VNNI multiplies integers (rounded.inc.h). */
#include <string.h>
#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "../level.h"
#include "blocks.h"
#include "blocks_loops.h"

typedef float lanes __attribute__((vector_size(64)));
typedef int32_t words __attribute__((vector_size(64)));
typedef uint8_t bytes __attribute__((vector_size(16)));
typedef int8_t signed_bytes __attribute__((vector_size(16)));
/* The same, wherever they lie in memory. */
typedef float some_lanes __attribute__((vector_size(64), aligned(1), may_alias));
typedef uint8_t some_bytes __attribute__((vector_size(16), aligned(1), may_alias));
typedef int8_t some_signed_bytes __attribute__((vector_size(16), aligned(1), may_alias));

/* Vectors are not passed to functions: without AVX-512 the ABI has no registers for them. */
#define AT(type, from) (*(const some_##type *)(from))
#define FLOATS(to, integers)                                \
  do {                                                      \
    words wide_ = __builtin_convertvector(integers, words); \
    (to) = __builtin_convertvector(wide_, lanes);           \
  } while (0)

/* Keeps gcc from loading a vector byte by byte to convert it. */
#if defined(__SSE2__)
#define WHOLE(v) __asm__("" : "+x"(v))
#else
#define WHOLE(v) ((void)0)
#endif

static inline float half_at(const uint8_t *p) {
#if defined(__F16C__)
  return _cvtsh_ss((unsigned short)(p[0] | p[1] << 8));
#else
  return pti_half_at(p);
#endif
}

static inline float sum_of(const lanes *v) {
  float at[16];
  memcpy(at, v, sizeof at);
  for (int step = 8; step > 0; step /= 2)
    for (int i = 0; i < step; i++) at[i] += at[i + step];
  return at[0];
}

/* ---- each format: 32 of a block's integers as floats ---- */

/* Numbers 32 part .. 32 part + 31 before they are scaled, in two vectors. */
#define NUMBERS_Q8_0(block, part, low, high)          \
  do {                                                \
    signed_bytes a_ = AT(signed_bytes, (block) + 2);  \
    signed_bytes b_ = AT(signed_bytes, (block) + 18); \
    WHOLE(a_);                                        \
    WHOLE(b_);                                        \
    FLOATS(low, a_);                                  \
    FLOATS(high, b_);                                 \
  } while (0)
#if defined(__AVX512F__)
/* One instruction looks sixteen numbers up by the low halves of words. */
#define WORDS(p) _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(p)))
#define LOOK_UP(words, table) ((lanes)_mm512_permutexvar_ps(words, (__m512)(table)))
static const lanes from_0 = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const lanes from_minus_8 = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};
#define NUMBERS_Q4_0(block, part, low, high)                \
  do {                                                      \
    __m512i q_ = WORDS((block) + 2);                        \
    low = LOOK_UP(q_, from_minus_8);                        \
    high = LOOK_UP(_mm512_srli_epi32(q_, 4), from_minus_8); \
  } while (0)
#define NUMBERS_Q4_K(block, part, low, high)                            \
  do {                                                                  \
    __m512i a_ = WORDS((block) + 16 + (part) / 2 * 32);                 \
    __m512i b_ = WORDS((block) + 32 + (part) / 2 * 32);                 \
    low = LOOK_UP((part) % 2 ? _mm512_srli_epi32(a_, 4) : a_, from_0);  \
    high = LOOK_UP((part) % 2 ? _mm512_srli_epi32(b_, 4) : b_, from_0); \
  } while (0)
#else
#define NUMBERS_Q4_0(block, part, low, high)   \
  do {                                         \
    bytes q_ = AT(bytes, (block) + 2);         \
    FLOATS(low, (signed_bytes)(q_ & 15) - 8);  \
    FLOATS(high, (signed_bytes)(q_ >> 4) - 8); \
  } while (0)
#define NUMBERS_Q4_K(block, part, low, high)              \
  do {                                                    \
    bytes a_ = AT(bytes, (block) + 16 + (part) / 2 * 32); \
    bytes b_ = AT(bytes, (block) + 32 + (part) / 2 * 32); \
    FLOATS(low, (part) % 2 ? a_ >> 4 : a_ & 15);          \
    FLOATS(high, (part) % 2 ? b_ >> 4 : b_ & 15);         \
  } while (0)
#endif
#define Q6_K_LOW(v, part) ((part) % 4 < 2 ? (v)&15 : (v) >> 4)
#define Q6_K_HIGH(v, part) (((v) >> 2 * ((part) % 4) & 3) << 4)
#define NUMBERS_Q6_K(block, part, low, high)                                     \
  do {                                                                           \
    const uint8_t *l_ = (block) + (part) / 4 * 64 + (part) % 2 * 32;             \
    const uint8_t *h_ = (block) + 128 + (part) / 4 * 32;                         \
    bytes a_ = AT(bytes, l_);                                                    \
    bytes b_ = AT(bytes, l_ + 16);                                               \
    bytes c_ = AT(bytes, h_);                                                    \
    bytes d_ = AT(bytes, h_ + 16);                                               \
    FLOATS(low, (signed_bytes)(Q6_K_LOW(a_, part) | Q6_K_HIGH(c_, part)) - 32);  \
    FLOATS(high, (signed_bytes)(Q6_K_LOW(b_, part) | Q6_K_HIGH(d_, part)) - 32); \
  } while (0)

/* The scales of both vectors, and what is subtracted from each number. */
typedef struct scales {
  float low, high, minus;
} scales;
static inline scales scales_of(pti_block_format format, const uint8_t *block, int part) {
  switch (format) {
  case PTI_Q4_K: {
    int scale, min;
    pti_q4_k_scale(block + 4, part, &scale, &min);
    float d = half_at(block) * (float)scale;
    return (scales){d, d, half_at(block + 2) * (float)min};
  }
  case PTI_Q6_K: {
    float d = half_at(block + 208);
    const int8_t *s = (const int8_t *)block + 192 + 2 * part;
    return (scales){d * (float)s[0], d * (float)s[1], 0};
  }
  default: {
    float d = half_at(block);
    return (scales){d, d, 0};
  }
  }
}

#define F(name) name##_q8_0
#define FORMAT PTI_Q8_0
#define NUMBERS NUMBERS_Q8_0
#include "format.inc.h"
#define F(name) name##_q4_0
#define FORMAT PTI_Q4_0
#define NUMBERS NUMBERS_Q4_0
#include "format.inc.h"
#define F(name) name##_q4_k
#define FORMAT PTI_Q4_K
#define NUMBERS NUMBERS_Q4_K
#include "format.inc.h"
#define F(name) name##_q6_k
#define FORMAT PTI_Q6_K
#define NUMBERS NUMBERS_Q6_K
#include "format.inc.h"

#if defined(__AVX512F__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512vnni"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512vnni")
#endif
#include "rounded.inc.h"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#define ROUNDED .round = round_groups, .rounded_dots = {rounded_dots_q8_0, rounded_dots_q4_0},
#else
#define ROUNDED
#endif

const block_loops GLUE(pti_block_loops_,
                       PT_LEVEL) = {.load = {load_q8_0, load_q4_0, load_q4_k, load_q6_k},
                                    .dot = {dot_q8_0, dot_q4_0, dot_q4_k, dot_q6_k},
                                    ROUNDED};
