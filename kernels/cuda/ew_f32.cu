/* ew_f32.cu: element-wise kernels that compute in float, and those for dense float32. */
#include "ew.inc.cuh"

#define VALUE(dtypes, F) FLOATS_##dtypes(KERNEL(F))
#define GRAD(F) KERNEL(F)

#define KERNEL(F) dense<F, float>
const dense_table ew_dense_f32 = {
#include "ptlua_rows.h"
};
#undef KERNEL

#define KERNEL(F) strided<F, float>
const strided_table ew_strided_f32 = {
#include "ptlua_rows.h"
};
#undef KERNEL
