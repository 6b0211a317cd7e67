/* gemm.c: matrix products, and the only file that knows BLAS. A product is cut into tiles by its
   shape alone and the tiles run on the engine's threads, each tile by one BLAS call held to one
   thread: results do not depend on the number of threads. float32 and float64 go to BLAS as they
   lie in memory, transposes as flags; everything else (halves, integers, sizes beyond BLAS's int)
   through panels converted to a compute type.

   c (m, n) = alpha a b + beta c; see pti_gemm in backend.h. */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "blas.h"
#include "cpu_backend.h"

enum {
  SIDE = 256,               /* of a tile; BLAS is within 3 % of its best from here on */
  ALIGN = 16,               /* tiles end at multiples of what BLAS's kernels take at once */
  DEPTH = 256,              /* of a converted panel */
  PIECE_FLOPS = 1 << 21,    /* about what waking a thread is worth */
  TILE_FLOPS = 3 << 21,     /* tiles above this are cut again while there are few of them */
  VECTOR_PIECE = 128 * 1024 /* elements of a matrix times vector */
};

typedef struct job {
  pti_gemm g;
  size_t esize;
  int64_t tm, tn, cols, tiles; /* tile's size, tiles beside each other, tiles of one problem */
  pti_compute compute;         /* converted path */
  atomic_bool failed;
} job;

static const char *element(const void *p, size_t esize, int64_t i) {
  return (const char *)p + i * (int64_t)esize;
}

/* ---- tiles by BLAS ---- */

static void blas_tile(const job *j, int64_t p, int64_t i, int64_t k, int64_t m, int64_t n) {
  const pti_gemm *g = &j->g;
  const void *a = element(g->a, j->esize, p * g->sa + (g->ta ? i : i * g->lda));
  const void *b = element(g->b, j->esize, p * g->sb + (g->tb ? k * g->ldb : k));
  void *c = (char *)g->c + (p * g->sc + i * g->ldc + k) * (int64_t)j->esize;
  CBLAS_TRANSPOSE ta = g->ta ? CblasTrans : CblasNoTrans, tb = g->tb ? CblasTrans : CblasNoTrans;
  int im = (int)m, in = (int)n, ik = (int)g->k, lda = (int)g->lda, ldb = (int)g->ldb;
  const double alpha[2] = {g->alpha, 0}, beta[2] = {g->beta, 0};
  const float falpha[2] = {(float)g->alpha, 0}, fbeta[2] = {(float)g->beta, 0};
  if (g->dtype == PT_C64) {
    pti_blas.cblas_cgemm(CblasRowMajor, ta, tb, im, in, ik, falpha, a, lda, b, ldb, fbeta, c,
                         (int)g->ldc);
  } else if (g->dtype == PT_C128) {
    pti_blas.cblas_zgemm(CblasRowMajor, ta, tb, im, in, ik, alpha, a, lda, b, ldb, beta, c,
                         (int)g->ldc);
  } else if (g->dtype == PT_F32) {
    pti_blas.cblas_sgemm(CblasRowMajor, ta, tb, (int)m, (int)n, (int)g->k, (float)g->alpha, a,
                         (int)g->lda, b, (int)g->ldb, (float)g->beta, c, (int)g->ldc);
  } else {
    pti_blas.cblas_dgemm(CblasRowMajor, ta, tb, (int)m, (int)n, (int)g->k, g->alpha, a, (int)g->lda,
                         b, (int)g->ldb, g->beta, c, (int)g->ldc);
  }
}

static void blas_tiles(void *ctx, int64_t lo, int64_t hi) {
  const job *j = ctx;
  for (int64_t t = lo; t < hi; t++) {
    int64_t p = t / j->tiles, i = t % j->tiles / j->cols * j->tm,
            k = t % j->tiles % j->cols * j->tn;
    blas_tile(j, p, i, k, pti_min64(j->tm, j->g.m - i), pti_min64(j->tn, j->g.n - k));
  }
}

/* ---- tiles through converted panels ---- */

/* (rows, n) elements of a stored matrix, as dense numbers of the compute type. `t`: it is stored
   transposed. */
static void load_panel(const job *j, char *to, const char *from, int64_t ld, bool t, int64_t rows,
                       int64_t n) {
  size_t csize = j->compute == PTI_CF32 ? 4 : 8;
  int64_t esize = (int64_t)j->esize, step = t ? ld * esize : esize, next = t ? esize : ld * esize;
  pti_load_loop *load = pti_cpu_now()->load[j->g.dtype][j->compute];
  for (int64_t r = 0; r < rows; r++) load(to + r * n * (int64_t)csize, from + r * next, step, n);
}

/* s (m, n) += a (m, k) b (k, n), wrapping. */
static void multiply_ints(uint64_t *restrict s, const uint64_t *a, const uint64_t *restrict b,
                          int64_t m, int64_t n, int64_t k) {
  for (int64_t i = 0; i < m; i++) {
    for (int64_t l = 0; l < k; l++) {
      uint64_t v = a[i * k + l];
      for (int64_t j = 0; j < n; j++) s[i * n + j] += v * b[l * n + j];
    }
  }
}

static void multiply(const job *j, void *s, const void *a, const void *b, int64_t m, int64_t n,
                     int64_t k) {
  int im = (int)m, in = (int)n, ik = (int)k;
  if (j->compute == PTI_CF32) {
    pti_blas.cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, im, in, ik, 1, a, ik, b, in, 1,
                         s, in);
  } else if (j->compute == PTI_CF64) {
    pti_blas.cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, im, in, ik, 1, a, ik, b, in, 1,
                         s, in);
  } else {
    multiply_ints(s, a, b, m, n, k);
  }
}

/* c = alpha s + beta c for one row of the compute type. */
static void combine(const job *j, void *s, const void *c, int64_t n) {
  double alpha = j->g.alpha, beta = j->g.beta;
  for (int64_t i = 0; i < n; i++) {
    if (j->compute == PTI_CF32) {
      ((float *)s)[i] =
          (float)alpha * ((float *)s)[i] + (beta != 0 ? (float)beta * ((const float *)c)[i] : 0);
    } else if (j->compute == PTI_CF64) {
      ((double *)s)[i] = alpha * ((double *)s)[i] + (beta != 0 ? beta * ((const double *)c)[i] : 0);
    } else {
      uint64_t old = beta != 0 ? (uint64_t)(int64_t)beta * ((const uint64_t *)c)[i] : 0;
      ((uint64_t *)s)[i] = (uint64_t)(int64_t)alpha * ((uint64_t *)s)[i] + old;
    }
  }
}

static void store_tile(const job *j, char *s, char *c, int64_t m, int64_t n) {
  const pti_gemm *g = &j->g;
  size_t csize = j->compute == PTI_CF32 ? 4 : 8;
  int64_t esize = (int64_t)j->esize;
  uint64_t old[SIDE];
  for (int64_t r = 0; r < m; r++, s += n * (int64_t)csize, c += g->ldc * esize) {
    if (g->beta != 0) pti_cpu_now()->load[g->dtype][j->compute](old, c, esize, n);
    if (g->beta != 0 || g->alpha != 1) combine(j, s, old, n);
    pti_cpu_now()->store[g->dtype][j->compute](c, esize, s, n);
  }
}

static void converted_tile(const job *j, char *scratch, int64_t p, int64_t i, int64_t k, int64_t m,
                           int64_t n) {
  const pti_gemm *g = &j->g;
  size_t csize = j->compute == PTI_CF32 ? 4 : 8;
  char *s = scratch, *pa = s + SIDE * SIDE * csize, *pb = pa + SIDE * DEPTH * csize;
  memset(s, 0, (size_t)(m * n) * csize);
  for (int64_t l = 0; l < g->k; l += DEPTH) {
    int64_t d = pti_min64(DEPTH, g->k - l);
    int64_t oa = p * g->sa + (g->ta ? l * g->lda + i : i * g->lda + l);
    int64_t ob = p * g->sb + (g->tb ? k * g->ldb + l : l * g->ldb + k);
    load_panel(j, pa, element(g->a, j->esize, oa), g->lda, g->ta, m, d);
    load_panel(j, pb, element(g->b, j->esize, ob), g->ldb, g->tb, d, n);
    multiply(j, s, pa, pb, m, n, d);
  }
  store_tile(j, s, (char *)g->c + (p * g->sc + i * g->ldc + k) * (int64_t)j->esize, m, n);
}

static void converted_tiles(void *ctx, int64_t lo, int64_t hi) {
  job *j = ctx;
  size_t bytes = (SIDE * SIDE + 2 * SIDE * DEPTH) * (j->compute == PTI_CF32 ? 4 : 8);
  char *scratch = pti_cpu_host->alloc(bytes);
  if (scratch == NULL) {
    atomic_store(&j->failed, true);
    return;
  }
  for (int64_t t = lo; t < hi; t++) {
    int64_t p = t / j->tiles, i = t % j->tiles / j->cols * j->tm,
            k = t % j->tiles % j->cols * j->tn;
    converted_tile(j, scratch, p, i, k, pti_min64(j->tm, j->g.m - i), pti_min64(j->tn, j->g.n - k));
  }
  pti_cpu_host->free(scratch, bytes);
}

/* ---- matrix times vector ---- */

/* y (m) = alpha A x + beta y, for problems [lo, hi) counted in blocks of tm entries of y. Of the
   job's g: a, lda, ta are A; b and ldb (in elements, from one entry to the next) are x, c and ldc
   are y; k entries in x. */
static void vector_blocks(void *ctx, int64_t lo, int64_t hi) {
  const job *j = ctx;
  const pti_gemm *g = &j->g;
  for (int64_t t = lo; t < hi; t++) {
    int64_t p = t / j->tiles, i = t % j->tiles * j->tm, m = pti_min64(j->tm, g->m - i);
    const void *a = element(g->a, j->esize, p * g->sa + (g->ta ? i : i * g->lda));
    const void *x = element(g->b, j->esize, p * g->sb);
    void *y = (char *)g->c + (p * g->sc + i * g->ldc) * (int64_t)j->esize;
    CBLAS_TRANSPOSE trans = g->ta ? CblasTrans : CblasNoTrans;
    int rows = (int)(g->ta ? g->k : m), cols = (int)(g->ta ? m : g->k);
    if (g->dtype == PT_F32) {
      pti_blas.cblas_sgemv(CblasRowMajor, trans, rows, cols, (float)g->alpha, a, (int)g->lda, x,
                           (int)g->ldb, (float)g->beta, y, (int)g->ldc);
    } else {
      pti_blas.cblas_dgemv(CblasRowMajor, trans, rows, cols, g->alpha, a, (int)g->lda, x,
                           (int)g->ldb, g->beta, y, (int)g->ldc);
    }
  }
}

static void run_vector(job *j) {
  pti_gemm *g = &j->g;
  if (g->m == 1 && g->n != 1) { /* c' = b' a' */
    pti_gemm t = *g;
    t.a = g->b, t.lda = g->ldb, t.sa = g->sb, t.ta = !g->tb;
    t.b = g->a, t.ldb = g->lda, t.sb = g->sa, t.tb = !g->ta;
    t.m = g->n, t.n = 1, t.ldc = 1;
    *g = t;
  }
  g->ldb = g->tb || g->k == 1 ? 1 : g->ldb;
  if (g->m == 1) g->ldc = 1;
  j->tm = (VECTOR_PIECE / g->k + ALIGN) / ALIGN * ALIGN;
  j->tm = pti_max64(j->tm, g->ta ? SIDE : ALIGN); /* columns are read as rows of the tile */
  j->tm = pti_min64(j->tm, g->m);
  j->tiles = (g->m + j->tm - 1) / j->tm;
  int64_t grain = pti_max64(1, VECTOR_PIECE / (j->tm * g->k));
  pti_cpu_host->parallel_for(g->batch * j->tiles, grain, vector_blocks, j);
}

/* ---- the plan ---- */

/* Pieces of n that are equally long, at most `side`. */
static int64_t cut(int64_t n, int64_t side) {
  int64_t count = (n + side - 1) / side, t = (n + count - 1) / count;
  return pti_min64(n, (t + ALIGN - 1) / ALIGN * ALIGN);
}

static int64_t count_tiles(job *j) {
  j->cols = (j->g.n + j->tn - 1) / j->tn;
  j->tiles = j->cols * ((j->g.m + j->tm - 1) / j->tm);
  return j->tiles;
}

static void run_tiles(job *j, bool direct) {
  const pti_gemm *g = &j->g;
  int64_t side = direct && g->m >= 8 * SIDE && g->n >= 8 * SIDE ? 2 * SIDE : SIDE;
  j->tm = cut(g->m, side);
  j->tn = cut(g->n, side);
  double depth = 2.0 * (double)g->k;
  while ((double)count_tiles(j) * (double)g->batch < 8 &&
         (double)(j->tm * j->tn) * depth > TILE_FLOPS) {
    int64_t *longer = j->tm > j->tn ? &j->tm : &j->tn;
    if (*longer <= SIDE / 4) break;
    *longer = cut(*longer, (*longer + 1) / 2);
  }
  double flops = (double)(j->tm * j->tn) * depth;
  int64_t grain = flops >= PIECE_FLOPS ? 1 : (int64_t)(PIECE_FLOPS / flops);
  pti_cpu_host->parallel_for(g->batch * j->tiles, grain, direct ? blas_tiles : converted_tiles, j);
}

/* BLAS wants the leading dim to cover a row even where there is one row only. */
static void settle_leading_dims(pti_gemm *g) {
  g->lda = pti_max64(g->lda, g->ta ? g->m : g->k);
  g->ldb = pti_max64(g->ldb, g->tb ? g->k : g->n);
  g->ldc = pti_max64(g->ldc, g->n);
}

/* One b for problems that lie one below the other: one tall product. */
static void merge_batch(pti_gemm *g) {
  if (g->sb != 0 || g->ta || g->lda < g->k || g->ldc < g->n) return;
  if (g->sa != g->m * g->lda || g->sc != g->m * g->ldc) return;
  g->m *= g->batch;
  g->batch = 1;
}

bool pti_cpu_gemm(int dev, const pti_gemm *given) {
  (void)dev;
  if (!pti_blas_ready()) return false;
  job j = {
      .g = *given, .esize = pt_dtype_size(given->dtype), .compute = pti_compute_of(given->dtype)};
  pti_gemm *g = &j.g;
  if (g->batch == 0 || g->m == 0 || g->n == 0) return true;
  merge_batch(g);
  settle_leading_dims(g);
  bool pairs = pti_is(g->dtype, PTI_COMPLEX);
  bool blas = (g->dtype == PT_F32 || g->dtype == PT_F64 || pairs) && g->k > 0 && g->k <= INT_MAX &&
              g->lda <= INT_MAX && g->ldb <= INT_MAX && g->ldc <= INT_MAX;
  if (pairs && !blas)
    return pti_cpu_host->fail(PT_ESHAPE, "complex matrices beyond what BLAS counts");
  if (blas && !pairs && (g->m == 1 || g->n == 1)) {
    run_vector(&j);
  } else {
    run_tiles(&j, blas);
  }
  if (!atomic_load(&j.failed)) return true;
  return pti_cpu_host->fail(PT_EMEMORY, "matrix product: no memory for converted panels");
}
