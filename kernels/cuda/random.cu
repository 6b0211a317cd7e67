/* random.cu: random numbers, the CPU's bits: element i of a draw comes from lane i % 4 of the Philox
   words at counter ctr + i / 4, see kernels/cpu/random/random.c. A thread makes the four numbers of a counter. */
#include "../draw.h"
#include "common.cuh"

/* The words of four elements; kinds that need 64 bits take the other half from another stream. */
struct words {
  uint32_t high[4], low[4];
};
DEV uint64_t word64(const words &w, int i) { return (uint64_t)w.high[i] << 32 | w.low[i]; }

/* In [0, 1), and in (0, 1). */
DEV void unit(const words &w, int i, float *x) { *x = (float)(int32_t)(w.high[i] >> 8) * 0x1p-24f; }
DEV void unit(const words &w, int i, double *x) {
  *x = (double)(int64_t)(word64(w, i) >> 11) * 0x1p-53;
}
DEV void open_unit(const words &w, int i, float *x) {
  *x = ((float)(int32_t)(w.high[i] >> 9) + 0.5f) * 0x1p-23f;
}
DEV void open_unit(const words &w, int i, double *x) {
  *x = ((double)(int64_t)(word64(w, i) >> 12) + 0.5) * 0x1p-52;
}
DEV float cos_quarter(float f) { return (float)pt_draw_cos_quarter((double)f); }
DEV float sin_quarter(float f) { return (float)pt_draw_sin_quarter((double)f); }
DEV double cos_quarter(double f) { return cos(f * (3.14159265358979323846 / 2)); }
DEV double sin_quarter(double f) { return sin(f * (3.14159265358979323846 / 2)); }

struct draw_args {
  char *x;
  int dtype, size, kind;
  bool wide; /* float32 that may be written 16 bytes at a time */
  int64_t n;
  uint64_t seed, stream, ctr;
  double a, b, top;
  int64_t least;
  uint64_t range;
};

/* Four numbers of type T; see kernels/cpu/random/random.inc.h. */
template <class T> DEV void make(const draw_args &q, const words &w, T *x) {
  T u;
  for (int i = 0; i < 4 && q.kind == PTI_RAND_UNIFORM; i++) {
    unit(w, i, &u);
    T v = (T)q.a + (T)(q.b - q.a) * u;
    x[i] = v > (T)q.top ? (T)q.top : v;
  }
  for (int i = 0; i < 4 && q.kind == PTI_RAND_EXPONENTIAL; i++) {
    open_unit(w, i, &u);
    x[i] = -pt_draw_log(u) / (T)q.a;
  }
  for (int i = 0; i < 4 && q.kind == PTI_RAND_NORMAL; i += 2) {
    open_unit(w, i, &u);
    T r = (T)q.b * pt_sqrt(-2 * pt_draw_log(u));
    open_unit(w, i + 1, &u);
    T f = u - (T)0.5, near = cos_quarter(f), far = sin_quarter(f);
    uint32_t bits = sizeof(T) == sizeof(float) ? w.high[i + 1] : w.low[i + 1];
    near = bits & 2 ? -near : near;
    x[i] = (T)q.a + r * (bits & 1 ? far : near);
    x[i + 1] = (T)q.a + r * (bits & 1 ? near : far);
  }
}
template <>
__device__ __forceinline__ void make<int64_t>(const draw_args &q, const words &w, int64_t *x) {
  for (int i = 0; i < 4; i++) {
    if (q.kind == PTI_RAND_INT)
      x[i] = (int64_t)((uint64_t)q.least + __umul64hi(word64(w, i), q.range));
    else
      x[i] = (int64_t)(w.high[i] >> 1) < (int64_t)ceil(q.a * 0x1p31) ? 1 : 0; /* 1 with chance a */
  }
}

template <class T, bool WIDE> __global__ void __launch_bounds__(THREADS) draw_kernel(draw_args q) {
  FOR_EACH(group, (q.n + 3) / 4) {
    words w = {};
    T x[4] = {};
    pti_philox(q.seed, q.stream, q.ctr + (uint64_t)group, w.high);
    if (WIDE) pti_philox(q.seed, q.stream ^ (uint64_t)1 << 63, q.ctr + (uint64_t)group, w.low);
    make<T>(q, w, x);
    if (sizeof(T) == 4 && q.wide && group * 4 + 4 <= q.n) {
      vec<float, 4> v = {{(float)x[0], (float)x[1], (float)x[2], (float)x[3]}};
      ((vec<float, 4> *)q.x)[group] = v;
      continue;
    }
    for (int i = 0; i < 4 && group * 4 + i < q.n; i++)
      store_any<T>(q.dtype, q.x + (group * 4 + i) * q.size, x[i]);
  }
}

bool pti_cuda_random(int dev, pti_random_kind kind, pt_dtype dtype, void *x, int64_t n,
                     uint64_t seed, uint64_t stream, uint64_t ctr, double a, double b) {
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  bool whole = kind == PTI_RAND_INT || kind == PTI_RAND_BERNOULLI;
  if (pti_is(dtype, PTI_COMPLEX) || (!whole && !pti_is(dtype, PTI_FLOATS)))
    return pti_no_kernel("random", dtype);
  if (n == 0) return true;
  draw_args q = {(char *)x,
                 dtype,
                 (int)size_of(dtype),
                 kind,
                 dtype == PT_F32 && aligned16(x),
                 n,
                 seed,
                 stream,
                 ctr,
                 a,
                 b,
                 a,
                 0,
                 0};
  q.least = pti_draw_bound(a);
  q.range = (uint64_t)pti_draw_bound(b) - (uint64_t)q.least;
  if (kind == PTI_RAND_UNIFORM && a < b) q.top = pti_draw_below(dtype, b);
  unsigned blocks = looped((n + 3) / 4);
  if (kind == PTI_RAND_BERNOULLI) LAUNCH((draw_kernel<int64_t, false>), blocks, THREADS, 0, s, q);
  else if (whole) LAUNCH((draw_kernel<int64_t, true>), blocks, THREADS, 0, s, q);
  else if (dtype == PT_F64) LAUNCH((draw_kernel<double, true>), blocks, THREADS, 0, s, q);
  else LAUNCH((draw_kernel<float, false>), blocks, THREADS, 0, s, q);
  return launched("random");
}
