/* pooling.c: pooling over windows in one to three dims: the largest of a window with its place, the
   average, and the gradient of the average. Windows are given by kernel, stride, padding and
   dilation, or are adaptive: then they divide the input into `out` pieces. x (planes, in...) -> y
   (planes, out...), dense. Units: planes. */
#include "../nn_loops.h"
#include "../cpu_slots.h"

static int64_t plane_grain(const pti_window *p) {
  int64_t n = pti_volume(p->in);
  return n >= 8192 ? 1 : 8192 / (n > 0 ? n : 1);
}

bool pti_cpu_max_pool(int dev, const pti_window *p, const void *x, void *y, int64_t *index,
                      int base) {
  (void)dev;
  window_job j = {.p = p, .x = x, .y = y, .index = index, .base = base};
  pti_cpu_host->parallel_for(p->planes, plane_grain(p),
                             pti_cpu_nn_now()->max_pool[p->dtype == PT_F64], &j);
  return true;
}

bool pti_cpu_avg_pool(int dev, const pti_window *p, const void *x, void *y) {
  (void)dev;
  window_job j = {.p = p, .x = x, .y = y};
  pti_cpu_host->parallel_for(p->planes, plane_grain(p),
                             pti_cpu_nn_now()->avg_pool[p->dtype == PT_F64], &j);
  return true;
}

bool pti_cpu_avg_pool_grad(int dev, const pti_window *p, const void *g, void *gx) {
  (void)dev;
  window_job j = {.p = p, .x = g, .y = gx};
  pti_cpu_host->parallel_for(p->planes, plane_grain(p),
                             pti_cpu_nn_now()->avg_pool_grad[p->dtype == PT_F64], &j);
  return true;
}
