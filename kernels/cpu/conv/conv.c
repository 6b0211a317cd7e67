/* conv.c: convolution in one to three dims, its gradient for the input (which is the transposed
   convolution) and for the weight. Each is a series of matrix products over tiles of output
   positions and blocks of input channels: a block's patches at a tile are packed into scratch that
   stays in the second-level cache, never those of a whole input. Small images share a tile, since a
   product of few columns spends its time on packing the weights. Work is cut by shape, and sums run
   in one order, so results do not depend on threads. Depthwise convolution has loops of its own
   (depthwise.inc.h).

   x (n, c, in...) w (o, c / groups, k...) y (n, o, out...), all dense. */
#include "../nn_loops.h"
#include "../cpu_slots.h"

enum {
  SCRATCH = 512 * 1024,
  TILE = 512,
  ROOM = 1 << 26, /* elements of a padded channel */
  LEAST = 16      /* channels of a block, where there are as many */
};

static int64_t pieces(int64_t n, int64_t most) { return (n + most - 1) / most; }

/* n in equal pieces of at most `most`: the size of one. */
static int64_t equal(int64_t n, int64_t most) { return n > 0 ? pieces(n, pieces(n, most)) : 1; }

/* `blocks`: into how many blocks the channels are cut at least, as far as LEAST allows. */
static void plan(conv_job *j, const pti_conv *p, int64_t blocks) {
  int64_t out = pti_volume(p->out), c = p->c / p->groups, esize = (int64_t)pt_dtype_size(p->dtype);
  j->p = p;
  j->images = pti_max64(1, pti_min64(p->n, TILE / pti_max64(out, 1)));
  j->sets = pieces(p->n, j->images);
  j->tile = j->images > 1 ? j->images * out : pti_min64(out, (equal(out, TILE) + 15) / 16 * 16);
  j->tile = pti_max64(1, j->tile);
  j->ntile = j->images > 1 ? 1 : pieces(out, j->tile);
  int64_t fit = SCRATCH / esize / (j->tile * pti_volume(p->k));
  if (pointwise(p) && j->images == 1) fit = c;
  int64_t most = pti_min64(fit, pti_max64(LEAST, pieces(c, blocks)));
  j->block = equal(c, pti_max64(1, most));
  j->nblock = pieces(c, j->block);
}

static bool run(conv_job *j, int64_t units, pti_range_loop *const loop[2]) {
  pti_cpu_host->parallel_for(units, 1, loop[j->p->dtype == PT_F64], j);
  return !atomic_load(&j->failed) ||
         pti_cpu_host->fail(PT_EMEMORY, "convolution: no memory for its scratch");
}

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
  conv_job j = {.p = p, .x = x, .w = w, .bias = bias, .y = y};
  plan(&j, p, 1);
  return run(&j, j.sets * p->groups * j.ntile, pti_cpu_nn_now()->conv);
}

bool pti_cpu_conv_data(int dev, const pti_conv *p, const void *g, const void *w, const void *bias,
                       void *x) {
  (void)dev;
  slide_job s;
  if (depthwise(p) && reverse_of(p, &s)) {
    s.x = g, s.w = w, s.bias = bias, s.y = x;
    return slide(&s, p->dtype, p->n * p->c, pti_cpu_nn_now()->slide);
  }
  conv_job j = {.g = g, .w = w, .bias = bias, .y = x};
  plan(&j, p, 1);
  return run(&j, j.sets * p->groups * j.nblock, pti_cpu_nn_now()->conv_data);
}

bool pti_cpu_conv_weight(int dev, const pti_conv *p, const void *x, const void *g, void *w) {
  (void)dev;
  if (depthwise(p)) {
    slide_job s = slide_of(p);
    s.x = x, s.g = g, s.y = w;
    return slide(&s, p->dtype, p->c, pti_cpu_nn_now()->slide_weight);
  }
  conv_job j = {.x = x, .g = g, .y = w};
  plan(&j, p, 8);
  return run(&j, p->groups * j.nblock, pti_cpu_nn_now()->conv_weight);
}
