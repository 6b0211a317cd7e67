/* common.cuh: shared by the files of the CUDA backend: storage types and their conversions, vectors,
   sums over warps and blocks, geometry of views, launches. Storage type is not compute type: f16 and
   bf16 are computed in float, small integers and bool in int64_t.

   These files are read by nvcc and by the host's C++ compiler with kernels/sim's cuda_runtime.h: a
   kernel is launched with LAUNCH and followed by launched(), shared memory is declared with SHARED or
   DYN_SHARED. No float atomics, no contraction: where the CPU rounds alike, the bits are equal. */
#ifndef PT_COMMON_CUH
#define PT_COMMON_CUH

#include <cuda_runtime.h>

#include <type_traits>

#include "../scalar.h"
#include "backend.h"
#include "philox.h"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#define SHARED(type, name, dims) __shared__ type name dims
#define DYN_SHARED(type, name)                                 \
  extern __shared__ __align__(16) unsigned char dyn_shared_[]; \
  type *name = reinterpret_cast<type *>(dyn_shared_)
#define LAUNCH(kernel, grid, block, shared, stream, ...) \
  kernel<<<(grid), (block), (shared), (stream)>>>(__VA_ARGS__)
#endif
#define DEV static __device__ __forceinline__
/* For sums of products, which need not have the CPU's bits. */
#ifdef __CUDACC__
#define MULTIPLY_ADD(a, b, c) fma(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif
#define MEMBER static __device__ __forceinline__

/* ---- the host's side ---- */

extern const pt_host *pti_host;
/* The calling thread's stream on a device, which becomes the current one; NULL after a failure. */
cudaStream_t pti_stream(int dev);
/* Must be called after every launch: false, with the reason recorded, if it was refused. */
bool launched(const char *op);
/* Scratch memory of the device, freed in stream order. */
void *pti_scratch(int dev, size_t bytes);
void pti_scratch_free(int dev, void *p, size_t bytes);
/* "op: no CUDA kernel for float16" */
bool pti_no_kernel(const char *op, pt_dtype dtype);
/* Copies a few bytes to the host and waits. */
bool pti_fetch(int dev, void *to, const void *from, size_t bytes);

static inline int64_t size_of(int dtype) { return (int64_t)pti_size_of((pt_dtype)dtype); }
static inline pti_compute compute_of(pt_dtype d) {
  return d == PT_F64 ? PTI_CF64 : pti_is(d, PTI_FLOATS) ? PTI_CF32 : PTI_CI64;
}

/* Threads of a block. A second number in __launch_bounds__ says how many blocks a multiprocessor should
   hold: without it the compiler spills some registers to fit one more. */
enum { THREADS = 256 };
static inline unsigned blocks_of(int64_t n, int64_t per) { return (unsigned)((n + per - 1) / per); }
/* Kernels that loop over their work (`for i; i < n; i += stride`) use at most this many blocks. */
static inline unsigned looped(int64_t n, int64_t per = THREADS) {
  int64_t b = (n + per - 1) / per;
  return (unsigned)(b < 1 ? 1 : b > 65535 * 8 ? 65535 * 8 : b);
}
#define FOR_EACH(i, n)                                                      \
  for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < (n); \
       i += (int64_t)gridDim.x * blockDim.x)

/* ---- division by numbers that are constant during a launch ---- */

/* n / d by a multiplication (Granlund and Montgomery, 1994), for n below 2^63, or 2^31: the hardware has no division,
   and that of 64 bits is a call. d = 0 counts as 1. */
struct divider {
  int64_t d;
  uint64_t magic;
  int shift;
  divider() = default;
  divider(int64_t by) : d(by), magic(1), shift(0) {
    uint64_t u = by > 0 ? (uint64_t)by : 1;
    while (shift < 63 && (uint64_t)1 << shift < u) shift++;
    magic = (uint64_t)(((((unsigned __int128)1 << shift) - u) << 64) / u) + 1;
  }
};
DEV int64_t operator/(int64_t n, const divider &q) {
  return (int64_t)((__umul64hi((uint64_t)n, q.magic) + (uint64_t)n) >> q.shift);
}
DEV int64_t operator%(int64_t n, const divider &q) { return n - n / q * q.d; }
struct short_divider {
  uint32_t d, magic;
  int shift;
};
static inline short_divider divide_by(uint32_t d) {
  short_divider q = {d, 1, 0};
  uint64_t u = d > 0 ? d : 1;
  while ((uint64_t)1 << q.shift < u) q.shift++;
  q.magic = (uint32_t)(((((uint64_t)1 << q.shift) - u) << 32) / u + 1);
  return q;
}
DEV uint32_t operator/(uint32_t n, const short_divider &q) {
  return ((uint32_t)(((uint64_t)n * q.magic) >> 32) + n) >> q.shift;
}

/* ---- storage types ---- */

struct f16 {
  uint16_t u;
};
struct bf16 {
  uint16_t u;
};
struct boolean {
  uint8_t u;
};
struct alignas(8) complex64 {
  float re, im;
};
struct alignas(16) complex128 {
  double re, im;
};
struct sixteen {
  uint64_t part[2];
};

/* The type that a storage type is computed in, and that of long sums. */
template <class S> struct compute {
  typedef int64_t T;
  typedef int64_t Sum;
};
template <> struct compute<float> {
  typedef float T;
  typedef double Sum;
};
template <> struct compute<double> {
  typedef double T;
  typedef double Sum;
};
template <> struct compute<f16> : compute<float> {};
template <> struct compute<bf16> : compute<float> {};

DEV float half_to_float(f16 v) {
#ifdef __CUDACC__
  return __half2float(__ushort_as_half(v.u));
#else
  return pti_f16_load(v.u);
#endif
}
DEV f16 float_to_half(float v) {
#ifdef __CUDACC__
  return f16{__half_as_ushort(__float2half_rn(v))};
#else
  return f16{pti_f16_store(v)};
#endif
}
DEV float brain_to_float(bf16 v) { return __uint_as_float((unsigned)v.u << 16); }
DEV bf16 float_to_brain(float v) {
  unsigned u = __float_as_uint(v);
  if (v != v) return bf16{(uint16_t)((u >> 16) | 0x40)};
  return bf16{(uint16_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16)};
}

/* C leaves conversions that are out of range undefined; these give what the CPU's give. */
DEV int64_t to_int(float x) { return x >= -0x1p63f && x < 0x1p63f ? (int64_t)x : INT64_MIN; }
DEV int64_t to_int(double x) { return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN; }
DEV int64_t to_int(int64_t x) { return x; }

/* A number of a storage type as compute type T. */
template <class T> struct as {
  template <class S> MEMBER T from(S v) { return (T)v; }
  MEMBER T from(f16 v) { return (T)half_to_float(v); }
  MEMBER T from(bf16 v) { return (T)brain_to_float(v); }
  MEMBER T from(boolean v) { return (T)(v.u != 0); }
};
template <> struct as<int64_t> {
  template <class S> MEMBER int64_t from(S v) { return (int64_t)v; }
  MEMBER int64_t from(float v) { return to_int(v); }
  MEMBER int64_t from(double v) { return to_int(v); }
  MEMBER int64_t from(f16 v) { return to_int(half_to_float(v)); }
  MEMBER int64_t from(bf16 v) { return to_int(brain_to_float(v)); }
  MEMBER int64_t from(boolean v) { return v.u != 0; }
};
/* A number of a compute type as storage type S. */
template <class S> struct put {
  template <class T> MEMBER S of(T v) { return (S)to_int(v); }
};
template <> struct put<float> {
  template <class T> MEMBER float of(T v) { return (float)v; }
};
template <> struct put<double> {
  template <class T> MEMBER double of(T v) { return (double)v; }
};
template <> struct put<f16> {
  template <class T> MEMBER f16 of(T v) { return float_to_half((float)v); }
};
template <> struct put<bf16> {
  template <class T> MEMBER bf16 of(T v) { return float_to_brain((float)v); }
};
template <> struct put<boolean> {
  template <class T> MEMBER boolean of(T v) { return boolean{(uint8_t)(v != 0)}; }
};
template <class S> DEV typename compute<S>::T load(S v) {
  return as<typename compute<S>::T>::from(v);
}

/* The same where the storage type is known only when the kernel runs. */
template <class T> DEV T load_any(int dtype, const char *p) {
  switch (dtype) {
  case PT_F32: return as<T>::from(*(const float *)p);
  case PT_F64: return as<T>::from(*(const double *)p);
  case PT_F16: return as<T>::from(*(const f16 *)p);
  case PT_BF16: return as<T>::from(*(const bf16 *)p);
  case PT_I64: return as<T>::from(*(const int64_t *)p);
  case PT_I32: return as<T>::from(*(const int32_t *)p);
  case PT_I16: return as<T>::from(*(const int16_t *)p);
  case PT_I8: return as<T>::from(*(const int8_t *)p);
  case PT_U8: return as<T>::from(*(const uint8_t *)p);
  default: return as<T>::from(*(const boolean *)p);
  }
}
template <class T> DEV void store_any(int dtype, char *p, T v) {
  switch (dtype) {
  case PT_F32: *(float *)p = put<float>::of(v); break;
  case PT_F64: *(double *)p = put<double>::of(v); break;
  case PT_F16: *(f16 *)p = put<f16>::of(v); break;
  case PT_BF16: *(bf16 *)p = put<bf16>::of(v); break;
  case PT_I64: *(int64_t *)p = put<int64_t>::of(v); break;
  case PT_I32: *(int32_t *)p = put<int32_t>::of(v); break;
  case PT_I16: *(int16_t *)p = put<int16_t>::of(v); break;
  case PT_I8: *(int8_t *)p = put<int8_t>::of(v); break;
  case PT_U8: *(uint8_t *)p = put<uint8_t>::of(v); break;
  default: *(boolean *)p = put<boolean>::of(v); break;
  }
}

/* Calls fn<S>(...) for the floating storage type of `dtype`; false where it is another. */
#define BY_FLOAT(dtype, fn, ...)                              \
  ((dtype) == PT_F32        ? (fn<float>(__VA_ARGS__), true)  \
       : (dtype) == PT_F64  ? (fn<double>(__VA_ARGS__), true) \
       : (dtype) == PT_F16  ? (fn<f16>(__VA_ARGS__), true)    \
       : (dtype) == PT_BF16 ? (fn<bf16>(__VA_ARGS__), true)   \
                            : false)
#define BY_WIDE(dtype, fn, ...)                              \
  ((dtype) == PT_F32       ? (fn<float>(__VA_ARGS__), true)  \
       : (dtype) == PT_F64 ? (fn<double>(__VA_ARGS__), true) \
                           : false)
/* Calls fn<E>(...) with a type of that many bytes, for moves. */
#define BY_SIZE(size, fn, ...)                           \
  ((size) == 1       ? (fn<uint8_t>(__VA_ARGS__), true)  \
       : (size) == 2 ? (fn<uint16_t>(__VA_ARGS__), true) \
       : (size) == 4 ? (fn<uint32_t>(__VA_ARGS__), true) \
       : (size) == 8 ? (fn<uint64_t>(__VA_ARGS__), true) \
                     : (fn<sixteen>(__VA_ARGS__), true))

/* ---- vectors: one load or store of 16 bytes ---- */

template <class S, int N> struct alignas(sizeof(S) * N) vec { S v[N]; };
static inline bool aligned16(const void *p) { return ((uintptr_t)p & 15) == 0; }

/* ---- sums of warps and blocks, in a fixed order; every thread gets them ---- */

template <class T> DEV T warp_sum(T v) {
#pragma unroll
  for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
  return v;
}
template <class T> DEV T warp_max(T v) {
#pragma unroll
  for (int o = 16; o; o >>= 1) {
    T w = __shfl_xor_sync(0xffffffffu, v, o);
    v = pt_max2(v, w);
  }
  return v;
}
/* blockDim.x is a multiple of 32. */
template <class T> DEV T block_sum(T v) {
  SHARED(T, part, [32]);
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
  v = warp_sum(v);
  __syncthreads(); /* part may still be read by an earlier call */
  if (lane == 0) part[warp] = v;
  __syncthreads();
  return warp_sum(lane < warps ? part[lane] : T(0));
}
template <class T> DEV T block_max(T v, T least) {
  SHARED(T, part, [32]);
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
  v = warp_max(v);
  __syncthreads();
  if (lane == 0) part[warp] = v;
  __syncthreads();
  return warp_max(lane < warps ? part[lane] : least);
}

/* ---- views ---- */

/* A pti_iter as kernels get it; strides in bytes, at most 2^31 elements. */
struct geometry {
  int nd, nop;
  uint32_t n;
  short_divider size[PT_MAX_DIM];
  int64_t stride[PTI_MAX_OPERAND][PT_MAX_DIM];
  char *ptr[PTI_MAX_OPERAND];
  uint8_t dtype[PTI_MAX_OPERAND];
};
static inline geometry geometry_of(const pti_iter *it) {
  geometry g;
  memset(&g, 0, sizeof g);
  g.nd = it->nd;
  g.nop = it->nop;
  g.n = (uint32_t)it->n;
  for (int d = 0; d < it->nd; d++) g.size[d] = divide_by((uint32_t)it->size[d]);
  for (int o = 0; o < it->nop; o++) {
    for (int d = 0; d < it->nd; d++) g.stride[o][d] = it->stride[o][d];
    g.ptr[o] = it->ptr[o];
    g.dtype[o] = (uint8_t)it->dtype[o];
  }
  return g;
}
/* The offset of element i of each operand. */
template <int NOP> DEV void locate(const geometry &g, uint32_t i, char **p) {
#pragma unroll
  for (int o = 0; o < NOP; o++) p[o] = g.ptr[o];
#pragma unroll 1
  for (int d = g.nd - 1; d >= 0; d--) {
    uint32_t outer = i / g.size[d], at = i - outer * g.size[d].d;
    i = outer;
#pragma unroll
    for (int o = 0; o < NOP; o++) p[o] += at * g.stride[o][d];
  }
}

/* Calls fn for pieces of at most 2^30 elements, cut along the largest dim. */
template <class Fn> static bool for_pieces(const pti_iter *it, Fn fn) {
  if (it->n == 0) return true;
  if (it->n <= (int64_t)1 << 30) return fn(*it);
  int d = 0;
  for (int k = 1; k < it->nd; k++) d = it->size[k] > it->size[d] ? k : d;
  pti_iter half[2] = {*it, *it};
  int64_t first = it->size[d] / 2;
  for (int k = 0; k < 2; k++) {
    half[k].size[d] = k ? it->size[d] - first : first;
    half[k].n = it->n / it->size[d] * half[k].size[d];
  }
  for (int o = 0; o < it->nop; o++) half[1].ptr[o] += first * it->stride[o][d];
  return for_pieces(&half[0], fn) && for_pieces(&half[1], fn);
}

/* Whether operand o is dense in `dtype` and aligned for vectors. */
static inline bool is_flat(const pti_iter *it, int o, pt_dtype dtype) {
  int64_t size = size_of(it->dtype[o]);
  return it->nd == 1 && it->dtype[o] == dtype && aligned16(it->ptr[o]) &&
      (it->size[0] == 1 || it->stride[o][0] == size);
}

#endif
