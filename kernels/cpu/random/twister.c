/* twister.c: PyTorch's random numbers on the CPU, to the bit: the same words of its mt19937 for each number, and the same
   arithmetic. Each number depends on those before it, so one thread draws them, in the order of the elements. What is
   learned from where: ATen's DistributionTemplates.h, DistributionsHelper.h, TransformationHelper.h and
   Distributions.h, of PyTorch 2.15. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "../../draw.h"
#include "../cpu_backend.h"
#include "../cpu_slots.h"
#include "twister.h"

/* In [0, 1), of 53 bits and of 24. */
static double unit(pti_twister *t) {
  return (double)(pti_twister_word64(t) & (((uint64_t)1 << 53) - 1)) * 0x1p-53;
}
static float unit_f(pti_twister *t) { return (float)(pti_twister_word(t) & 0xffffffu) * 0x1p-24f; }

/* A number of the standard normal distribution; Box and Muller's second one is kept for the next call. */
static double normal(pti_twister *t) {
  t->has_spare = !t->has_spare;
  if (!t->has_spare) return t->spare;
  double u = unit(t), r = sqrt(-2.0 * log1p(-unit(t)));
  t->spare = r * sin(2 * M_PI * u);
  return r * cos(2 * M_PI * u);
}

/* ---- one number for each element of a tensor ---- */

/* ln k! without what Stirling's formula gives. */
static double stirling_tail(double k) {
  static const double small[] = {0.0810614667953272,  0.0413406959554092, 0.0276779256849983,
                                 0.02079067210376509, 0.0166446911898211, 0.0138761288230707,
                                 0.0118967099458917,  0.0104112652619720, 0.00925546218271273,
                                 0.00833056343336287};
  if (k < 10) return small[(int)k];
  double s = (k + 1) * (k + 1);
  return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / s) / s) / (k + 1);
}

#define T float
#define F(name) name##_f32
#define C_SQRT sqrtf
#define C_FLOOR floorf
#define C_LOG1P log1pf
#include "each.inc.h"
#undef T
#undef F
#undef C_SQRT
#undef C_FLOOR
#undef C_LOG1P
#define T double
#define F(name) name##_f64
#define C_SQRT sqrt
#define C_FLOOR floor
#define C_LOG1P log1p
#include "each.inc.h"
#undef T
#undef F

/* Uniform numbers are multiplied until the product falls below exp(-rate). */
static double poisson_by_products(pti_twister *t, double rate) {
  double least = exp(-rate), product = 1;
  for (double k = 0;; k++) {
    product *= unit(t);
    if (product <= least) return k;
  }
}

/* Hoermann's transformed rejection, PTRS (1993). */
static double poisson(pti_twister *t, double rate) {
  if (rate == 0) return 0;
  if (rate < 10) return poisson_by_products(t, rate);
  double root = sqrt(rate), b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
  double scale = 1.1239 + 1.1328 / (b - 3.4), limit = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    double u = unit(t) - 0.5, v = unit(t), us = 0.5 - fabs(u);
    double k = floor((2 * a / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= limit) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    double bound = -rate + k * log(rate) - lgamma(k + 1);
    if (log(v) + log(scale) - log(a / (us * us) + b) <= bound) return k;
  }
}

/* Element i of p or q in a type that holds it exactly. */
static double at(pt_dtype dtype, const void *x, int64_t i) {
  switch (dtype) {
  case PT_F64: return ((const double *)x)[i];
  case PT_F32: return ((const float *)x)[i];
  case PT_F16: return pti_f16_load(((const uint16_t *)x)[i]);
  default: return pti_bf16_load(((const uint16_t *)x)[i]);
  }
}

static double one_of_each(pti_twister *t, const pti_twister_draw *d, int64_t i) {
  bool wide = d->dtype == PT_F64;
  double p = at(d->dtype, d->p, i), q = d->q ? at(d->dtype, d->q, i) : 0;
  switch (d->kind) {
  case PTI_RAND_BERNOULLI_EACH: return wide ? unit(t) < p : unit_f(t) < (float)p;
  case PTI_RAND_POISSON_EACH: return poisson(t, p);
  case PTI_RAND_BINOMIAL_EACH:
    return wide ? binomial_f64(t, p, q) : binomial_f32(t, (float)p, (float)q);
  default: return wide ? fmax(gamma_f64(t, p), DBL_MIN) : fmaxf(gamma_f32(t, (float)p), FLT_MIN);
  }
}

/* ---- one distribution for all elements ---- */

/* The largest number from which on a dtype no longer holds all integers: its digits. */
static int digits(pt_dtype dtype) {
  static const int all[PT_NDTYPE] = {
      [PT_F64] = 53, [PT_F32] = 24, [PT_F16] = 11, [PT_BF16] = 8, [PT_I64] = 63,
      [PT_I32] = 31, [PT_I16] = 15, [PT_I8] = 7,   [PT_U8] = 8,   [PT_BOOL] = 1};
  return all[dtype];
}

/* v rounded to a floating dtype. */
static double held(pt_dtype dtype, double v) {
  float f = (float)v;
  if (dtype == PT_F64) return v;
  if (dtype == PT_F16) return pti_f16_load(pti_f16_store(f));
  return dtype == PT_F32 ? f : pti_bf16_load(pti_bf16_store(f));
}

static bool floating(pt_dtype dtype) { return pti_is(dtype, PTI_FLOATS); }

/* From 0 to what the dtype holds; the power of two itself is among the numbers of a floating one. */
static int64_t any_integer(pti_twister *t, pt_dtype dtype) {
  uint64_t count = ((uint64_t)1 << digits(dtype)) + (floating(dtype) ? 1 : 0);
  bool wide = dtype == PT_I64 || dtype == PT_F64;
  return (int64_t)((wide ? pti_twister_word64(t) : pti_twister_word(t)) % count);
}

/* The place of the highest bit of v, with 0 at the lowest. */
static int log_2(uint64_t v) { return v > 1 ? 63 - __builtin_clzll(v) : 0; }

/* The step between the integers about v that a floating dtype holds. */
static int64_t step_at(pt_dtype dtype, int64_t v) {
  return (int64_t)1 << (log_2((uint64_t)llabs(v)) - digits(dtype) + 1);
}

/* Bounds that a floating dtype does not hold move inwards. */
static int64_t low_bound(pt_dtype dtype, int64_t low) {
  if (!floating(dtype)) return low;
  int64_t next = pti_draw_bound(held(dtype, (double)(low + 1)));
  return next < low ? next + step_at(dtype, low + 1) : low;
}
static int64_t high_bound(pt_dtype dtype, int64_t high) {
  if (!floating(dtype)) return high;
  int64_t last = pti_draw_bound(held(dtype, (double)(high - 1)));
  return last >= high ? last - step_at(dtype, high - 1) : high;
}

/* From a to b; where they are far apart, 64 bits keep the remainder fair. */
static int64_t integer(pti_twister *t, const pti_twister_draw *d) {
  if (d->kind == PTI_RAND_INT_ANY) return any_integer(t, d->dtype);
  int64_t low = low_bound(d->dtype, pti_draw_bound(d->a));
  uint64_t range = (uint64_t)high_bound(d->dtype, pti_draw_bound(d->b)) - (uint64_t)low;
  uint64_t bits = range >> 28 ? pti_twister_word64(t) : pti_twister_word(t);
  return (int64_t)(bits % range + (uint64_t)low);
}

static double real(pti_twister *t, const pti_twister_draw *d, int64_t i) {
  switch (d->kind) {
  case PTI_RAND_BERNOULLI: return unit(t) < d->a;
  case PTI_RAND_EXPONENTIAL: return -1.0 / d->a * log1p(-unit(t));
  case PTI_RAND_CAUCHY: return fma(d->b, tan(M_PI * (unit(t) - 0.5)), d->a);
  case PTI_RAND_GEOMETRIC: return ceil(log(unit(t)) / log1p(-d->a));
  case PTI_RAND_LOG_NORMAL: return exp(fma(normal(t), d->b, d->a));
  case PTI_RAND_NORMAL_SINGLY: return fma(normal(t), d->b, d->a);
  default: return one_of_each(t, d, i);
  }
}

/* ---- uniform numbers ---- */

/* A number that rounds up to b becomes a. */
static double uniform(pti_twister *t, double a, double b) {
  double v = fma(unit(t), b - a, a);
  return v == b ? a : v;
}
static float uniform_f(pti_twister *t, float a, float b) { return fmaf(unit_f(t), b - a, a); }

/* v, but a where both it and b are the same number of the dtype. */
static float below(pt_dtype dtype, float v, float a, float b) {
  return held(dtype, v) == held(dtype, b) ? a : v;
}

/* ---- 16 normal numbers and more that lie side by side ---- */

/* x: 16 uniform numbers, which become normal. */
static void box_muller_f64(double *x, double mean, double std) {
  for (int j = 0; j < 8; j++) {
    double r = sqrt(-2 * log(1 - x[j])), angle = 2 * M_PI * x[j + 8];
    x[j] = fma(r * cos(angle), std, mean);
    x[j + 8] = fma(r * sin(angle), std, mean);
  }
}

/* All n are drawn at once; where 16 do not divide n, the last 16 are drawn again. */
static void normal_f64(pti_twister *t, double *x, int64_t n, double mean, double std) {
  for (int64_t i = 0; i < n; i++) x[i] = unit(t);
  for (int64_t i = 0; i + 16 <= n; i += 16) box_muller_f64(x + i, mean, std);
  if (n % 16 == 0) return;
  for (int64_t i = n - 16; i < n; i++) x[i] = unit(t);
  box_muller_f64(x + n - 16, mean, std);
}
static void normal_f32(pti_twister *t, float *x, int64_t n, float mean, float std) {
  for (int64_t i = 0; i < n; i++) x[i] = unit_f(t);
  pti_cpu_now()->box_muller(x, n / 16 * 16, mean, std);
  if (n % 16 == 0) return;
  for (int64_t i = n - 16; i < n; i++) x[i] = unit_f(t);
  pti_cpu_now()->box_muller(x + n - 16, 16, mean, std);
}

/* Of half types each 16 are drawn by themselves. */
static void normal_half(pti_twister *t, pt_dtype dtype, char *x, int64_t n, float mean, float std) {
  float v[16];
  for (int64_t i = 0; i < n; i += 16) {
    int64_t first = i + 16 <= n ? i : n - 16;
    for (int j = 0; j < 16; j++) v[j] = unit_f(t);
    pti_cpu_now()->box_muller(v, 16, mean, std);
    pti_cpu_now()->store[dtype][PTI_CF32](x + 2 * first, 2, v, 16);
  }
}

/* ---- the slot ---- */

static bool gives_integers(pti_random_kind kind) {
  return kind == PTI_RAND_INT || kind == PTI_RAND_INT_ANY;
}

static int64_t whole(double v) { return v < 0x1p63 ? (int64_t)v : INT64_MAX; }

/* The numbers from `from` on in a compute type. */
static void block_of(pti_twister *t, const pti_twister_draw *d, pti_compute compute, pti_block *v,
                     int64_t from, int64_t n) {
  bool flat = d->kind == PTI_RAND_UNIFORM;
  float a = (float)d->a, b = (float)d->b;
  for (int64_t i = 0; i < n; i++) {
    if (gives_integers(d->kind)) v->i[i] = integer(t, d);
    else if (compute == PTI_CI64) v->i[i] = whole(real(t, d, from + i));
    else if (compute == PTI_CF64) v->d[i] = flat ? uniform(t, d->a, d->b) : real(t, d, from + i);
    else if (flat) v->f[i] = below(d->dtype, uniform_f(t, a, b), a, b);
    else v->f[i] = (float)real(t, d, from + i);
  }
}

bool pti_cpu_random_twister(int dev, struct pti_twister *t, const pti_twister_draw *d) {
  (void)dev;
  pti_twister_draw one = *d;
  if (d->kind == PTI_RAND_NORMAL && d->n >= 16) {
    float mean = (float)d->a, std = (float)d->b;
    if (d->dtype == PT_F64) normal_f64(t, d->x, d->n, d->a, d->b);
    else if (d->dtype == PT_F32) normal_f32(t, d->x, d->n, mean, std);
    else normal_half(t, d->dtype, d->x, d->n, mean, std);
    return true;
  }
  if (d->kind == PTI_RAND_NORMAL) one.kind = PTI_RAND_NORMAL_SINGLY;
  pti_compute compute = gives_integers(d->kind) ? PTI_CI64 : pti_compute_of(d->dtype);
  pti_store_loop *store = pti_cpu_now()->store[d->dtype][compute];
  int64_t size = (int64_t)pt_dtype_size(d->dtype);
  pti_block v;
  for (int64_t from = 0; from < d->n; from += PTI_BLOCK) {
    int64_t n = pti_min64(PTI_BLOCK, d->n - from);
    block_of(t, &one, compute, &v, from, n);
    store((char *)d->x + from * size, size, &v, n);
    if (!pti_cpu_host->poll()) return false;
  }
  return true;
}
