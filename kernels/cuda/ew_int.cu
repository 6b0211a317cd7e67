/* ew_int.cu: element-wise kernels that compute in int64. */
#include "ew.inc.cuh"

#define VALUE(dtypes, F) INTS_##dtypes(KERNEL(F))
#define GRAD(F) NULL

#define KERNEL(F) dense<F, int64_t>
const dense_table ew_dense_i64 = {
#include "ptlua_rows.h"
};
#undef KERNEL

#define KERNEL(F) strided<F, int64_t>
const strided_table ew_strided_i64 = {
#include "ptlua_rows.h"
};
#undef KERNEL
