/* bugs.cu: faulty kernels and calls, one for each kind of fault that the checked build of the simulated device
   must detect, and correct counterparts, which it must accept. Built into build/sim/bugs.so; run by spec/c/sim.c. */
#include <cuda_runtime.h>
#include <stdio.h>

enum { N = 1000 };

__global__ void out_of_bounds(float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n) y[i] = 1; /* for i < n */
}
__global__ __attribute__((no_sanitize("thread"))) void unseen(float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n) y[i] = 1; /* also in the plain build: the page after the block is inaccessible */
}
__global__ void early_return(float *y, int n) {
  SHARED(float, s, [64]);
  if ((int)threadIdx.x >= n) return; /* these never reach the barrier */
  s[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = s[0];
}
__global__ void two_barriers(float *y) {
  if (threadIdx.x < 32) __syncthreads();
  else __syncthreads();
  y[threadIdx.x] = 1;
}
__global__ void no_barrier(float *y) {
  SHARED(float, s, [64]);
  s[threadIdx.x] = (float)threadIdx.x;
  y[threadIdx.x] = s[63 - threadIdx.x];
}
__global__ void reused_too_early(float *y) {
  SHARED(float, s, [1]);
  float a = 0;
  for (int k = 0; k < 3; k++) {
    if (threadIdx.x == 0) s[0] = (float)k;
    __syncthreads();
    a += s[0]; /* and then the slot is written again */
  }
  y[threadIdx.x] = a;
}
__global__ void adds(float *y, const int *id) { y[id[blockIdx.x * blockDim.x + threadIdx.x]] += 1; }
__global__ void adds_atomically(float *y, const int *id) {
  atomicAdd(&y[id[blockIdx.x * blockDim.x + threadIdx.x]], 1.0f);
}
__global__ void reads_unwritten(float *y) {
  SHARED(float, s, [64]);
  if (threadIdx.x != 5) s[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];
}
__global__ void outside_array(float *y) {
  SHARED(float, s, [32]);
  SHARED(float, t, [32]);
  if (threadIdx.x < 32) t[threadIdx.x] = 0;
  s[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = s[0] + t[0];
}
__global__ void half_a_warp(float *y) {
  float v = 1;
  if (threadIdx.x < 16) v = __shfl_xor_sync(0xffffffffu, v, 1);
  y[threadIdx.x] = v;
}
__global__ void ones(float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 1;
}
__global__ void copies(float *y, const float *x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i];
}
__global__ void dynamic(float *y) {
  DYN_SHARED(float, s);
  s[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];
}

struct bench {
  cudaStream_t s, other;
  float *y, *x, *pinned; /* device: y of zeros, x uninitialised */
  int *id;               /* device: zeros */
  float seen;
};

static float first_of(cudaStream_t s, const float *y) {
  float v = -1;
  cudaMemcpyAsync(&v, y, sizeof v, cudaMemcpyDeviceToHost, s);
  return v;
}
static void other_stream(bench &b, bool wait) {
  cudaEvent_t e;
  cudaEventCreateWithFlags(&e, cudaEventDisableTiming);
  LAUNCH(ones, 4, 256, 0, b.s, b.y, N);
  cudaEventRecord(e, b.s);
  if (wait) cudaStreamWaitEvent(b.other, e, 0);
  b.seen = first_of(b.other, b.y);
  cudaEventDestroy(e);
}

/* `said`: a part of the report, or "" where there is no fault and `seen` checks the result. */
struct bug {
  const char *name, *said;
  float seen;
  void (*run)(bench &b);
};
static const bug bugs[] = {
    {"one element out of bounds", "write out of bounds at bugs.cu:10", 0,
     [](bench &b) { LAUNCH(out_of_bounds, 4, 256, 0, b.s, b.y, N); }},
    {"the same without checks", "4000 bytes into a live block of 4000 bytes", 0,
     [](bench &b) { LAUNCH(unseen, 4, 256, 0, b.s, b.y, N); }},
    {"early return before a barrier", "14 of 64 threads have returned and will never arrive", 0,
     [](bench &b) { LAUNCH(early_return, 1, 64, 0, b.s, b.y, 50); }},
    {"a barrier in both branches", "a divergent barrier", 0,
     [](bench &b) { LAUNCH(two_barriers, 1, 64, 0, b.s, b.y); }},
    {"a missing barrier", "of shared memory that", 0,
     [](bench &b) { LAUNCH(no_barrier, 1, 64, 0, b.s, b.y); }},
    {"a shared slot reused too early", "race: read of shared memory that was written at bugs.cu", 0,
     [](bench &b) { LAUNCH(reused_too_early, 1, 64, 0, b.s, b.y); }},
    {"adding without atomics", "race: read of global memory that was written at bugs.cu", 0,
     [](bench &b) { LAUNCH(adds, 4, 64, 0, b.s, b.y, b.id); }},
    {"adding with atomics", "", 256,
     [](bench &b) {
       LAUNCH(adds_atomically, 4, 64, 0, b.s, b.y, b.id);
       b.seen = first_of(b.s, b.y);
     }},
    {"shared memory nobody wrote", "read of shared memory that nobody has written at bugs.cu", 0,
     [](bench &b) { LAUNCH(reads_unwritten, 1, 64, 0, b.s, b.y); }},
    {"outside a shared array", "write outside a shared array at bugs.cu", 0,
     [](bench &b) { LAUNCH(outside_array, 1, 64, 0, b.s, b.y); }},
    {"a shuffle of half a warp with a full mask", "16 of 32 threads have returned", 0,
     [](bench &b) { LAUNCH(half_a_warp, 1, 32, 0, b.s, b.y); }},
    {"2048 threads", "2048 threads in a block; the limit is 1024", 0,
     [](bench &b) { LAUNCH(ones, 1, 2048, 0, b.s, b.y, N); }},
    {"64 KiB of dynamic shared memory without opt-in", "this kernel may use 49152", 0,
     [](bench &b) { LAUNCH(dynamic, 1, 256, 65536, b.s, b.y); }},
    {"a grid of 70000 in y", "y and z end at 65535", 0,
     [](bench &b) { LAUNCH(ones, dim3(1, 70000), 32, 0, b.s, b.y, N); }},
    {"a freed block", "access to a freed block at bugs.cu", 0,
     [](bench &b) {
       float *gone;
       cudaMalloc((void **)&gone, 4 * N);
       cudaFree(gone);
       LAUNCH(ones, 4, 256, 0, b.s, gone, N);
     }},
    {"a host pointer", "access to host memory at bugs.cu", 0,
     [](bench &b) { LAUNCH(ones, 4, 256, 0, b.s, b.pinned, N); }},
    {"device memory nobody wrote", "read of device memory that nobody has written at bugs.cu", 0,
     [](bench &b) { LAUNCH(copies, 4, 256, 0, b.s, b.y, b.x, N); }},
    {"a misaligned address", "misaligned access at bugs.cu", 0,
     [](bench &b) { LAUNCH(ones, 1, 32, 0, b.s, (float *)((char *)b.y + 2), 8); }},
    {"the null stream", "the null stream is not used here", 0,
     [](bench &b) { LAUNCH(ones, 4, 256, 0, NULL, b.y, N); }},
    {"a copy beyond its block", "not inside a live block", 0,
     [](bench &b) { cudaMemsetAsync(b.y, 0, 4 * N + 4, b.s); }},
    {"the host reads a copy before it waits", "", 0,
     [](bench &b) {
       LAUNCH(ones, 4, 256, 0, b.s, b.y, N);
       cudaMemcpyAsync(b.pinned, b.y, 4 * N, cudaMemcpyDeviceToHost, b.s);
       b.seen = b.pinned[7] == 1;
     }},
    {"a pinned source changes before its copy ran", "", 2,
     [](bench &b) {
       b.pinned[0] = 1;
       cudaMemcpyAsync(b.y, b.pinned, 4, cudaMemcpyHostToDevice, b.s);
       b.pinned[0] = 2;
       b.seen = first_of(b.s, b.y);
     }},
    {"a second stream that does not wait", "", 0, [](bench &b) { other_stream(b, false); }},
    {"a second stream that waits for the event", "", 1, [](bench &b) { other_stream(b, true); }},
};

extern "C" void pt_sim_reset(unsigned order);

/* Runs them all; prints for each whether it was detected as it should be, and the report. */
extern "C" __attribute__((visibility("default"))) void
pt_sim_bugs(void (*tell)(void *ud, const char *name, bool good, const char *said), void *ud) {
  int n;
  cudaGetDeviceCount(&n);
  for (const bug &it : bugs) {
    bench b = {};
    cudaStreamCreateWithFlags(&b.s, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&b.other, cudaStreamNonBlocking);
    cudaMalloc((void **)&b.y, 4 * N);
    cudaMalloc((void **)&b.x, 4 * N);
    cudaMalloc((void **)&b.id, 4 * N);
    cudaMallocHost((void **)&b.pinned, 4 * N);
    cudaMemsetAsync(b.y, 0, 4 * N, b.s);
    cudaMemsetAsync(b.id, 0, 4 * N, b.s);
    cudaStreamSynchronize(b.s);
    it.run(b);
    cudaError_t e = cudaGetLastError();
    if (e == cudaSuccess) e = cudaStreamSynchronize(b.s);
    char said[1100];
    snprintf(said, sizeof said, "%s", e ? cudaGetErrorString(e) : "");
    bool good = it.said[0] ? strstr(said, it.said) != NULL : e == cudaSuccess && b.seen == it.seen;
    tell(ud, it.name, good, said);
    pt_sim_reset(0);
    cudaFree(b.y);
    cudaFree(b.x);
    cudaFree(b.id);
    cudaFreeHost(b.pinned);
    cudaStreamDestroy(b.s);
    cudaStreamDestroy(b.other);
  }
}
