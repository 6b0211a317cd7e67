/* nn_loops.h: the loops of networks that are built once per CPU level: normalisation, pooling, convolution, attention,
   recurrent layers, and Fourier transforms. They stand in <folder>/<name>.inc.h, which nn_loops.c includes for float and
   double; <name>.c has the slots, which make a job and run one of these loops over pieces of it. A job is what a loop
   needs to know; its ranges are the units that the loop names. */
#ifndef PTI_KERNELS_NN_LOOPS_H
#define PTI_KERNELS_NN_LOOPS_H

#include <math.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "cpu_backend.h"
#include "rng.h"

typedef void pti_range_loop(void *job, int64_t lo, int64_t hi);

/* Each loop for float and for double. */
typedef struct pti_cpu_nn_loops {
  pti_range_loop *norm[2], *norm_grad[2], *norm_add[2], *norm_channels[2];
  pti_range_loop *channel_moments[2], *channel_dots[2], *channel_affine[2];
  pti_range_loop *max_pool[2], *avg_pool[2], *avg_pool_grad[2];
  pti_range_loop *slide[2], *slide_weight[2];
  pti_range_loop *attention[2], *attention_grad[2], *rnn[2], *rnn_grad[2];
  bool (*fft[2])(const pti_fft *f, const void *x, void *y); /* false: no memory */
} pti_cpu_nn_loops;

extern const pti_cpu_nn_loops pti_cpu_nn_loops_base, pti_cpu_nn_loops_avx2, pti_cpu_nn_loops_avx512;
/* The loops of the level in use. */
const pti_cpu_nn_loops *pti_cpu_nn_now(void);

static inline int64_t pti_volume(const int64_t v[3]) { return v[0] * v[1] * v[2]; }

/* Along a line of `in` elements: the outputs lo .. hi - 1, of `out`, that read an element at
   first + output * step which there is. */
static inline void pti_reach(int64_t in, int64_t out, int64_t step, int64_t first, int64_t *lo,
                             int64_t *hi) {
  *lo = first < 0 ? (-first + step - 1) / step : 0;
  *hi = first >= in ? 0 : pti_min64(out, (in - 1 - first) / step + 1);
}

bool pti_cpu_gemm(int dev, const pti_gemm *g); /* the slot; loops need not see all of them */

/* c (m, n) = alpha a b + beta c; false where there was no memory for what is packed. */
__attribute__((warn_unused_result)) static inline bool
pti_product(pt_dtype dtype, bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha,
            const void *a, int64_t lda, const void *b, int64_t ldb, double beta, void *c,
            int64_t ldc) {
  pti_gemm g = {.dtype = dtype,
                .ta = ta,
                .tb = tb,
                .m = m,
                .n = n,
                .k = k,
                .lda = lda,
                .ldb = ldb,
                .ldc = ldc,
                .batch = 1,
                .alpha = alpha,
                .beta = beta,
                .a = a,
                .b = b,
                .c = c};
  return pti_cpu_gemm(0, &g);
}

/* ---- norm.c, channel.c ---- */

typedef struct norm_job {
  const pti_norm *p;
  const void *x, *g, *w, *b;
  void *y, *mean, *rstd, *gw, *gb;
  void *partial; /* (pieces, 2, n): what each piece of rows gives to gw and gb */
  int64_t piece; /* rows in it */
} norm_job;

/* Layer norm: every element of a row has a weight of its own, the same for all rows. */
static inline bool per_element(const pti_norm *p) { return p->inner == 1 && p->period == 1; }

typedef struct channel_job {
  const pti_rows *r; /* outer = n, n = channels */
  const void *x, *z, *mean, *a, *b, *c;
  void *s, *q, *y;
} channel_job;

/* ---- pooling.c ---- */

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

static inline span window(const pti_window *p, int d, int64_t o) {
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

/* ---- conv.c ---- */

/* Depthwise: windows of k taps slide by `step` over x, a channel of size `in` whose elements lie
   `space` apart from `lead` on in a plane of size `room`; flip: the last tap comes first. */
typedef struct slide_job {
  int64_t images, channels;
  int64_t in[3], out[3], k[3], dil[3], space[3], lead[3], room[3], step[3];
  bool flip;
  const char *x, *w, *bias, *g;
  char *y;
  atomic_bool failed;
} slide_job;

/* ---- attention.c ---- */

/* Most rows and columns of a tile. */
enum { BQ = 128, BK = 128 };

typedef struct attention_job {
  const pti_attention *p;
  const char *q, *k, *v, *y, *g;
  char *out, *lse, *gq, *gk, *gv;
  int64_t bq, nq; /* rows of a tile; blocks of them in a head */
  atomic_bool failed;
} attention_job;

/* Whether the probability of (row, column) is kept; row counts over all heads. */
static inline bool kept(const pti_attention *p, int64_t row, int64_t column) {
  uint32_t word[4];
  uint64_t i = (uint64_t)row * (uint64_t)p->lk + (uint64_t)column;
  pti_philox(p->seed, p->stream, p->ctr + i / 4, word);
  return (double)(word[i % 4] >> 8) * 0x1p-24 >= p->dropout;
}

/* ---- fft.c ---- */

enum {
  FFT_LARGEST = 13, /* prime factors up to this have passes of their own */
  FFT_LONG = 8192   /* longer lines are cut into matrices */
};

/* A length and the radices that make it up; count is short where it has a larger factor. */
typedef struct pti_radices {
  int64_t n;
  int count;
  int p[64];
} pti_radices;

/* Whether passes for the radices of n exist. */
bool pti_fft_factor(int64_t n, pti_radices *r);
/* cos and sin of 2 pi k / n, 0 <= k < n. */
void pti_fft_unit(int64_t k, int64_t n, double *re, double *im);

/* ---- rnn.c ---- */

typedef struct rnn_job {
  const pti_rnn *p;
  const pti_rnn_data *d;
  char *pre;      /* (n, gates h): what the state contributes to this step's gates */
  char *dh, *dc;  /* backward: gradients of the running state */
  int64_t row, n; /* first row of the step, and how many */
} rnn_job;

static inline int gates_of(const pti_rnn *p) {
  return p->kind == PTI_LSTM ? 4 : p->kind == PTI_GRU ? 3 : 1;
}

#endif
