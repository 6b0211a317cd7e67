/* ew.inc.cuh: the element-wise rows of ops.def as kernels. No op is named here: each row becomes a
   struct per formula (name_0 the value, name_1.. the gradients), each struct two kernels: `dense` for
   one storage type, 16 bytes at a time, and `strided` for any views of any dtypes. One file of
   this folder per storage type includes it with the tables it needs. */
#include "ew.cuh"

template <bool BOOL, class S> struct result { typedef S type; };
template <class S> struct result<true, S> { typedef boolean type; };

#define IN1(x)       \
  const T x = in[0]; \
  (void)x;
#define IN2(x, y)           \
  IN1(x) const T y = in[1]; \
  (void)y;
#define IN3(x, y, z)           \
  IN2(x, y) const T z = in[2]; \
  (void)z;
#define IN4(x, y, z, u)           \
  IN3(x, y, z) const T u = in[3]; \
  (void)u;
#define IN5(x, y, z, u, v)           \
  IN4(x, y, z, u) const T v = in[4]; \
  (void)v;
#define PARAMS                                                  \
  const T p0 = (T)num.p[0], p1 = (T)num.p[1], p2 = (T)num.p[2]; \
  (void)p0, (void)p1, (void)p2;
#define FORMULA(id, nin, is_bool, inputs, expression)                 \
  struct id {                                                         \
    enum { IN = nin, BOOL = is_bool };                                \
    template <class T> MEMBER T at(const T *in, const numbers &num) { \
      PARAMS inputs return (T)(expression);                           \
    }                                                                 \
  };
#define NONE K(0)
#define UNARY(name, dtypes, value, gx) \
  FORMULA(name##_0, 1, false, IN1(x), value) \
  FORMULA(name##_1, 3, false, IN3(g, x, y), gx)
#define UNARYP(name, dtypes, value, gx) UNARY(name, dtypes, value, gx)
#define BINARY(name, dtypes, value, ga, gb)  \
  FORMULA(name##_0, 2, false, IN2(a, b), value)    \
  FORMULA(name##_1, 4, false, IN4(g, a, b, y), ga) \
  FORMULA(name##_2, 4, false, IN4(g, a, b, y), gb)
#define TERNARY(name, dtypes, value, ga, gb, gc) \
  FORMULA(name##_0, 3, false, IN3(a, b, c), value)     \
  FORMULA(name##_1, 5, false, IN5(g, a, b, c, y), ga)  \
  FORMULA(name##_2, 5, false, IN5(g, a, b, c, y), gb)  \
  FORMULA(name##_3, 5, false, IN5(g, a, b, c, y), gc)
#define COMPARE(name, dtypes, value) FORMULA(name##_0, 2, true, IN2(a, b), value)
#define TEST(name, dtypes, value) FORMULA(name##_0, 1, true, IN1(x), value)
#include "ptlua_rows.h"
#undef UNARY
#undef UNARYP
#undef BINARY
#undef TERNARY
#undef COMPARE
#undef TEST
#undef NONE

/* Inputs that a formula does not use are not loaded: the compiler drops the loads. */
template <class F, class S> __global__ void __launch_bounds__(THREADS) dense(flat q, numbers num) {
  typedef typename compute<S>::T T;
  typedef typename result<F::BOOL != 0, S>::type R;
  const int N = 16 / sizeof(S);
  int64_t i = ((int64_t)blockIdx.x * blockDim.x + threadIdx.x) * N;
  if (i >= q.n) return;
  vec<S, N> x[F::IN];
  vec<R, N> y;
  bool whole = i + N <= q.n;
  if (whole) {
#pragma unroll
    for (int k = 0; k < F::IN; k++) x[k] = *(const vec<S, N> *)((const S *)q.ptr[k + 1] + i);
  } else { /* unrolled too: an index known only at run time would put x in local memory */
#pragma unroll
    for (int j = 0; j < N; j++)
#pragma unroll
      for (int k = 0; k < F::IN; k++)
        x[k].v[j] = ((const S *)q.ptr[k + 1])[i + j < q.n ? i + j : i];
  }
#pragma unroll
  for (int j = 0; j < N; j++) {
    T in[F::IN];
#pragma unroll
    for (int k = 0; k < F::IN; k++) in[k] = load(x[k].v[j]);
    y.v[j] = put<R>::of(F::template at<T>(in, num));
  }
  if (whole) {
    *(vec<R, N> *)((R *)q.ptr[0] + i) = y;
  } else {
#pragma unroll
    for (int j = 0; j < N; j++)
      if (i + j < q.n) ((R *)q.ptr[0])[i + j] = y.v[j];
  }
}

template <class F, class T>
__global__ void __launch_bounds__(THREADS) strided(geometry q, numbers num) {
  uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= q.n) return;
  char *p[F::IN + 1];
  locate<F::IN + 1>(q, i, p);
  T in[F::IN];
#pragma unroll
  for (int k = 0; k < F::IN; k++) in[k] = load_any<T>(q.dtype[k + 1], p[k + 1]);
  store_any<T>(q.dtype[0], p[0], F::template at<T>(in, num));
}

/* The rows that a type has, as in kernels/cpu/elementwise/elementwise_loops.c. */
#define KEEP(...) __VA_ARGS__
#define DROP(...) NULL
#define FLOATS_FLT KEEP
#define FLOATS_NUM KEEP
#define FLOATS_ALL KEEP
#define FLOATS_INT DROP
#define INTS_FLT DROP
#define INTS_NUM KEEP
#define INTS_ALL KEEP
#define INTS_INT KEEP
#define UNARY(name, dtypes, ...) {VALUE(dtypes, name##_0), GRAD(name##_1), NULL, NULL},
#define UNARYP UNARY
#define BINARY(name, dtypes, ...) {VALUE(dtypes, name##_0), GRAD(name##_1), GRAD(name##_2), NULL},
#define TERNARY(name, dtypes, ...) \
  {VALUE(dtypes, name##_0), GRAD(name##_1), GRAD(name##_2), GRAD(name##_3)},
#define COMPARE(name, dtypes, ...) {VALUE(dtypes, name##_0), NULL, NULL, NULL},
#define TEST COMPARE
