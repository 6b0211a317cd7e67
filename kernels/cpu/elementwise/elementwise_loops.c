/* elementwise_loops.c: the element-wise rows of ops.def as loops of one CPU level (level.h). Compiled with -O2 and
   vectors, not -O3: there are a thousand loops, blocks are long, and the unrolled ends
   that -O3 writes for each of them doubled the library for no speed. */
#include "../level.h"
#include "ptlua_ew.h"

#define DROP(...)
#define KEEP(...) __VA_ARGS__

#define VALUE_FLT KEEP
#define VALUE_NUM KEEP
#define VALUE_ALL KEEP
#define VALUE_INT DROP
#define GRADIENT KEEP
#define S double
enum { FLAGS = 512 }; /* conditions at a time */

#define T float
#define FLAG int32_t
#define PT_S f
#define F(name) name##_f32
#include "elementwise.inc.h"
#include "ranges.inc.h"
#undef T
#undef FLAG
#undef PT_S
#undef F

#define T double
#define FLAG int64_t
#define PT_S d
#define F(name) name##_f64
#include "elementwise.inc.h"
#undef T
#undef PT_S
#undef F

#undef VALUE_FLT
#undef VALUE_INT
#undef GRADIENT
#undef S
#define VALUE_FLT DROP
#define VALUE_INT KEEP
#define GRADIENT DROP
#define S int64_t

#define T int64_t
#define PT_S i
#define F(name) name##_i64
#include "elementwise.inc.h"
#undef T
#undef F

/* Rows of the element-wise table: {value, gradients} for float, double, int64_t. */
#define FLOATS_FLT KEEP
#define FLOATS_NUM KEEP
#define FLOATS_ALL KEEP
#define FLOATS_INT DROP
#define INTS_FLT DROP
#define INTS_NUM KEEP
#define INTS_ALL KEEP
#define INTS_INT KEEP
#define VALUE(name, dtypes)                                                 \
  {                                                                         \
    FLOATS_##dtypes([PTI_CF32] = name##_0_f32, [PTI_CF64] = name##_0_f64, ) \
        INTS_##dtypes([PTI_CI64] = name##_0_i64)                            \
  }
#define GRAD(name, k) \
  { name##_##k##_f32, name##_##k##_f64, NULL }
#define UNARY(name, dtypes, ...) [PTI_EW_##name] = {VALUE(name, dtypes), GRAD(name, 1)},
#define UNARYP UNARY
#define BINARY(name, dtypes, ...) \
  [PTI_EW_##name] = {VALUE(name, dtypes), GRAD(name, 1), GRAD(name, 2)},
#define TERNARY(name, dtypes, ...) \
  [PTI_EW_##name] = {VALUE(name, dtypes), GRAD(name, 1), GRAD(name, 2), GRAD(name, 3)},
#define COMPARE(name, dtypes, ...) [PTI_EW_##name] = {VALUE(name, dtypes)},
#define TEST COMPARE

static pti_ew_loop *const loops[PTI_NEW][4][PTI_NCOMPUTE] = {
#include "ptlua_rows.h"
};
static pti_ew_loop *const ranges[PTI_NEW][2] = {[PTI_EW_exp] = {range_exp_0},
                                                [PTI_EW_log] = {range_log_0},
                                                [PTI_EW_sin] = {range_sin_0, range_sin_1},
                                                [PTI_EW_cos] = {range_cos_0, range_cos_1},
                                                [PTI_EW_tan] = {range_tan_0}};

#undef UNARY
#undef UNARYP
#undef BINARY
#undef TERNARY
#undef COMPARE
#undef TEST
#define UNARY(...)
#define UNARYP(...)
#define BINARY(...)
#define TERNARY(...)
#define COMPARE(name, ...) [PTI_EW_##name] = true,
#define TEST COMPARE
static const bool gives_bool[PTI_NEW] = {
#include "ptlua_rows.h"
};

const pti_cpu_elementwise GLUE(pti_cpu_elementwise_, PT_LEVEL) = {
    .loop = loops,
    .range = ranges,
    .gives_bool = gives_bool,
    .value = {[PTI_VALUE_EXP] = {exp_0_f32, exp_0_f64},
              [PTI_VALUE_LOG] = {log_0_f32, log_0_f64},
              [PTI_VALUE_SIGMOID] = {sigmoid_0_f32, sigmoid_0_f64},
              [PTI_VALUE_TANH] = {tanh_0_f32, tanh_0_f64},
              [PTI_VALUE_RELU] = {relu_0_f32, relu_0_f64}},
};
