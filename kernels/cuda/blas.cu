/* blas.cu: large matrix products by cuBLAS, where it is installed. It is column-major, so a and b are exchanged.
   Each stream has a handle and a workspace of its own: with both fixed, results are reproducible. */
#include <map>
#include <mutex>

#include "blas.cuh"
#include "common.cuh"
#include "gemm.cuh"

#ifdef __CUDACC__
#include <dlfcn.h>

template <class F> static bool find(void *lib, const char *name, F *to) {
  *(void **)to = dlsym(lib, name);
  return *to != NULL;
}
static const blas_table *open_library(void) {
  static blas_table t;
  static const char *const names[] = {"libcublas.so.13", "libcublas.so.12", "libcublas.so"};
  void *lib = NULL;
  for (const char *name : names) lib = lib ? lib : dlopen(name, RTLD_NOW | RTLD_LOCAL);
  bool ok = lib && find(lib, "cublasCreate_v2", &t.create) &&
      find(lib, "cublasSetStream_v2", &t.set_stream) &&
      find(lib, "cublasSetWorkspace_v2", &t.set_workspace) &&
      find(lib, "cublasGemmStridedBatchedEx", &t.gemm);
  return ok ? &t : NULL;
}
const blas_table *blas_open(void) {
  static const blas_table *t = open_library();
  return t;
}
#endif

enum { MOST = 0x7fffffff };
const size_t WORKSPACE = 32 << 20;
const int64_t LARGE = 1 << 21; /* multiplications; below, our own kernels start sooner */

/* The handle of a stream, made at its first large product; a stream that another thread takes over keeps it. */
static blas_handle handle_of(const blas_table *t, cudaStream_t s) {
  static std::mutex lock;
  /* Never destroyed: streams may outlive static objects. */
  static std::map<cudaStream_t, blas_handle> &handles = *new std::map<cudaStream_t, blas_handle>;
  std::lock_guard<std::mutex> guard(lock);
  blas_handle &h = handles[s];
  void *workspace = NULL;
  if (h == NULL) {
    if (t->create(&h) != 0) return h = NULL;
    if (cudaMalloc(&workspace, WORKSPACE) == cudaSuccess) t->set_workspace(h, workspace, WORKSPACE);
    cudaGetLastError();
  }
  return t->set_stream(h, s) == 0 ? h : NULL;
}

bool blas_takes(const pti_gemm *g) {
  if (g->m * g->n < LARGE / (g->k > 0 ? g->k : 1) || !pti_is(g->dtype, PTI_FLOATS)) return false;
  if (g->m > MOST || g->n > MOST || g->k > MOST || g->lda > MOST || g->ldb > MOST || g->ldc > MOST)
    return false;
  if (g->batch > MOST) return false;
  /* a row of one element may have any leading dimension here, but not there */
  return g->lda >= (g->ta ? g->m : g->k) && g->ldb >= (g->tb ? g->k : g->n) && g->ldc >= g->n &&
      blas_open() != NULL;
}

bool blas_gemm(cudaStream_t s, const pti_gemm *g, pt_dtype out) {
  static const int types[] = {BLAS_F32, BLAS_F64, BLAS_F16, BLAS_BF16};
  const blas_table *t = blas_open();
  blas_handle h = handle_of(t, s);
  int type = types[g->dtype], out_type = types[out], wide = g->dtype == PT_F64;
  float alpha = (float)g->alpha, beta = (float)g->beta;
  const void *first = wide ? (const void *)&g->alpha : &alpha,
             *second = wide ? (const void *)&g->beta : &beta;
  int e = h ? t->gemm(h, g->tb ? BLAS_TRANSPOSED : BLAS_PLAIN, g->ta ? BLAS_TRANSPOSED : BLAS_PLAIN,
                      (int)g->n, (int)g->m, (int)g->k, first, g->b, type, (int)g->ldb, g->sb, g->a,
                      type, (int)g->lda, g->sa, second, g->c, out_type, (int)g->ldc, g->sc,
                      (int)g->batch, wide ? BLAS_IN_F64 : BLAS_IN_F32, BLAS_ANY_ALGORITHM)
            : 1;
  if (e == 0) return launched("matrix product");
  pti_host->fail(PT_EDEVICE, "matrix product: cuBLAS failed with status %d", e);
  return false;
}
