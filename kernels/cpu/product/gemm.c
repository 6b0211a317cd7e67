/* gemm.c: the slot for products of matrices, c (m, n) = alpha a b + beta c; see pti_gemm in backend.h. It chooses a
   path by shape and dtype: products of real numbers are ours (product.h), complex ones are BLAS's, cut into tiles for
   the engine's threads. */
#include <limits.h>

#include "../blas.h"
#include "../cpu_slots.h"
#include "product.h"

/* ---- complex products ---- */

enum { SIDE = 256, PIECE_FLOPS = 1 << 21 };

typedef struct tiles {
  const pti_gemm *g;
  int64_t cols, count; /* tiles side by side, tiles of one problem */
} tiles;

static void complex_tile(const pti_gemm *g, int64_t p, int64_t i, int64_t k) {
  int64_t esize = (int64_t)pt_dtype_size(g->dtype);
  const char *a = (const char *)g->a + (p * g->sa + (g->ta ? i : i * g->lda)) * esize;
  const char *b = (const char *)g->b + (p * g->sb + (g->tb ? k * g->ldb : k)) * esize;
  char *c = (char *)g->c + (p * g->sc + i * g->ldc + k) * esize;
  CBLAS_TRANSPOSE ta = g->ta ? CblasTrans : CblasNoTrans, tb = g->tb ? CblasTrans : CblasNoTrans;
  int m = (int)pti_min64(SIDE, g->m - i), n = (int)pti_min64(SIDE, g->n - k), ik = (int)g->k;
  /* BLAS requires a leading dim to cover a row even if there is only one row. */
  int lda = (int)pti_max64(g->lda, g->ta ? g->m : g->k),
      ldb = (int)pti_max64(g->ldb, g->tb ? g->k : g->n), ldc = (int)pti_max64(g->ldc, g->n);
  if (g->dtype == PT_C64) {
    const float alpha[2] = {(float)g->alpha, 0}, beta[2] = {(float)g->beta, 0};
    pti_blas.cblas_cgemm(CblasRowMajor, ta, tb, m, n, ik, alpha, a, lda, b, ldb, beta, c, ldc);
  } else {
    const double alpha[2] = {g->alpha, 0}, beta[2] = {g->beta, 0};
    pti_blas.cblas_zgemm(CblasRowMajor, ta, tb, m, n, ik, alpha, a, lda, b, ldb, beta, c, ldc);
  }
}

static void complex_tiles(void *ctx, int64_t lo, int64_t hi) {
  const tiles *t = ctx;
  for (int64_t u = lo; u < hi; u++)
    complex_tile(t->g, u / t->count, u % t->count / t->cols * SIDE, u % t->count % t->cols * SIDE);
}

static bool complex_gemm(const pti_gemm *g) {
  if (!pti_blas_ready()) return false;
  if (pti_max64(pti_max64(g->k, g->m), g->n) > INT_MAX || g->lda > INT_MAX || g->ldb > INT_MAX ||
      g->ldc > INT_MAX)
    return pti_cpu_host->fail(PT_ESHAPE, "complex matrices beyond what BLAS counts");
  tiles t = {.g = g, .cols = (g->n + SIDE - 1) / SIDE};
  t.count = t.cols * ((g->m + SIDE - 1) / SIDE);
  double flops = 8.0 * (double)pti_min64(SIDE, g->m) * (double)pti_min64(SIDE, g->n) * (double)g->k;
  int64_t grain = flops >= PIECE_FLOPS ? 1 : (int64_t)(PIECE_FLOPS / (flops + 1));
  pti_cpu_host->parallel_for(g->batch * t.count, grain, complex_tiles, &t);
  return true;
}

/* ---- the slot ---- */

/* Problems stacked in memory that share b are one tall product. */
static void merge_batch(pti_gemm *g) {
  if (g->sb != 0 || g->ta || g->sa != g->m * g->lda || g->sc != g->m * g->ldc) return;
  g->m *= g->batch;
  g->batch = 1;
}

bool pti_cpu_gemm(int dev, const pti_gemm *given) {
  (void)dev;
  pti_gemm g = *given;
  if (g.batch == 0 || g.m == 0 || g.n == 0) return true;
  merge_batch(&g);
  if (pti_is(g.dtype, PTI_COMPLEX)) return complex_gemm(&g);
  product p = {.batch = g.batch, .m = g.m, .n = g.n, .k = g.k, .dtype = g.dtype};
  p.a = pti_product_matrix(g.dtype, g.a, g.lda, !g.ta, g.sa);
  p.b = pti_product_matrix(g.dtype, g.b, g.ldb, g.tb, g.sb);
  p.c = g.c, p.ldc = g.ldc, p.batch_c = g.sc;
  p.end = (product_end){.alpha = g.alpha, .beta = g.beta, .bias = g.bias, .activation = -1};
  return pti_product_run(&p);
}
