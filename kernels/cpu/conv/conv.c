/* conv.c: convolution in one to three dims, its gradient for the input (which is the transposed convolution) and for
   the weight: the choice of a method for each. Depthwise convolution has its own loops (depthwise.inc.h), all others
   are computed directly from the image (direct.c), 3x3 windows by Winograd's algorithm where that is faster
   (winograd.c).  x (n, c, in...) w (o, c / groups, k...) y (n, o, out...), all dense. */
#include "../cpu_slots.h"
#include "../nn_loops.h"
#include "direct.h"
#include "winograd.h"

enum { ROOM = 1 << 26 /* elements of a padded channel */ };

/* ---- depthwise ---- */

/* One channel in, one out; unless padding and dilation would make a padded channel too large. */
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

/* The gradient for the input is also a convolution: of g with zeros between and around its elements,
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

/* ---- Winograd ---- */

/* Whether windows are those of winograd.c. */
static bool winograd_windows(const pti_conv *p, bool back) {
  int64_t stride = p->stride[1];
  if (p->dtype != PT_F32 || p->groups != 1 || p->c < 16 || p->o < 16 || stride > 2) return false;
  for (int d = 0; d < 3; d++) {
    int64_t k = d == 0 ? 1 : 3, step = d == 0 ? 1 : stride;
    if (p->k[d] != k || p->stride[d] != step || p->dil[d] != 1 || p->pad[d] >= k) return false;
  }
  return p->in[0] == 1 && (stride == 1 || !back || (p->pad[1] == 1 && p->pad[2] == 1));
}

static double tiles(const int64_t *size, int64_t side) {
  return (double)((size[1] + side - 1) / side) * (double)((size[2] + side - 1) / side);
}

/* Whether it pays: the multiplications for each pair of channels, and the cost of the transforms in that unit, are fewer
   than the direct sum's. It depends only on the shape. */
static bool winograd(const pti_conv *p, bool back) {
  if (!winograd_windows(p, back) || !pt_get_conv_winograd()) return false;
  winograd_size size = pti_winograd_sizes[pti_winograd_kind(p, back)];
  const int64_t *to = back ? p->in : p->out, *terms = p->stride[1] == 1 ? to : p->out;
  double steps = size.points * size.points * (double)p->n * tiles(to, size.out);
  double direct = 9 * (double)p->n * (double)terms[1] * (double)terms[2];
  return steps * (1 + 14.0 / (double)p->c + 10.0 / (double)p->o) + 320 < direct;
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
  if (winograd(p, false)) return pti_conv_winograd(p, x, w, bias, y);
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
  if (winograd(p, true)) return pti_conv_winograd_data(p, g, w, bias, x);
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
