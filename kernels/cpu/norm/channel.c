/* channel.c: sums and affine maps by channel, of which batch normalisation is made: x (n, c,
   inner), one number per channel. Sums run in lanes within a plane and in double over planes, in
   order. Units: channels or planes. */
#include "../nn_loops.h"
#include "../cpu_slots.h"

bool pti_cpu_channel_moments(int dev, pti_rows r, const void *x, void *mean, void *var) {
  (void)dev;
  channel_job j = {.r = &r, .x = x, .s = mean, .q = var};
  pti_cpu_host->parallel_for(r.n, 1, pti_cpu_nn_now()->channel_moments[r.dtype == PT_F64], &j);
  return true;
}

bool pti_cpu_channel_dots(int dev, pti_rows r, const void *g, const void *x, const void *mean,
                          void *sum, void *dot) {
  (void)dev;
  channel_job j = {.r = &r, .x = g, .z = x, .mean = mean, .s = sum, .q = dot};
  pti_cpu_host->parallel_for(r.n, 1, pti_cpu_nn_now()->channel_dots[r.dtype == PT_F64], &j);
  return true;
}

bool pti_cpu_channel_affine(int dev, pti_rows r, const void *a, const void *x, const void *b,
                            const void *z, const void *c, void *y) {
  (void)dev;
  channel_job j = {.r = &r, .a = a, .x = x, .b = b, .z = z, .c = c, .y = y};
  int64_t grain = r.inner >= 16384 ? 1 : 16384 / (r.inner > 0 ? r.inner : 1);
  pti_cpu_host->parallel_for(r.outer * r.n, grain,
                             pti_cpu_nn_now()->channel_affine[r.dtype == PT_F64], &j);
  return true;
}
