/* tensor_loops.c: conversions, moves, softmax, optimizer steps and random numbers as loops of one CPU level (level.h),
   and the table of all its loops. */
#include <string.h>

#include "level.h"
#include "../draw.h"
#include "rng.h"

enum { LANES = 16 };

/* C leaves out of range conversions undefined; here they give what x86's instruction does. */
static inline int64_t float_to_int(float x) {
  return x >= -0x1p63f && x < 0x1p63f ? (int64_t)x : INT64_MIN;
}
static inline int64_t double_to_int(double x) {
  return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN;
}
static inline int64_t half_to_int(uint16_t x) { return float_to_int(pti_f16_load(x)); }
static inline int64_t bf16_to_int(uint16_t x) { return float_to_int(pti_bf16_load(x)); }

#define HALF_TO_T pti_f16_load
#define BF16_TO_T pti_bf16_load
#define FLOAT_TO_T
#define DOUBLE_TO_T

#define T float
#define PT_S f
#define F(name) name##_f32
#define T_TO_INT float_to_int
#ifdef __F16C__ /* x86's own conversion; NaN keeps what bits it has room for */
#include <immintrin.h>
#define HALF_BY_HARDWARE
#endif
#include "copy/convert.inc.h"
#include "softmax/softmax.inc.h"
#include "optim/sgd_adam.inc.h"
#include "optim/optimizer_steps.inc.h"
#include "random/random.inc.h"
#undef T
#undef PT_S
#undef F
#undef T_TO_INT
#undef HALF_BY_HARDWARE

#define T double
#define PT_S d
#define F(name) name##_f64
#define T_TO_INT double_to_int
#include "copy/convert.inc.h"
#include "softmax/softmax.inc.h"
#include "optim/sgd_adam.inc.h"
#include "optim/optimizer_steps.inc.h"
#include "random/random.inc.h"
#undef T
#undef PT_S
#undef F
#undef T_TO_INT

#include "random/box_muller.inc.h"

#undef HALF_TO_T
#undef BF16_TO_T
#undef FLOAT_TO_T
#undef DOUBLE_TO_T
#define HALF_TO_T half_to_int
#define BF16_TO_T bf16_to_int
#define FLOAT_TO_T float_to_int
#define DOUBLE_TO_T double_to_int

#define T int64_t
#define PT_S i
#define F(name) name##_i64
#define T_TO_INT
#include "copy/convert.inc.h"
#undef T
#undef F

/* Elements of 4 and of 8 bytes are transposed in squares of as many as a vector has. */
#if defined(__AVX512F__)
enum { VECTOR = 64 };
#define LANES_4 16
#define LANES_8 8
#elif defined(__AVX2__)
enum { VECTOR = 32 };
#define LANES_4 8
#define LANES_8 4
#else
enum { VECTOR = 16 };
#define LANES_4 4
#define LANES_8 2
#endif
#include "squares.inc.h"

#define E uint8_t
#define F(name) name##_1
#include "copy/move.inc.h"
#undef E
#undef F
#define E uint16_t
#define F(name) name##_2
#include "copy/move.inc.h"
#undef E
#undef F
#define E uint32_t
#define F(name) name##_4
#define SIDE LANES_4
#include "copy/move.inc.h"
#undef E
#undef F
#undef SIDE
#define E uint64_t
#define F(name) name##_8
#define SIDE LANES_8
#include "copy/move.inc.h"
#undef E
#undef F
#undef SIDE
typedef struct sixteen {
  uint64_t part[2];
} sixteen;
#define E sixteen
#define F(name) name##_16
#include "copy/move.inc.h"
#undef E
#undef F

#include "random/philox.inc.h"

#define CONVERT(way, dtype) \
  [dtype] = {way##_##dtype##_f32, way##_##dtype##_f64, way##_##dtype##_i64}
#define REALS(way)                                                                           \
  CONVERT(way, PT_F32), CONVERT(way, PT_F64), CONVERT(way, PT_F16), CONVERT(way, PT_BF16),   \
      CONVERT(way, PT_I64), CONVERT(way, PT_I32), CONVERT(way, PT_I16), CONVERT(way, PT_I8), \
      CONVERT(way, PT_U8), CONVERT(way, PT_BOOL)
#define FLOATS(name) \
  { name##_f32, name##_f64 }
const pti_cpu_loops GLUE(pti_cpu_loops_, PT_LEVEL) = {
    .rows = &GLUE(pti_cpu_elementwise_, PT_LEVEL),
    .load = {REALS(load)},
    .store = {REALS(store)},
    .move = {move_1, move_2, move_4, move_8, move_16},
    .reductions = &GLUE(pti_cpu_reductions_, PT_LEVEL),
    .exp_row = FLOATS(exp_row),
    .exp_column = FLOATS(exp_column),
    .dot_row = FLOATS(dot_row),
    .dot_column = FLOATS(dot_column),
    .scale_pass = FLOATS(scale_pass),
    .log_pass = FLOATS(log_pass),
    .grad_pass = FLOATS(grad_pass),
    .log_grad_pass = FLOATS(log_grad_pass),
    .sgd = FLOATS(sgd),
    .adam = FLOATS(adam),
    .rule = FLOATS(rule),
    .draw = draw,
    .random = {[PTI_RAND_UNIFORM] = FLOATS(random_uniform),
               [PTI_RAND_NORMAL] = FLOATS(random_normal),
               [PTI_RAND_EXPONENTIAL] = FLOATS(random_exponential)},
    .box_muller = box_muller,
};
