/* gemm.cuh: the two methods of a matrix product: cuBLAS (blas.cu) if installed and the product is large, else the
   kernels of gemm.cu. */
#ifndef PT_GEMM_CUH
#define PT_GEMM_CUH

#include "common.cuh"

/* c is of dtype `out`: that of the operands, or float32 where they are halves. */
bool gemm_to(int dev, const pti_gemm *g, pt_dtype out);
bool blas_takes(const pti_gemm *g);
bool blas_gemm(cudaStream_t s, const pti_gemm *g, pt_dtype out);

#endif
