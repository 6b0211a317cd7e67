/* cublas.cpp: cuBLAS in the simulator: arguments are checked by its rules, then the product waits in the stream as a
   kernel does, and is computed by the host's BLAS, or by plain loops where there is none or a type is half. */
#include "../cuda/blas.cuh"
#include "sim.h"

#include <dlfcn.h>

#include "dtype.h"

using namespace sim;

enum {
  ALL_WELL = 0,
  NOT_INITIALIZED = 1,
  INVALID_VALUE = 7,
  NOT_SUPPORTED = 15
}; /* cublasStatus_t */

struct blas_context {
  cudaStream_t s;
};

struct product {
  bool ta, tb;
  int m, n, k, type, c_type, lda, ldb, ldc, batch;
  long long step_a, step_b, step_c;
  double alpha, beta;
  const char *a, *b;
  char *c;
};

static size_t size_of(int type) { return type == BLAS_F64 ? 8 : type == BLAS_F32 ? 4 : 2; }

static double get(int type, const char *p) {
  if (type == BLAS_F32) return *(const float *)p;
  if (type == BLAS_F64) return *(const double *)p;
  return type == BLAS_F16 ? pti_f16_load(*(const uint16_t *)p)
                          : pti_bf16_load(*(const uint16_t *)p);
}
static void put(int type, char *p, double v) {
  if (type == BLAS_F32) *(float *)p = (float)v;
  else if (type == BLAS_F64) *(double *)p = v;
  else *(uint16_t *)p = type == BLAS_F16 ? pti_f16_store((float)v) : pti_bf16_store((float)v);
}

static void by_loops(const product &q, const char *a, const char *b, char *c) {
  size_t size = size_of(q.type);
  for (int j = 0; j < q.n; j++) {
    for (int i = 0; i < q.m; i++) {
      double sum = 0;
      for (int p = 0; p < q.k; p++) {
        size_t at =
            q.ta ? (size_t)i * (size_t)q.lda + (size_t)p : (size_t)p * (size_t)q.lda + (size_t)i;
        size_t bt =
            q.tb ? (size_t)p * (size_t)q.ldb + (size_t)j : (size_t)j * (size_t)q.ldb + (size_t)p;
        sum += get(q.type, a + at * size) * get(q.type, b + bt * size);
      }
      char *to = c + ((size_t)j * (size_t)q.ldc + (size_t)i) * size_of(q.c_type);
      put(q.c_type, to, q.alpha * sum + (q.beta == 0 ? 0 : q.beta * get(q.c_type, to)));
    }
  }
}

/* cblas_sgemm and cblas_dgemm; 102: by columns, 111: as it is, 112: transposed */
typedef void sgemm(int, int, int, int, int, int, float, const float *, int, const float *, int,
                   float, float *, int);
typedef void dgemm(int, int, int, int, int, int, double, const double *, int, const double *, int,
                   double, double *, int);
static void *host_blas(const char *name) {
  static void *lib = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  return lib ? dlsym(lib, name) : NULL;
}

static bool by_blas(const product &q, const char *a, const char *b, char *c) {
  static sgemm *single = (sgemm *)host_blas("cblas_sgemm");
  static dgemm *twice = (dgemm *)host_blas("cblas_dgemm");
  int ta = q.ta ? 112 : 111, tb = q.tb ? 112 : 111;
  if (q.type == BLAS_F32 && single)
    single(102, ta, tb, q.m, q.n, q.k, (float)q.alpha, (const float *)a, q.lda, (const float *)b,
           q.ldb, (float)q.beta, (float *)c, q.ldc);
  else if (q.type == BLAS_F64 && twice)
    twice(102, ta, tb, q.m, q.n, q.k, q.alpha, (const double *)a, q.lda, (const double *)b, q.ldb,
          q.beta, (double *)c, q.ldc);
  else return false;
  return true;
}

/* Whether (rows, cols) by columns lies inside a live block. */
static bool inside(const char *what, const char *p, int rows, int cols, int ld, size_t size) {
  size_t bytes = ((size_t)(cols - 1) * (size_t)ld + (size_t)rows) * size;
  if (rows == 0 || cols == 0 || owner(p, bytes)) return true;
  report(cudaErrorIllegalAddress,
         "cublasGemmStridedBatchedEx: %s (%d by %d, ld %d) at %p is not inside a live block", what,
         rows, cols, ld, (const void *)p);
  return false;
}

static void run(void *ud) {
  product *q = (product *)ud;
  size_t size = size_of(q->type), c_size = size_of(q->c_type);
  for (int i = 0; i < q->batch && !sticky; i++) {
    const char *a = q->a + (long long)size * q->step_a * i,
               *b = q->b + (long long)size * q->step_b * i;
    char *c = q->c + (long long)c_size * q->step_c * i;
    if (!inside("a", a, q->ta ? q->k : q->m, q->ta ? q->m : q->k, q->lda, size) ||
        !inside("b", b, q->tb ? q->n : q->k, q->tb ? q->k : q->n, q->ldb, size) ||
        !inside("c", c, q->m, q->n, q->ldc, c_size))
      break;
    if (!by_blas(*q, a, b, c)) by_loops(*q, a, b, c);
    for (int j = 0; j < q->n; j++)
      mark(c + (size_t)j * (size_t)q->ldc * c_size, (size_t)q->m * c_size, WRITTEN);
  }
  delete q;
}

static int create(blas_handle *h) {
  *h = new blas_context{NULL};
  return ALL_WELL;
}
static int set_stream(blas_handle h, cudaStream_t s) {
  if (h == NULL) return NOT_INITIALIZED;
  h->s = s;
  return ALL_WELL;
}
static int set_workspace(blas_handle h, void *p, size_t) {
  return h == NULL ? NOT_INITIALIZED : (uintptr_t)p % 256 ? INVALID_VALUE : ALL_WELL;
}
static int gemm(blas_handle h, int ta, int tb, int m, int n, int k, const void *alpha,
                const void *a, int a_type, int lda, long long step_a, const void *b, int b_type,
                int ldb, long long step_b, const void *beta, void *c, int c_type, int ldc,
                long long step_c, int batch, int compute, int) {
  if (h == NULL) return NOT_INITIALIZED;
  if (m < 0 || n < 0 || k < 0 || batch < 0 || lda < 1 || ldb < 1 || ldc < 1) return INVALID_VALUE;
  if (lda < (ta ? k : m) || ldb < (tb ? n : k) || ldc < m) return INVALID_VALUE;
  bool wide = c_type == BLAS_F64;
  bool summed = c_type == BLAS_F32 && size_of(a_type) == 2; /* halves into floats */
  if (a_type != b_type || (a_type != c_type && !summed) ||
      compute != (wide ? BLAS_IN_F64 : BLAS_IN_F32))
    return NOT_SUPPORTED;
  product q = {ta != 0,
               tb != 0,
               m,
               n,
               k,
               a_type,
               c_type,
               lda,
               ldb,
               ldc,
               batch,
               step_a,
               step_b,
               step_c,
               wide ? *(const double *)alpha : *(const float *)alpha,
               wide ? *(const double *)beta : *(const float *)beta,
               (const char *)a,
               (const char *)b,
               (char *)c};
  return cudaLaunchHostFunc(h->s, run, new product(q)) ? INVALID_VALUE : ALL_WELL;
}

const blas_table *blas_open(void) {
  static const blas_table t = {create, set_stream, set_workspace, gemm};
  return &t;
}
