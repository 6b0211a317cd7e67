/* cuda_runtime.h: the simulated device, seen by a .cu file that the host's C++ compiler reads. It has
   the names of CUDA that kernels/cuda uses: built-in variables, shared memory, barriers, warp
   operations, atomics, and the calls of the run-time library. A kernel is launched with LAUNCH and
   declares shared memory with SHARED or DYN_SHARED (kernels/cuda/common.cuh has them for nvcc);
   nothing else differs from CUDA. The implementation is in block.cpp, memory.cpp, stream.cpp. */
#ifndef SIM_CUDA_RUNTIME_H
#define SIM_CUDA_RUNTIME_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tuple>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
struct uint3 {
  unsigned x, y, z;
};
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
enum { warpSize = 32 };

/* ---- the run-time library: the calls that the plug-in makes, with their names and numbers ---- */

typedef int cudaError_t;
enum {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorNotReady = 600,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchFailure = 719
};
enum cudaMemcpyKind {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice
};
enum { cudaStreamNonBlocking = 1, cudaEventDefault = 0, cudaEventDisableTiming = 2 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
typedef struct sim_stream *cudaStream_t;
typedef struct sim_event *cudaEvent_t;
struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
  int multiProcessorCount, major, minor;
};

cudaError_t cudaGetDeviceCount(int *n);
cudaError_t cudaSetDevice(int dev);
cudaError_t cudaGetDevice(int *dev);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int dev);
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaMalloc(void **p, size_t bytes);
cudaError_t cudaFree(void *p);
cudaError_t cudaMallocAsync(void **p, size_t bytes, cudaStream_t s);
cudaError_t cudaFreeAsync(void *p, cudaStream_t s);
cudaError_t cudaMallocHost(void **p, size_t bytes);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t s);
cudaError_t cudaMemcpyPeerAsync(void *to, int dev, const void *from, int from_dev, size_t bytes,
                                cudaStream_t s);
typedef void (*cudaHostFn_t)(void *ud);
cudaError_t cudaLaunchHostFunc(cudaStream_t s, cudaHostFn_t fn, void *ud);
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t s);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t s);
cudaError_t cudaStreamSynchronize(cudaStream_t s);
cudaError_t cudaDeviceSynchronize(void);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t e);
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s);
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned flags);
cudaError_t cudaEventSynchronize(cudaEvent_t e);
cudaError_t cudaEventQuery(cudaEvent_t e);
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to);
cudaError_t cudaGetLastError(void);
const char *cudaGetErrorString(cudaError_t e);

/* ---- launches ---- */

namespace sim {
/* A launch that waits in a stream: its arguments are a copy, as on a GPU. */
struct call {
  const char *kernel, *file;
  int line;
  dim3 grid, block;
  size_t shared;
  void (*body)(void *args); /* runs threads of the current block until next_thread() says stop */
  void *args;
  size_t args_size;
  void (*drop)(void *args);
};
void launch(call c, const void *kernel, cudaStream_t s);
bool next_thread(void);
void allow_shared(const void *kernel, int bytes);

template <class... P> struct bound {
  void (*kernel)(P...);
  std::tuple<P...> args;
  static void body(void *p) {
    bound *b = (bound *)p;
    while (next_thread()) std::apply(b->kernel, b->args);
  }
  static void drop(void *p) { delete (bound *)p; }
};
template <class... P, class... A>
void launch_args(const char *name, const char *file, int line, void (*kernel)(P...), dim3 grid,
                 dim3 block, size_t shared, cudaStream_t s, A... a) {
  static_assert((sizeof(P) + ... + 0) <= 4096, "kernel parameters exceed 4 KiB");
  bound<P...> *b = new bound<P...>{kernel, std::tuple<P...>((P)a...)};
  launch(
      {name, file, line, grid, block, shared, bound<P...>::body, b, sizeof *b, bound<P...>::drop},
      (const void *)kernel, s);
}

/* ---- cooperation between threads ---- */

void *shared(const void *key, size_t bytes, size_t align); /* the block's array of a declaration */
void *dyn_shared(void);
void barrier(const char *file, int line);
enum warp_kind { WARP_SYNC, WARP_BALLOT, WARP_IDX, WARP_XOR, WARP_DOWN, WARP_UP, WARP_CALL };
uint64_t warp_op(warp_kind k, unsigned mask, uint64_t value, int arg, const char *file, int line);
/* A collective of all 32 lanes, computed once by `fn` from the inputs of all. */
void warp_call(void (*fn)(uint64_t *lane), void *arg, const char *file, int line);
void atomic_access(const void *p, size_t bytes, const void *caller);

template <class T> inline uint64_t bits(T v) {
  static_assert(sizeof(T) <= 8, "8 bytes at most");
  uint64_t u = 0;
  memcpy(&u, &v, sizeof v);
  return u;
}
template <class T> inline T from_bits(uint64_t u) {
  T v;
  memcpy(&v, &u, sizeof v);
  return v;
}
inline unsigned mask_of(unsigned mask = 0xffffffffu) { return mask; }

/* Threads of a block switch only where they wait, so no other thread can intervene. */
template <class T, class F> __attribute__((noinline, no_sanitize("thread"))) T atomic(T *p, F f) {
  atomic_access(p, sizeof *p, __builtin_return_address(0));
  T old, now;
  memcpy(&old, p, sizeof old);
  now = f(old);
  memcpy(p, &now, sizeof now);
  return old;
}
} // namespace sim

template <class F> cudaError_t cudaFuncSetAttribute(F *kernel, cudaFuncAttribute, int value) {
  sim::allow_shared((const void *)kernel, value);
  return cudaSuccess;
}

#define LAUNCH(kernel, grid, block, shared, stream, ...) \
  sim::launch_args(#kernel, __FILE__, __LINE__, kernel, grid, block, shared, stream, __VA_ARGS__)
#define SHARED(type, name, dims)                           \
  typedef type sim_type_##name dims;                       \
  static const char sim_key_##name = 0;                    \
  sim_type_##name &name = *(sim_type_##name *)sim::shared( \
      &sim_key_##name, sizeof(sim_type_##name), alignof(sim_type_##name))
#define DYN_SHARED(type, name) type *name = reinterpret_cast<type *>(sim::dyn_shared())
#define __syncthreads() sim::barrier(__FILE__, __LINE__)
#define SIM_WARP(k, m, v, a) \
  sim::from_bits<decltype(v)>(sim::warp_op(sim::k, m, sim::bits(v), a, __FILE__, __LINE__))
#define __syncwarp(...) \
  sim::warp_op(sim::WARP_SYNC, sim::mask_of(__VA_ARGS__), 0, 0, __FILE__, __LINE__)
#define __shfl_sync(m, v, l) SIM_WARP(WARP_IDX, m, v, l)
#define __shfl_xor_sync(m, v, l) SIM_WARP(WARP_XOR, m, v, l)
#define __shfl_down_sync(m, v, l) SIM_WARP(WARP_DOWN, m, v, l)
#define __shfl_up_sync(m, v, l) SIM_WARP(WARP_UP, m, v, l)
#define __ballot_sync(m, p) \
  (unsigned)sim::warp_op(sim::WARP_BALLOT, m, (p) != 0, 0, __FILE__, __LINE__)
#define __any_sync(m, p) (__ballot_sync(m, p) != 0)
#define __all_sync(m, p) (__ballot_sync(m, p) == (m))

template <class T> inline T atomicAdd(T *p, T v) {
  return sim::atomic(p, [v](T old) { return (T)(old + v); });
}
template <class T> inline T atomicMin(T *p, T v) {
  return sim::atomic(p, [v](T old) { return v < old ? v : old; });
}
template <class T> inline T atomicMax(T *p, T v) {
  return sim::atomic(p, [v](T old) { return v > old ? v : old; });
}
inline float __uint_as_float(unsigned u) { return sim::from_bits<float>(u); }
inline unsigned __float_as_uint(float f) { return (unsigned)sim::bits(f); }
inline uint64_t __umul64hi(uint64_t a, uint64_t b) {
  return (uint64_t)((unsigned __int128)a * b >> 64);
}
inline int __popc(unsigned v) { return __builtin_popcount(v); }
inline void __threadfence(void) {}

#endif
