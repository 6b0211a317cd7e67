/* norm.c: layer, group, instance and RMS normalisation, forward and backward, and the per-channel
   sums of batch normalisation. A row is normalised as a whole; weight and bias are indexed by
   element (layer norm) or by channel within the row (group norm: `inner` elements a channel, rows
   taking turns with `period` groups). */
#include <math.h>
#include <stddef.h>

#include "cpu.h"

typedef struct norm_job {
  const pti_norm *p;
  const void *x, *g, *w, *b;
  void *y, *mean, *rstd, *gw, *gb;
} norm_job;

/* Layer norm: every element of a row has a weight of its own, the same for all rows. */
static bool per_element(const pti_norm *p) { return p->inner == 1 && p->period == 1; }

#define T float
#define F(name) name##_f32
#include "norm.inc.h"
#undef T
#undef F
#define T double
#define F(name) name##_f64
#include "norm.inc.h"
#undef T
#undef F

static int64_t grain(int64_t n) { return n >= 16384 ? 1 : 16384 / (n > 0 ? n : 1); }

bool pti_cpu_norm(int dev, const pti_norm *p, const void *x, const void *w, const void *b, void *y,
                  void *mean, void *rstd) {
  (void)dev;
  norm_job j = {.p = p, .x = x, .w = w, .b = b, .y = y, .mean = mean, .rstd = rstd};
  pti_cpu_host->parallel_for(p->rows, grain(p->n), p->dtype == PT_F64 ? rows_f64 : rows_f32, &j);
  return true;
}

bool pti_cpu_norm_grad(int dev, const pti_norm *p, const void *x, const void *w, const void *g,
                       const void *mean, const void *rstd, void *gx, void *gw, void *gb) {
  (void)dev;
  norm_job j = {.p = p,
                .x = x,
                .g = g,
                .w = w,
                .y = gx,
                .mean = (void *)(uintptr_t)mean,
                .rstd = (void *)(uintptr_t)rstd,
                .gw = gw,
                .gb = gb};
  bool wide = p->dtype == PT_F64;
  if (gx)
    pti_cpu_host->parallel_for(p->rows, grain(p->n), wide ? rows_grad_f64 : rows_grad_f32, &j);
  if (gw || gb) {
    int64_t columns = p->n / p->inner * p->period;
    pti_cpu_host->parallel_for(columns, 64, wide ? affine_grad_f64 : affine_grad_f32, &j);
  }
  return true;
}
