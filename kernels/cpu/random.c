/* random.c: random numbers. Element i of a draw is made of lane i % 4 of the Philox words at counter
   ctr + i / 4 (normal numbers: of those of its pair), and of nothing else: the numbers are the same
   for any number of threads and on any device. A draw has 32 bits an element; kinds that need 64
   take the other half from the same counters of the stream with its top bit flipped.

   float numbers have 24 random bits, double ones 53. Integers are 64 bits times the range, of which
   the upper half counts: the chance of a number is off by less than range / 2^64. */
#include <math.h>
#include <string.h>

#include "../scalar.h"
#include "cpu.h"
#include "rng.h"

typedef struct words {
  uint32_t high[PTI_BLOCK], low[PTI_BLOCK];
} words;

typedef struct random_job {
  pti_random_kind kind;
  pt_dtype dtype;
  pti_compute compute; /* the type that numbers are made in */
  char *x;
  uint64_t seed, stream, ctr;
  double a, b, top; /* top: the largest number below b */
  int64_t least;    /* of integers, */
  uint64_t range;   /* and how many there are */
  pti_store_loop *store;
} random_job;

static void draw(const random_job *j, uint64_t stream, uint64_t ctr, uint32_t *w, int64_t n) {
  for (int64_t i = 0; i < n; i += 4) pti_philox(j->seed, stream, ctr + (uint64_t)i / 4, w + i);
}

static inline uint64_t both(const words *w, int64_t i) {
  return (uint64_t)w->high[i] << 32 | w->low[i];
}

#define T float
#define PT_S f
#define F(name) name##_f32
#define UNIT(i) ((float)(int32_t)(w->high[i] >> 8) * 0x1p-24f)
#define OPEN(i) (((float)(int32_t)(w->high[i] >> 9) + 0.5f) * 0x1p-23f)
#define BITS(i) w->high[i]
#define COS_QUARTER(f) ((float)pt_cos_quarter(f))
#define SIN_QUARTER(f) ((float)pt_sin_quarter(f))
#include "random.inc.h"
#undef T
#undef PT_S
#undef F
#undef UNIT
#undef OPEN
#undef BITS
#undef COS_QUARTER
#undef SIN_QUARTER

#define T double
#define PT_S d
#define F(name) name##_f64
#define UNIT(i) ((double)(int64_t)(both(w, i) >> 11) * 0x1p-53)
#define OPEN(i) (((double)(int64_t)(both(w, i) >> 12) + 0.5) * 0x1p-52)
#define BITS(i) w->low[i]
#define COS_QUARTER(f) cos((f) * (M_PI / 2))
#define SIN_QUARTER(f) sin((f) * (M_PI / 2))
#include "random.inc.h"

static void integers(const random_job *j, const words *w, int64_t *restrict x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    uint64_t at = (uint64_t)((unsigned __int128)both(w, i) * j->range >> 64);
    x[i] = (int64_t)((uint64_t)j->least + at);
  }
}

/* 1 where the number is below p, in units of 2^-31. */
static void bernoulli(const random_job *j, const words *w, float *restrict x, int64_t n) {
  int32_t last = (int32_t)(ceil(j->a * 0x1p31) - 1);
  for (int64_t i = 0; i < n; i++) x[i] = (int32_t)(w->high[i] >> 1) <= last ? 1.0f : 0.0f;
}

static void make_block(const random_job *j, const words *w, pti_block *v, int64_t n) {
  bool wide = j->compute == PTI_CF64;
  switch (j->kind) {
  case PTI_RAND_UNIFORM: wide ? uniform_f64(j, w, v->d, n) : uniform_f32(j, w, v->f, n); break;
  case PTI_RAND_NORMAL: wide ? normal_f64(j, w, v->d, n) : normal_f32(j, w, v->f, n); break;
  case PTI_RAND_EXPONENTIAL:
    wide ? exponential_f64(j, w, v->d, n) : exponential_f32(j, w, v->f, n);
    break;
  case PTI_RAND_INT: integers(j, w, v->i, n); break;
  case PTI_RAND_BERNOULLI: bernoulli(j, w, v->f, n); break;
  }
}

static void random_range(void *ctx, int64_t lo, int64_t hi) {
  const random_job *j = ctx;
  int64_t size = (int64_t)pt_dtype_size(j->dtype);
  words w;
  pti_block v;
  for (int64_t at = lo; at < hi; at += PTI_BLOCK) {
    int64_t n = pti_min64(PTI_BLOCK, hi - at), whole = (n + 3) / 4 * 4;
    uint64_t ctr = j->ctr + (uint64_t)at / 4;
    draw(j, j->stream, ctr, w.high, whole);
    if (j->compute != PTI_CF32) draw(j, j->stream ^ (uint64_t)1 << 63, ctr, w.low, whole);
    make_block(j, &w, &v, whole);
    j->store(j->x + at * size, size, &v, n);
  }
}

/* The largest number of a floating dtype that is less than b. */
static double number_below(pt_dtype dtype, double b) {
  if (dtype == PT_F64) return nextafter(b, -HUGE_VAL);
  if (dtype == PT_F32) {
    float f = (float)b;
    return (double)f < b ? f : nextafterf(f, -HUGE_VALF);
  }
  bool half = dtype == PT_F16;
  uint16_t h = half ? pti_f16_store((float)b) : pti_bf16_store((float)b);
  if ((half ? pti_f16_load(h) : pti_bf16_load(h)) >= b) {
    h = h & 0x8000 ? h + 1 : h == 0 ? 0x8001 : h - 1;
  }
  return half ? pti_f16_load(h) : pti_bf16_load(h);
}

/* A bound of integers, which arrives as a double, within int64_t. */
static int64_t whole(double v) {
  return v >= 0x1p63 ? INT64_MAX : v <= -0x1p63 ? INT64_MIN : (int64_t)v;
}

bool pti_cpu_random(int dev, pti_random_kind kind, pt_dtype dtype, void *x, int64_t n,
                    uint64_t seed, uint64_t stream, uint64_t ctr, double a, double b) {
  (void)dev;
  random_job j = {.kind = kind,
                  .dtype = dtype,
                  .x = x,
                  .seed = seed,
                  .stream = stream,
                  .ctr = ctr,
                  .a = a,
                  .b = b,
                  .top = a};
  j.compute = kind == PTI_RAND_INT         ? PTI_CI64
              : kind == PTI_RAND_BERNOULLI ? PTI_CF32
                                           : pti_compute_of(dtype);
  j.store = pti_cpu_now()->store[dtype][j.compute];
  if (j.store == NULL || (kind != PTI_RAND_INT && j.compute == PTI_CI64)) {
    return pti_cpu_host->fail(PT_EDTYPE, "no random %s", pt_dtype_name(dtype)) != NULL;
  }
  if (kind == PTI_RAND_INT) {
    j.least = whole(a);
    j.range = (uint64_t)whole(b) - (uint64_t)j.least;
  } else if (kind == PTI_RAND_UNIFORM && a < b) {
    j.top = number_below(dtype, b);
  }
  pti_cpu_host->parallel_for(n, PTI_PIECE, random_range, &j);
  return true;
}
