/* ew.cuh: the tables of element-wise kernels, by row of ops.def and formula. */
#ifndef PT_EW_CUH
#define PT_EW_CUH

#include "common.cuh"
#include "ptlua_ew.h"

/* Dense operands of one dtype, all aligned to 16 bytes. */
struct flat {
  char *ptr[PTI_MAX_OPERAND];
  int64_t n;
};
struct numbers {
  double p[3];
};
typedef void dense_kernel(flat q, numbers num);
typedef void strided_kernel(geometry q, numbers num);
typedef dense_kernel *dense_table[PTI_NEW][4];
typedef strided_kernel *strided_table[PTI_NEW][4];

extern const dense_table ew_dense_f32, ew_dense_f64, ew_dense_f16, ew_dense_bf16, ew_dense_i64;
extern const strided_table ew_strided_f32, ew_strided_f64, ew_strided_i64;

#endif
