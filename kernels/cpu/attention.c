/* attention.c: softmax(scale q k' + mask) v by tiles (Dao et al., 2022): memory is linear in the
   lengths, since of the scores only one tile exists at a time; backward computes them again from
   the saved log-sum-exp of each row. Rows that are masked altogether give zeros. Dropout draws
   number (row, column) of Philox, so the mask needs no memory either. q (b, h, lq, d) k (b, hk, lk,
   d) v (b, hk, lk, dv), dense; h / hk query heads share a key head. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "blas.h"
#include "cpu.h"
#include "rng.h"

enum { BQ = 64, BK = 128 };

typedef struct attention_job {
  const pti_attention *p;
  const char *q, *k, *v, *y, *g;
  char *out, *lse, *gq, *gk, *gv;
  int64_t nq; /* blocks of rows in a head */
  atomic_bool failed;
} attention_job;

typedef void attention_range(void *ctx, int64_t lo, int64_t hi);

static void product(const pti_attention *p, bool ta, bool tb, int64_t m, int64_t n, int64_t k,
                    double alpha, const void *a, int64_t lda, const void *b, int64_t ldb,
                    double beta, void *c, int64_t ldc) {
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
                .alpha = alpha,
                .beta = beta,
                .a = a,
                .b = b,
                .c = c};
  pti_cpu_gemm(0, &g);
}

/* Whether the probability of (row, column) is kept; row counts over all heads. */
static bool kept(const pti_attention *p, int64_t row, int64_t column) {
  uint32_t word[4];
  uint64_t i = (uint64_t)row * (uint64_t)p->lk + (uint64_t)column;
  pti_philox(p->seed, p->stream, p->ctr + i / 4, word);
  return (double)(word[i % 4] >> 8) * 0x1p-24 >= p->dropout;
}

#define T float
#define F(name) name##_f32
#define COMPUTE PTI_CF32
#include "attention.inc.h"
#undef T
#undef F
#undef COMPUTE
#define T double
#define F(name) name##_f64
#define COMPUTE PTI_CF64
#include "attention.inc.h"
#undef T
#undef F
#undef COMPUTE

static bool run(attention_job *j, int64_t units, attention_range *f32, attention_range *f64) {
  pti_cpu_host->parallel_for(units, 1, j->p->dtype == PT_F64 ? f64 : f32, j);
  return !atomic_load(&j->failed) ||
         pti_cpu_host->fail(PT_EMEMORY, "attention: no memory for its tiles") != NULL;
}

bool pti_cpu_attention(int dev, const pti_attention *p, const void *q, const void *k, const void *v,
                       void *y, void *lse) {
  (void)dev;
  if (!pti_blas_ready()) return false;
  attention_job j = {.p = p, .q = q, .k = k, .v = v, .out = y, .lse = lse};
  j.nq = (p->lq + BQ - 1) / BQ;
  return run(&j, p->b * p->h * j.nq, forward_f32, forward_f64);
}

bool pti_cpu_attention_grad(int dev, const pti_attention *p, const void *q, const void *k,
                            const void *v, const void *y, const void *lse, const void *g, void *gq,
                            void *gk, void *gv) {
  (void)dev;
  if (!pti_blas_ready()) return false;
  attention_job j = {.p = p, .q = q, .k = k, .v = v, .y = y, .g = g};
  j.lse = (char *)(uintptr_t)lse;
  j.gq = gq;
  j.gk = gk;
  j.gv = gv;
  return run(&j, p->b * p->hk, backward_f32, backward_f64);
}
