/* ew_f64.cu: element-wise kernels that compute in double. */
#include "ew.inc.cuh"

#define VALUE(dtypes, F) FLOATS_##dtypes(KERNEL(F))
#define GRAD(F) KERNEL(F)

#define KERNEL(F) dense<F, double>
const dense_table ew_dense_f64 = {
#include "ptlua_rows.h"
};
#undef KERNEL

#define KERNEL(F) strided<F, double>
const strided_table ew_strided_f64 = {
#include "ptlua_rows.h"
};
#undef KERNEL
