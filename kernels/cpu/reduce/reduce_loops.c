/* reduce_loops.c: reductions as loops of one CPU level (level.h). Compiled with -O3: short rows and columns need its
   unrolled ends, without which they take 1.4 times as long. */
#include "../level.h"

enum { LANES = 16 };

#define S double
#define MEMBER f

#define T float
#define PT_S f
#define F(name) name##_f32
#define LOWEST (-HUGE_VALF)
#define HIGHEST HUGE_VALF
#include "reduce.inc.h"
#undef T
#undef PT_S
#undef F
#undef LOWEST
#undef HIGHEST

#define T double
#define PT_S d
#define F(name) name##_f64
#define LOWEST (-HUGE_VAL)
#define HIGHEST HUGE_VAL
#include "reduce.inc.h"
#undef T
#undef PT_S
#undef F
#undef LOWEST
#undef HIGHEST

#undef S
#undef MEMBER
#define S int64_t
#define MEMBER i

#define T int64_t
#define PT_S i
#define F(name) name##_i64
#define LOWEST INT64_MIN
#define HIGHEST INT64_MAX
#include "reduce.inc.h"

#define EACH(name) \
  { name##_f32, name##_f64, name##_i64 }
#define REDUCTIONS(way)                                                                    \
  [PTI_SUM] = EACH(way##_sum), [PTI_PROD] = EACH(way##_prod), [PTI_MAX] = EACH(way##_max), \
  [PTI_MIN] = EACH(way##_min), [PTI_ANY] = EACH(way##_any), [PTI_ALL] = EACH(way##_all),   \
  [PTI_ARGMAX] = EACH(way##_argmax), [PTI_ARGMIN] = EACH(way##_argmin),                    \
  [PTI_NORM] = EACH(way##_norm)

const pti_cpu_reductions GLUE(pti_cpu_reductions_, PT_LEVEL) = {.row = {REDUCTIONS(row)},
                                                                .column = {REDUCTIONS(column)}};
