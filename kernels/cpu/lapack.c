/* lapack.c: factorizations, eigenvalues and solutions, one LAPACK call for each matrix of a batch;
   the only file that knows LAPACK (OpenBLAS brings it). The matrices of a batch are shared among
   the engine's threads, each call is held to one: results do not depend on the number of threads.

      backend.h says what the arrays of a pti_factor hold; they are in column-major order, as LAPACK wants. */
#include <limits.h>
#include <stdatomic.h>
#include <string.h>

#include "blas.h"
#include "cpu_backend.h"
#include "cpu_slots.h"

enum {
  PIECE_FLOPS = 1 << 19,
  SIDE = 16384, /* workspace grows with its square, and LAPACK counts it in an int */
  LENGTH = 1 << 24
};

typedef pti_mode mode;
/* The routine for the dtype: of real numbers, of complex ones, or of any where both take the same. */
#define REAL(name, ...) \
  (j->single ? pti_blas.s##name##_(__VA_ARGS__) : pti_blas.d##name##_(__VA_ARGS__))
#define COMPLEX(name, ...) \
  (j->single ? pti_blas.c##name##_(__VA_ARGS__) : pti_blas.z##name##_(__VA_ARGS__))
#define LAPACK(name, ...) (j->of_complex ? COMPLEX(name, __VA_ARGS__) : REAL(name, __VA_ARGS__))

typedef struct job {
  pti_factor f;
  int m, n, k, rank; /* rank: min(m, n) */
  int lda, ldb;      /* rows of a and b, at least 1 */
  bool single, of_complex;
  size_t size, real;         /* bytes of an element, and of a real number of its precision */
  int lwork, lreals, liwork; /* elements of work space, as LAPACK asks for it */
  size_t extra;              /* elements of what a case needs in addition */
  atomic_bool failed;
} job;

/* The work space of one range of the batch. */
typedef struct space {
  char *extra, *work, *reals;
  int *iwork;
} space;

static double number(const job *j, const void *x, int64_t i) {
  return j->single ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static void put(const job *j, void *x, int64_t i, double v) {
  if (j->single) ((float *)x)[i] = (float)v;
  else ((double *)x)[i] = v;
}

/* Matrix `at` of an array of matrices of n elements. */
static char *matrix(const job *j, void *array, int64_t at, int64_t n) {
  return array ? (char *)array + at * n * (int64_t)j->size : NULL;
}

/* Vector `at` of an array of n real numbers each. */
static char *reals(const job *j, void *array, int64_t at, int64_t n) {
  return (char *)array + at * n * (int64_t)j->real;
}

/* ---- one matrix each; with lwork -1 they say in *work how much they need ---- */

static void cholesky(const job *j, char *a, int *info) {
  LAPACK(potrf, "L", &j->n, a, &j->lda, info, 1);
  for (int c = 1; c < j->n; c++)
    memset(a + (int64_t)c * j->n * (int64_t)j->size, 0, (size_t)c * j->size);
}

static void triangle(const job *j, const char *a, char *b) {
  double one64[2] = {1, 0};
  float one32[2] = {1, 0};
  const void *one = j->single ? (const void *)one32 : one64;
  LAPACK(trsm, "L", j->f.upper ? "U" : "L", "N", j->f.unit ? "U" : "N", &j->n, &j->k, one, a,
         &j->lda, b, &j->ldb, 1, 1, 1, 1);
}

/* The upper triangle of a, and the orthogonal (unitary) factor from the reflectors below it. */
static void qr(const job *j, char *a, char *r, char *q, const space *s, int lwork, int *info) {
  int rows = j->f.full ? j->m : j->rank;
  int64_t size = (int64_t)j->size;
  LAPACK(geqrf, &j->m, &j->n, a, &j->lda, s->extra, s->work, &lwork, info);
  if (lwork < 0) return;
  for (int64_t c = 0; c < j->n; c++) {
    int64_t n = pti_min64(c + 1, rows);
    memcpy(r + c * rows * size, a + c * j->m * size, (size_t)(n * size));
    memset(r + (c * rows + n) * size, 0, (size_t)((rows - n) * size));
  }
  memcpy(q, a, (size_t)(j->m * pti_min64(rows, j->n) * size));
  if (j->of_complex)
    COMPLEX(ungqr, &j->m, &rows, &j->rank, q, &j->lda, s->extra, s->work, &lwork, info);
  else REAL(orgqr, &j->m, &rows, &j->rank, q, &j->lda, s->extra, s->work, &lwork, info);
}

static void svd(const job *j, char *a, char *values, char *u, char *v, const space *s, int lwork,
                int *info) {
  int rows = j->f.full ? j->n : j->rank, ldv = rows > 0 ? rows : 1;
  mode jobz = j->f.c == NULL ? "N" : j->f.full ? "A" : "S";
  if (j->of_complex)
    COMPLEX(gesdd, jobz, &j->m, &j->n, a, &j->lda, values, u, &j->lda, v, &ldv, s->work, &lwork,
            s->reals, s->iwork, info, 1);
  else
    REAL(gesdd, jobz, &j->m, &j->n, a, &j->lda, values, u, &j->lda, v, &ldv, s->work, &lwork,
         s->iwork, info, 1);
}

static void eigh(const job *j, char *a, char *values, const space *s, int lwork, int liwork,
                 int *info) {
  mode jobz = j->f.full ? "V" : "N";
  if (j->of_complex)
    COMPLEX(heevd, jobz, "L", &j->n, a, &j->lda, values, s->work, &lwork, s->reals, &j->lreals,
            s->iwork, &liwork, info, 1, 1);
  else
    REAL(syevd, jobz, "L", &j->n, a, &j->lda, values, s->work, &lwork, s->iwork, &liwork, info, 1,
         1);
}

/* Real arithmetic gives a complex pair of vectors as its real and its imaginary part. */
static void eig(const job *j, char *a, char *values, char *vectors, const space *s, int lwork,
                int *info) {
  int64_t n = j->n;
  int ld = 1;
  if (j->of_complex) {
    COMPLEX(geev, "N", "V", &j->n, a, &j->lda, values, NULL, &ld, vectors, &j->lda, s->work, &lwork,
            s->reals, info, 1, 1);
    return;
  }
  char *re = s->extra, *im = re + n * (int64_t)j->size, *v = im + n * (int64_t)j->size;
  REAL(geev, "N", "V", &j->n, a, &j->lda, re, im, NULL, &ld, v, &j->lda, s->work, &lwork, info, 1,
       1);
  if (lwork < 0) return;
  for (int64_t c = 0; c < n; c++) {
    put(j, values, 2 * c, number(j, re, c));
    put(j, values, 2 * c + 1, number(j, im, c));
  }
  for (int64_t c = 0; c < n; c++) {
    bool pair = number(j, im, c) != 0 && c + 1 < n;
    for (int64_t r = 0; r < n; r++) {
      double x = number(j, v, c * n + r), y = pair ? number(j, v, (c + 1) * n + r) : 0;
      put(j, vectors, 2 * (c * n + r), x);
      put(j, vectors, 2 * (c * n + r) + 1, y);
      if (!pair) continue;
      put(j, vectors, 2 * ((c + 1) * n + r), x);
      put(j, vectors, 2 * ((c + 1) * n + r) + 1, -y);
    }
    c += pair;
  }
}

static void one(const job *j, int64_t at, const space *s, int lwork, int liwork, int *info) {
  const pti_factor *f = &j->f;
  int64_t square = f->n * f->n, rows = f->full ? f->m : j->rank, cols = f->full ? f->n : j->rank;
  char *a = matrix(j, f->a, at, f->kind == PTI_LU || f->kind >= PTI_QR ? f->m * f->n : square);
  int *pivot = f->pivot ? (int *)f->pivot + at * j->rank : NULL;
  switch (f->kind) {
  case PTI_CHOLESKY: cholesky(j, a, info); break;
  case PTI_LU: LAPACK(getrf, &j->m, &j->n, a, &j->lda, pivot, info); break;
  case PTI_LU_SOLVE:
    LAPACK(getrs, "N", &j->n, &j->k, a, &j->lda, pivot, matrix(j, f->b, at, f->n * f->k), &j->ldb,
           info, 1);
    break;
  case PTI_TRIANGLE: triangle(j, a, matrix(j, f->b, at, f->n * f->k)); break;
  case PTI_QR:
    qr(j, a, matrix(j, f->b, at, rows * f->n), matrix(j, f->c, at, f->m * rows), s, lwork, info);
    break;
  case PTI_EIGH: eigh(j, a, reals(j, f->b, at, f->n), s, lwork, liwork, info); break;
  case PTI_SVD:
    svd(j, a, reals(j, f->b, at, j->rank), matrix(j, f->c, at, f->m * rows),
        matrix(j, f->d, at, cols * f->n), s, lwork, info);
    break;
  case PTI_EIG:
    eig(j, a, reals(j, f->b, at, 2 * f->n), reals(j, f->c, at, 2 * square), s, lwork, info);
    break;
  }
}

/* ---- the batch ---- */

static void run_range(void *ctx, int64_t lo, int64_t hi) {
  job *j = ctx;
  size_t extra = j->extra * j->size, work = (size_t)j->lwork * j->size;
  size_t real = (size_t)j->lreals * j->real;
  size_t bytes = extra + work + real + (size_t)j->liwork * sizeof(int) + 16;
  char *block = pti_cpu_host->alloc(bytes);
  if (block == NULL) {
    atomic_store(&j->failed, true);
    return;
  }
  char *after = block + extra + work;
  space s = {block, block + extra, after, (int *)(void *)(after + real)};
  for (int64_t at = lo; at < hi && pti_cpu_host->poll(); at++) {
    int info = 0;
    one(j, at, &s, j->lwork, j->liwork, &info);
    if (j->f.info) j->f.info[at] = info;
  }
  pti_cpu_host->free(block, bytes);
}

/* How many real numbers the complex routines need in addition, by their manual. */
static int reals_wanted(const job *j) {
  int64_t n = j->f.n, k = j->rank, most = pti_max64(j->m, j->n), want = 0;
  if (j->f.kind == PTI_EIG) want = 2 * n;
  if (j->f.kind == PTI_EIGH) want = j->f.full ? 1 + 5 * n + 2 * n * n : n;
  if (j->f.kind == PTI_SVD && j->f.c == NULL) want = 7 * k;
  if (j->f.kind == PTI_SVD && j->f.c)
    want = pti_max64(5 * k * k + 7 * k, 2 * most * k + 2 * k * k + k);
  return j->of_complex ? (int)pti_min64(want + 1, INT_MAX) : 0;
}

/* Asks LAPACK how much workspace it needs. */
static void plan(job *j) {
  int64_t n = j->f.n;
  double answer[2] = {0}, real[2] = {0};
  int ianswer[2] = {0}, info = 0;
  char small[16] = {0};
  if (j->f.kind < PTI_QR) return;
  if (j->f.kind == PTI_QR) j->extra = (size_t)j->rank;
  if (j->f.kind == PTI_EIG) j->extra = (size_t)(n * n + 2 * n);
  if (j->f.kind == PTI_SVD) j->liwork = 8 * j->rank;
  j->lreals = reals_wanted(j);
  space s = {small, (char *)answer, (char *)real, ianswer};
  job ask = *j;
  ask.lreals = -1;
  pti_factor *f = &ask.f;
  f->a = f->b = small;
  if (f->c) f->c = f->d = small;
  one(&ask, 0, &s, -1, -1, &info);
  double want = number(j, answer, 0) * 1.000001 + 1; /* a float rounds large answers */
  if (f->kind == PTI_QR) want += 64 * (double)(f->full ? f->m : j->rank); /* orgqr's */
  j->lwork = (int)want;
  if (f->kind == PTI_EIGH) j->liwork = ianswer[0];
}

bool pti_cpu_factor(int dev, const pti_factor *f) {
  (void)dev;
  if (!pti_blas_ready()) return false;
  int64_t rank = pti_min64(f->m, f->n), most = pti_max64(f->m, f->n);
  if ((f->full ? most : rank) > SIDE || pti_max64(most, f->k) > LENGTH)
    return pti_cpu_host->fail(PT_ESHAPE, "matrices [%lld, %lld] are beyond what LAPACK counts",
                              (long long)f->m, (long long)f->n);
  job j = {.f = *f,
           .m = (int)f->m,
           .n = (int)f->n,
           .k = (int)f->k,
           .rank = (int)rank,
           .lda = (int)pti_max64(f->m, 1),
           .ldb = (int)pti_max64(f->n, 1),
           .single = f->dtype == PT_F32 || f->dtype == PT_C64,
           .of_complex = pti_is(f->dtype, PTI_COMPLEX),
           .size = pt_dtype_size(f->dtype)};
  j.real = j.single ? sizeof(float) : sizeof(double);
  plan(&j);
  double flops = (double)f->m * (double)f->n * (double)pti_max64(rank, f->k);
  int64_t grain = flops >= PIECE_FLOPS ? 1 : (int64_t)(PIECE_FLOPS / (flops + 1)) + 1;
  pti_cpu_host->parallel_for(f->batch, grain, run_range, &j);
  if (!atomic_load(&j.failed)) return true;
  return pti_cpu_host->fail(PT_EMEMORY, "no memory for the work space of LAPACK");
}
