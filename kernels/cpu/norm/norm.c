/* norm.c: layer, group, instance and RMS normalisation, forward and backward, and the per-channel
   sums of batch normalisation. A row is normalised as a whole; weight and bias are indexed by
   element (layer norm) or by channel within the row (group norm: `inner` elements a channel, rows
   taking turns with `period` groups). */
#include "../nn_loops.h"
#include "../cpu_slots.h"

enum { PIECES = 32 /* of the rows, where they are summed apart */ };

static int64_t grain(int64_t n) { return n >= 16384 ? 1 : 16384 / (n > 0 ? n : 1); }

bool pti_cpu_norm(int dev, const pti_norm *p, const void *x, const void *w, const void *b, void *y,
                  void *mean, void *rstd) {
  (void)dev;
  norm_job j = {.p = p, .x = x, .w = w, .b = b, .y = y, .mean = mean, .rstd = rstd};
  pti_cpu_host->parallel_for(p->rows, grain(p->n), pti_cpu_nn_now()->norm[p->dtype == PT_F64], &j);
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
  const pti_cpu_nn_loops *nets = pti_cpu_nn_now();
  bool wide = p->dtype == PT_F64, affine = gw || gb, elements = affine && per_element(p);
  j.piece = elements ? pti_max64(grain(p->n), (p->rows + PIECES - 1) / PIECES) : grain(p->n);
  int64_t pieces = (p->rows + j.piece - 1) / j.piece, bytes = 0;
  if (elements) {
    if (!pti_mul(2 * pieces * (wide ? 8 : 4), p->n, &bytes) ||
        !(j.partial = pti_cpu_host->alloc((size_t)bytes)))
      return pti_cpu_host->fail(PT_EMEMORY, "normalisation: no memory for its sums");
  }
  if (gx || elements) pti_cpu_host->parallel_for(pieces, 1, nets->norm_grad[wide], &j);
  if (elements) {
    pti_cpu_host->parallel_for(p->n, 1024, nets->norm_add[wide], &j);
    pti_cpu_host->free(j.partial, (size_t)bytes);
  } else if (affine) {
    int64_t channels = p->n / p->inner * p->period;
    pti_cpu_host->parallel_for(channels, 1, nets->norm_channels[wide], &j);
  }
  return true;
}
