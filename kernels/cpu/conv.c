/* conv.c: convolution in one to three dims, its gradient for the input (which is the transposed
   convolution) and for the weight. Each is a series of matrix products over tiles of output
   positions: a tile's patches are packed into scratch that stays in the second-level cache, never
   for a whole input. Work is cut by shape, and sums run in one order, so results do not depend on
   threads.

   x (n, c, in...) w (o, c / groups, k...) y (n, o, out...), all dense. */
#include <stdatomic.h>
#include <string.h>

#include "blas.h"
#include "cpu.h"

enum { TILE_BYTES = 384 * 1024, UNITS = 8 };

static int64_t volume(const int64_t v[3]) { return v[0] * v[1] * v[2]; }

/* Output positions whose patches (rows of `k` numbers) fill the scratch: a multiple of 16. */
static int64_t tile_size(int64_t k, int64_t positions, size_t esize) {
  int64_t t = (int64_t)(TILE_BYTES / esize) / (k > 0 ? k : 1) / 16 * 16;
  if (t < 32) t = 32;
  if (t > 1024) t = 1024;
  return t < positions ? t : positions;
}

/* 1x1, step 1, no padding: the input itself is the matrix of patches. */
static bool pointwise(const pti_conv *p) {
  for (int d = 0; d < 3; d++) {
    if (p->k[d] != 1 || p->stride[d] != 1 || p->pad[d] != 0) return false;
  }
  return true;
}

/* How many channels of a group one unit of work takes, so that there is work for several threads. */
static int64_t channel_block(const pti_conv *p, int64_t others) {
  int64_t c = p->c / p->groups, want = (UNITS + others - 1) / (others ? others : 1);
  int64_t block = (c + want - 1) / want;
  if (block < 8) block = 8;
  return block < c ? block : c;
}

typedef struct job {
  const pti_conv *p;
  const char *x, *w, *bias, *g;
  char *y;
  int64_t tile, ntile, block, nblock;
  atomic_bool failed;
} job;

typedef void conv_range(void *ctx, int64_t lo, int64_t hi);

static void product(const pti_conv *p, bool ta, bool tb, int64_t m, int64_t n, int64_t k,
                    const void *a, int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc,
                    double beta) {
  pti_gemm g = {.dtype = p->dtype,
                .ta = ta,
                .tb = tb,
                .m = m,
                .n = n,
                .k = k,
                .lda = lda,
                .ldb = ldb,
                .ldc = ldc,
                .batch = 1,
                .alpha = 1,
                .beta = beta,
                .a = a,
                .b = b,
                .c = c};
  pti_cpu_gemm(0, &g);
}

#define T float
#define F(name) name##_f32
#include "conv.inc.h"
#undef T
#undef F
#define T double
#define F(name) name##_f64
#include "conv.inc.h"
#undef T
#undef F

/* `others`: units of work beside the channel blocks. */
static bool run(job *j, const pti_conv *p, int64_t others, conv_range *f32, conv_range *f64,
                bool tiles) {
  j->p = p;
  j->tile = tile_size(p->c / p->groups * volume(p->k), volume(p->out), pt_dtype_size(p->dtype));
  j->ntile = j->tile ? (volume(p->out) + j->tile - 1) / j->tile : 0;
  j->block = channel_block(p, others);
  j->nblock = j->block ? (p->c / p->groups + j->block - 1) / j->block : 0;
  int64_t units = others * (tiles ? j->ntile : j->nblock);
  pti_cpu_host->parallel_for(units, 1, p->dtype == PT_F64 ? f64 : f32, j);
  return !atomic_load(&j->failed) ||
         pti_cpu_host->fail(PT_EMEMORY, "convolution: no memory for its scratch") != NULL;
}

bool pti_cpu_conv(int dev, const pti_conv *p, const void *x, const void *w, const void *bias,
                  void *y) {
  (void)dev;
  if (!pti_blas_ready()) return false;
  job j = {.x = x, .w = w, .bias = bias, .y = y};
  if (p->c == p->groups && p->o == p->groups) {
    j.p = p;
    pti_cpu_host->parallel_for(p->n * p->c, 1, p->dtype == PT_F64 ? depthwise_f64 : depthwise_f32,
                               &j);
    return true;
  }
  return run(&j, p, p->n * p->groups, forward_f32, forward_f64, true);
}

bool pti_cpu_conv_data(int dev, const pti_conv *p, const void *g, const void *w, const void *bias,
                       void *x) {
  (void)dev;
  if (!pti_blas_ready()) return false;
  job j = {.g = g, .w = w, .bias = bias, .y = x};
  return run(&j, p, p->n * p->groups, data_f32, data_f64, false);
}

bool pti_cpu_conv_weight(int dev, const pti_conv *p, const void *x, const void *g, void *w) {
  (void)dev;
  if (!pti_blas_ready()) return false;
  job j = {.x = x, .g = g, .y = w};
  return run(&j, p, p->groups, weight_f32, weight_f64, false);
}
