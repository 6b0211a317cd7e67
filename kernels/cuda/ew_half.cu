/* ew_half.cu: element-wise kernels for dense float16 and bfloat16, computed in float. */
#include "ew.inc.cuh"

#define VALUE(dtypes, F) FLOATS_##dtypes(KERNEL(F))
#define GRAD(F) KERNEL(F)

#define KERNEL(F) dense<F, f16>
const dense_table ew_dense_f16 = {
#include "ptlua_rows.h"
};
#undef KERNEL

#define KERNEL(F) dense<F, bf16>
const dense_table ew_dense_bf16 = {
#include "ptlua_rows.h"
};
#undef KERNEL
