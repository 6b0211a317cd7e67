/* random.c: random numbers. Element i of a draw is made of lane i % 4 of the Philox words at counter
   ctr + i / 4 (normal numbers: of those of its pair), and of nothing else: the numbers are the same
   for any number of threads and on any device. A draw has 32 bits an element; kinds that need 64
   take the other half from the same counters of the stream with its top bit flipped.

   float numbers have 24 random bits, double ones 53. Integers are 64 bits times the range, of which
   the upper half counts: the chance of a number is off by less than range / 2^64. */
#include <math.h>

#include "../../draw.h"
#include "../cpu_backend.h"
#include "../cpu_slots.h"

typedef struct random_job {
  pti_random_kind kind;
  pt_dtype dtype;
  pti_compute compute; /* the type that numbers are made in */
  char *x;
  uint64_t seed, stream, ctr;
  double a, b, top;      /* top: the largest number below b */
  int64_t least;         /* of integers, */
  uint64_t range;        /* and how many there are */
  pti_random_loop *make; /* of the kinds that have one */
  pti_store_loop *store;
} random_job;

static void integers(const random_job *j, const pti_words *w, int64_t *restrict x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    uint64_t at = (uint64_t)((unsigned __int128)pti_word64(w, i) * j->range >> 64);
    x[i] = (int64_t)((uint64_t)j->least + at);
  }
}

/* 1 where the number is below p, in units of 2^-31. */
static void bernoulli(const random_job *j, const pti_words *w, float *restrict x, int64_t n) {
  int32_t last = (int32_t)(ceil(j->a * 0x1p31) - 1);
  for (int64_t i = 0; i < n; i++) x[i] = (int32_t)(w->high[i] >> 1) <= last ? 1.0f : 0.0f;
}

static void random_range(void *ctx, int64_t lo, int64_t hi) {
  const random_job *j = ctx;
  const pti_cpu_loops *loops = pti_cpu_now();
  int64_t size = (int64_t)pt_dtype_size(j->dtype);
  pti_words w;
  pti_block v;
  for (int64_t at = lo; at < hi; at += PTI_BLOCK) {
    int64_t n = pti_min64(PTI_BLOCK, hi - at), whole = (n + 3) / 4 * 4;
    uint64_t ctr = j->ctr + (uint64_t)at / 4;
    loops->draw(j->seed, j->stream, ctr, w.high, whole);
    if (j->compute != PTI_CF32) {
      loops->draw(j->seed, j->stream ^ (uint64_t)1 << 63, ctr, w.low, whole);
    }
    if (j->make) j->make(&v, &w, j->a, j->b, j->top, whole);
    else if (j->kind == PTI_RAND_INT) integers(j, &w, v.i, whole);
    else bernoulli(j, &w, v.f, whole);
    j->store(j->x + at * size, size, &v, n);
  }
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
  j.compute = kind == PTI_RAND_INT ? PTI_CI64
      : kind == PTI_RAND_BERNOULLI ? PTI_CF32
                                   : pti_compute_of(dtype);
  bool whole_numbers = kind == PTI_RAND_INT, real = j.compute != PTI_CI64;
  if (real) j.make = pti_cpu_now()->random[kind][j.compute];
  j.store = pti_cpu_now()->store[dtype][j.compute];
  if (j.store == NULL || whole_numbers == real) {
    return pti_cpu_host->fail(PT_EDTYPE, "no random %s", pt_dtype_name(dtype));
  }
  if (whole_numbers) {
    j.least = pti_draw_bound(a);
    j.range = (uint64_t)pti_draw_bound(b) - (uint64_t)j.least;
  } else if (kind == PTI_RAND_UNIFORM && a < b) {
    j.top = pti_draw_below(dtype, b);
  }
  pti_cpu_host->parallel_for(n, PTI_PIECE, random_range, &j);
  return true;
}
