/* elementwise.inc.h: the element-wise rows of ops.def as loops over dense blocks of one compute type T (letter PT_S).
   Included by elementwise_loops.c once per type. F(name) makes a name of this type; VALUE_<dtypes>(loop) and
   GRADIENT(loop) keep or drop a loop, depending on the type. No op is named here. An output may be one of the inputs,
   so the loops promise the compiler that no iteration depends on another instead of calling pointers restrict. */

/* The inputs of a loop, in the order in which it gets them. */
#define EW_IN(k, x)                  \
  const T x = ((const T *)in[k])[i]; \
  (void)x;
#define EW_IN1(x) EW_IN(0, x)
#define EW_IN2(x, y) EW_IN1(x) EW_IN(1, y)
#define EW_IN3(x, y, z) EW_IN2(x, y) EW_IN(2, z)
#define EW_IN4(x, y, z, u) EW_IN3(x, y, z) EW_IN(3, u)
#define EW_IN5(x, y, z, u, v) EW_IN4(x, y, z, u) EW_IN(4, v)

#define EW_PARAMS                                               \
  const T p0 = (T)param[0], p1 = (T)param[1], p2 = (T)param[2]; \
  (void)p0, (void)p1, (void)p2;
#define EW_NO_PARAMS (void)param;

#define EW_LOOP(id, params, inputs, expression)                                         \
  static void F(id)(void *out, const void *const *in, const double *param, int64_t n) { \
    params T *to = out;                                                                 \
    PTI_INDEPENDENT                                                                     \
    for (int64_t i = 0; i < n; i++) {                                                   \
      inputs to[i] = (T)(expression);                                                   \
    }                                                                                   \
  }

/* Conditions are found as integers as wide as T, a piece at a time, and made bytes by one loop for all rows: where a
   loop writes bytes from wider numbers, the compiler makes no vectors, or three kilobytes of them. */
static __attribute__((noinline)) void F(to_bytes)(uint8_t *restrict to, const FLAG *restrict from,
                                                  int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = (uint8_t)from[i];
}
#define EW_TEST(id, inputs, condition)                                                  \
  static void F(id)(void *out, const void *const *in, const double *param, int64_t n) { \
    FLAG flag[FLAGS];                                                                   \
    (void)param;                                                                        \
    for (int64_t from = 0; from < n; from += FLAGS) {                                   \
      int64_t to = pti_min64(from + FLAGS, n);                                          \
      PTI_INDEPENDENT                                                                   \
      for (int64_t i = from; i < to; i++) {                                             \
        inputs flag[i - from] = condition;                                              \
      }                                                                                 \
      F(to_bytes)((uint8_t *)out + from, flag, to - from);                              \
    }                                                                                   \
  }

#define NONE K(0) /* never called */

#define UNARY(name, dtypes, value, gx)                              \
  VALUE_##dtypes(EW_LOOP(name##_0, EW_NO_PARAMS, EW_IN1(x), value)) \
      GRADIENT(EW_LOOP(name##_1, EW_NO_PARAMS, EW_IN3(g, x, y), gx))
#define UNARYP(name, dtypes, value, gx)                          \
  VALUE_##dtypes(EW_LOOP(name##_0, EW_PARAMS, EW_IN1(x), value)) \
      GRADIENT(EW_LOOP(name##_1, EW_PARAMS, EW_IN3(g, x, y), gx))
#define BINARY(name, dtypes, value, ga, gb)                             \
  VALUE_##dtypes(EW_LOOP(name##_0, EW_NO_PARAMS, EW_IN2(a, b), value))  \
      GRADIENT(EW_LOOP(name##_1, EW_NO_PARAMS, EW_IN4(g, a, b, y), ga)) \
          GRADIENT(EW_LOOP(name##_2, EW_NO_PARAMS, EW_IN4(g, a, b, y), gb))
#define TERNARY(name, dtypes, value, ga, gb, gc)                               \
  VALUE_##dtypes(EW_LOOP(name##_0, EW_NO_PARAMS, EW_IN3(a, b, c), value))      \
      GRADIENT(EW_LOOP(name##_1, EW_NO_PARAMS, EW_IN5(g, a, b, c, y), ga))     \
          GRADIENT(EW_LOOP(name##_2, EW_NO_PARAMS, EW_IN5(g, a, b, c, y), gb)) \
              GRADIENT(EW_LOOP(name##_3, EW_NO_PARAMS, EW_IN5(g, a, b, c, y), gc))
#define COMPARE(name, dtypes, value) VALUE_##dtypes(EW_TEST(name##_0, EW_IN2(a, b), value))
#define TEST(name, dtypes, value) VALUE_##dtypes(EW_TEST(name##_0, EW_IN1(x), value))
#include "ptlua_rows.h"
#undef UNARY
#undef UNARYP
#undef BINARY
#undef TERNARY
#undef COMPARE
#undef TEST
#undef NONE
#undef EW_IN
#undef EW_IN1
#undef EW_IN2
#undef EW_IN3
#undef EW_IN4
#undef EW_IN5
#undef EW_PARAMS
#undef EW_NO_PARAMS
#undef EW_LOOP
#undef EW_TEST
