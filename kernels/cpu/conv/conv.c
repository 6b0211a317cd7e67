/* conv.c: convolution in one to three dims, its gradient for the input (which is the transposed convolution) and for the
   weight: which way each takes. Depthwise convolution has loops of its own (depthwise.inc.h), all others are computed
   straight from the image (direct.c).

   x (n, c, in...) w (o, c / groups, k...) y (n, o, out...), all dense. */
#include "../cpu_slots.h"
#include "../nn_loops.h"
#include "direct.h"

enum { ROOM = 1 << 26 /* elements of a padded channel */ };

/* ---- depthwise ---- */

/* One channel in, one out; unless padding and dilation are so large that a padded channel were. */
static bool depthwise(const pti_conv *p) {
  double room = 1;
  for (int d = 0; d < 3; d++) room *= (double)p->in[d] + 2.0 * (double)p->pad[d];
  return p->c == p->groups && p->o == p->groups && room < ROOM;
}

static slide_job slide_of(const pti_conv *p) {
  slide_job j = {.images = p->n, .channels = p->c};
  for (int d = 0; d < 3; d++) {
    j.in[d] = p->in[d], j.out[d] = p->out[d], j.k[d] = p->k[d], j.dil[d] = p->dil[d];
    j.space[d] = 1, j.lead[d] = p->pad[d], j.room[d] = p->in[d] + 2 * p->pad[d];
    j.step[d] = p->stride[d];
  }
  return j;
}

/* The gradient for the input is a convolution too: of g with zeros between and around its elements,
   by the taps in reverse. False where padding reaches beyond the window. */
static bool reverse_of(const pti_conv *p, slide_job *j) {
  *j = slide_of(p);
  j->flip = true;
  for (int d = 0; d < 3; d++) {
    int64_t reach = p->dil[d] * (p->k[d] - 1);
    if (p->pad[d] > reach) return false;
    j->in[d] = p->out[d], j->out[d] = p->in[d];
    j->space[d] = p->stride[d], j->step[d] = 1;
    j->lead[d] = reach - p->pad[d], j->room[d] = p->in[d] + reach;
  }
  return true;
}

static bool slide(slide_job *j, pt_dtype dtype, int64_t units, pti_range_loop *const loop[2]) {
  int64_t grain = pti_max64(1, PTI_PIECE / pti_max64(1, pti_volume(j->out) * pti_volume(j->k)));
  pti_cpu_host->parallel_for(units, grain, loop[dtype == PT_F64], j);
  return !atomic_load(&j->failed) ||
         pti_cpu_host->fail(PT_EMEMORY, "convolution: no memory for its scratch");
}

/* ---- slots ---- */

bool pti_cpu_conv(int dev, const pti_conv *p, const void *x, const void *w, const void *bias,
                  void *y) {
  (void)dev;
  if (depthwise(p)) {
    slide_job s = slide_of(p);
    s.x = x, s.w = w, s.bias = bias, s.y = y;
    return slide(&s, p->dtype, p->n * p->c, pti_cpu_nn_now()->slide);
  }
  return pti_conv_direct(p, x, w, bias, y);
}

bool pti_cpu_conv_data(int dev, const pti_conv *p, const void *g, const void *w, const void *bias,
                       void *x) {
  (void)dev;
  slide_job s;
  if (depthwise(p) && reverse_of(p, &s)) {
    s.x = g, s.w = w, s.bias = bias, s.y = x;
    return slide(&s, p->dtype, p->n * p->c, pti_cpu_nn_now()->slide);
  }
  return pti_conv_direct_data(p, g, w, bias, x);
}

bool pti_cpu_conv_weight(int dev, const pti_conv *p, const void *x, const void *g, void *w) {
  (void)dev;
  if (depthwise(p)) {
    slide_job s = slide_of(p);
    s.x = x, s.g = g, s.y = w;
    return slide(&s, p->dtype, p->c, pti_cpu_nn_now()->slide_weight);
  }
  return pti_conv_direct_weight(p, x, g, w);
}
