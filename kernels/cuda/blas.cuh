/* blas.cuh: the few cuBLAS functions in use, as a table: the library is large and may be missing, so it is
   opened at the first large product and never linked. In the simulator the same calls, with cuBLAS's rules for
   arguments, are work for the host's BLAS in the order of the stream (kernels/sim/cublas.cpp). */
#ifndef PT_BLAS_CUH
#define PT_BLAS_CUH

#include <cuda_runtime.h>

typedef struct blas_context *blas_handle;
enum { BLAS_PLAIN = 0, BLAS_TRANSPOSED = 1 };                      /* cublasOperation_t */
enum { BLAS_F32 = 0, BLAS_F64 = 1, BLAS_F16 = 2, BLAS_BF16 = 14 }; /* cudaDataType_t */
enum {
  BLAS_IN_F32 = 68,
  BLAS_IN_F64 = 70,
  BLAS_ANY_ALGORITHM = -1
}; /* cublasComputeType_t, cublasGemmAlgo_t */

struct blas_table {
  int (*create)(blas_handle *h);
  int (*set_stream)(blas_handle h, cudaStream_t s);
  int (*set_workspace)(blas_handle h, void *p, size_t bytes);
  /* c (m, n) = alpha a b + beta c, column-major; cublasGemmStridedBatchedEx */
  int (*gemm)(blas_handle h, int ta, int tb, int m, int n, int k, const void *alpha, const void *a,
              int a_type, int lda, long long step_a, const void *b, int b_type, int ldb,
              long long step_b, const void *beta, void *c, int c_type, int ldc, long long step_c,
              int batch, int compute, int algorithm);
};

/* NULL where the library is not here. */
const blas_table *blas_open(void);

#endif
