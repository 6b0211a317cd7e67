/* window.c: pooling over windows in one to three dims: the largest of a window with its place, the
   average, and the gradient of the average. Windows are given by kernel, stride, padding and
   dilation, or are adaptive: then they divide the input into `out` pieces. x (planes, in...) -> y
   (planes, out...), dense. Units: planes. */
#include <math.h>
#include <string.h>

#include "cpu.h"

typedef struct window_job {
  const pti_window *p;
  const char *x;
  char *y;
  int64_t *index;
  int base;
} window_job;

/* Input positions from .. until (step `dil`) of window `o` in dim d, without padding; `count` with
   padding, as far as the padded input reaches. */
typedef struct span {
  int64_t from, until, step, count;
} span;

static span window(const pti_window *p, int d, int64_t o) {
  span s;
  if (p->adaptive) {
    s.from = o * p->in[d] / p->out[d];
    s.until = ((o + 1) * p->in[d] + p->out[d] - 1) / p->out[d];
    s.step = 1;
    s.count = s.until - s.from;
    return s;
  }
  int64_t start = o * p->stride[d] - p->pad[d], reach = start + p->dil[d] * (p->k[d] - 1) + 1;
  int64_t padded = p->in[d] + p->pad[d];
  s.step = p->dil[d];
  s.count = (reach < padded ? reach : padded) - start;
  s.from = start < 0 ? start + (-start + s.step - 1) / s.step * s.step : start;
  s.until = reach < p->in[d] ? reach : p->in[d];
  return s;
}

static int64_t size3(const int64_t v[3]) { return v[0] * v[1] * v[2]; }

#define T float
#define F(name) name##_f32
#include "window.inc.h"
#undef T
#undef F
#define T double
#define F(name) name##_f64
#include "window.inc.h"
#undef T
#undef F

static int64_t plane_grain(const pti_window *p) {
  int64_t n = size3(p->in);
  return n >= 8192 ? 1 : 8192 / (n > 0 ? n : 1);
}

bool pti_cpu_max_pool(int dev, const pti_window *p, const void *x, void *y, int64_t *index,
                      int base) {
  (void)dev;
  window_job j = {.p = p, .x = x, .y = y, .index = index, .base = base};
  pti_cpu_host->parallel_for(p->planes, plane_grain(p), p->dtype == PT_F64 ? max_f64 : max_f32, &j);
  return true;
}

bool pti_cpu_avg_pool(int dev, const pti_window *p, const void *x, void *y) {
  (void)dev;
  window_job j = {.p = p, .x = x, .y = y};
  pti_cpu_host->parallel_for(p->planes, plane_grain(p), p->dtype == PT_F64 ? mean_f64 : mean_f32,
                             &j);
  return true;
}

bool pti_cpu_avg_pool_grad(int dev, const pti_window *p, const void *g, void *gx) {
  (void)dev;
  window_job j = {.p = p, .x = g, .y = gx};
  pti_cpu_host->parallel_for(p->planes, plane_grain(p),
                             p->dtype == PT_F64 ? spread_f64 : spread_f32, &j);
  return true;
}
