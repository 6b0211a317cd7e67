/* kinds.h: what accuracy.c and sums.c share: the floating dtypes, how far a number is from the truth in units of one, random
   numbers, the CPU levels. */
#ifndef ACCURACY_KINDS_H
#define ACCURACY_KINDS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "dtype.h"
#include "ptlua.h"
#include "truth.h"

typedef struct kind {
  pt_dtype dtype;
  const char *name;
  int digits, least,
      most; /* bits of the mantissa; exponents of the least normal and of the first number too large */
} kind;
static const kind kinds[] = {{PT_F32, "float32", 24, -126, 128},
                             {PT_F64, "float64", 53, -1022, 1024},
                             {PT_F16, "float16", 11, -14, 16},
                             {PT_BF16, "bfloat16", 8, -126, 128}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static inline bool is_half(const kind *k) { return k->digits < 24; }

static inline void store(const kind *k, void *to, int64_t i, double v) {
  if (k->dtype == PT_F64) ((double *)to)[i] = v;
  else if (k->dtype == PT_F32) ((float *)to)[i] = (float)v;
  else if (k->dtype == PT_F16) ((uint16_t *)to)[i] = pti_f16_store((float)v);
  else ((uint16_t *)to)[i] = pti_bf16_store((float)v);
}
static inline double load(pt_dtype dtype, const void *from, int64_t i) {
  if (dtype == PT_F64) return ((const double *)from)[i];
  if (dtype == PT_F32) return (double)((const float *)from)[i];
  if (dtype == PT_F16) return (double)pti_f16_load(((const uint16_t *)from)[i]);
  if (dtype == PT_BF16) return (double)pti_bf16_load(((const uint16_t *)from)[i]);
  return NAN;
}

/* Units in the last place from y to the truth. Infinity counts as the number after the largest one. */
static inline double error_of(const kind *k, double y, wide truth, wide beside) {
  wide end = ldexpl(1, k->most), v = y;
  if (fabsl(beside) >= end) return 0; /* a part of it is too large for the dtype */
  if (isnan(truth) || isnan(y)) return isnan(truth) && isnan(y) ? 0 : HUGE_VAL;
  if (fabsl(truth) > end) truth = copysignl(end, truth);
  if (isinf(v)) v = copysignl(end, v);
  wide size = fmaxl(fabsl(truth), fabsl(beside));
  int exponent = size > 0 ? ilogbl(size) : k->least;
  if (exponent < k->least) exponent = k->least;
  if (exponent >= k->most) exponent = k->most - 1;
  return (double)(fabsl(v - truth) / ldexpl(1, exponent - k->digits + 1));
}

static uint64_t state;                     /* of the random numbers */
static inline uint64_t next_random(void) { /* splitmix64 */
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}
static inline double share(void) { return (double)(next_random() >> 11) * 0x1p-53; }

static const char *const levels[] = {"base", "avx2", "avx512", "avx512_bf16", "amx"};
enum { LEVELS = sizeof levels / sizeof *levels };

#endif
