/* plugin.cu: the entry point and the table of the backend; its memory, streams and errors. Each host
   thread has a stream of its own on each device; nothing runs in the null stream. */
#include <stdio.h>
#include <stdlib.h>

#include <mutex>
#include <vector>

#include "common.cuh"
#include "slots.cuh"

#ifdef __CUDACC__
#define NAME "cuda"
#else
#define NAME "sim"
#endif

enum { MAX_DEVICES = 16, RECENT = 8 };

const pt_host *pti_host;
static int device_count;
static bool wait_always; /* PT_DEVICE_SYNC: errors come with the op that made them */

/* ---- errors ---- */

/* What this thread launched last: a fault shows only at a later wait. */
static thread_local struct {
  const char *op[RECENT];
  unsigned n;
} recent;

static bool ok(cudaError_t e, const char *what) {
  if (e == cudaSuccess) return true;
  cudaGetLastError();
  pti_host->fail(PT_EDEVICE, "%s: %s: %s", NAME, what, cudaGetErrorString(e));
  return false;
}

static bool waited(cudaError_t e) {
  if (e == cudaSuccess) return true;
  cudaGetLastError();
  char ops[256] = "";
  size_t n = 0;
  for (unsigned i = 0; i < RECENT && i < recent.n && n < sizeof ops - 40; i++) {
    n += (size_t)snprintf(ops + n, sizeof ops - n, i ? ", %s" : "%s",
                          recent.op[(recent.n - 1 - i) % RECENT]);
  }
  pti_host->fail(PT_EDEVICE, "%s: %s (last launched: %s; PT_DEVICE_SYNC=1 tells which)", NAME,
                 cudaGetErrorString(e), ops);
  return false;
}

static thread_local cudaStream_t current;

bool launched(const char *op) {
  recent.op[recent.n++ % RECENT] = op;
  if (!ok(cudaGetLastError(), op)) return false;
  return !wait_always || waited(cudaStreamSynchronize(current));
}

bool pti_no_kernel(const char *op, pt_dtype dtype) {
  pti_host->fail(PT_EDTYPE, "%s: no %s kernel for %s", op, NAME, pti_host->dtype_name(dtype));
  return false;
}

/* ---- streams ---- */

static std::mutex spare_lock;
static std::vector<cudaStream_t> spare[MAX_DEVICES];

/* A thread that ends leaves its streams to those that come. */
static thread_local struct own_streams {
  cudaStream_t s[MAX_DEVICES] = {};
  ~own_streams() {
    std::lock_guard<std::mutex> guard(spare_lock);
    for (int d = 0; d < MAX_DEVICES; d++) {
      if (s[d]) spare[d].push_back(s[d]);
    }
  }
} own;

cudaStream_t pti_stream(int dev) {
  if (!ok(cudaSetDevice(dev), "device")) return NULL;
  if (own.s[dev] == NULL) {
    std::lock_guard<std::mutex> guard(spare_lock);
    if (!spare[dev].empty()) {
      own.s[dev] = spare[dev].back();
      spare[dev].pop_back();
    } else if (!ok(cudaStreamCreateWithFlags(&own.s[dev], cudaStreamNonBlocking), "stream")) {
      return own.s[dev] = NULL;
    }
  }
  return current = own.s[dev];
}

static bool sync_stream(int dev) {
  cudaStream_t s = pti_stream(dev);
  return s && waited(cudaStreamSynchronize(s));
}

/* ---- memory ---- */

static int count(void) { return device_count; }

static void *alloc_block(int dev, size_t bytes) {
  void *p = NULL;
  if (!ok(cudaSetDevice(dev), "device")) return NULL;
  cudaError_t e = cudaMalloc(&p, bytes);
  if (e == cudaSuccess) return p;
  cudaGetLastError();
  if (e != cudaErrorMemoryAllocation) return ok(e, "memory"), (void *)NULL;
  return pti_host->fail(PT_EMEMORY, "out of memory of %s:%d: %zu bytes could not be had", NAME, dev,
                        bytes);
}

static void free_block(int dev, void *p, size_t) {
  if (p && ok(cudaSetDevice(dev), "device")) ok(cudaFree(p), "free");
}

void *pti_scratch(int dev, size_t bytes) {
  void *p = NULL;
  cudaStream_t s = pti_stream(dev);
  return s && ok(cudaMallocAsync(&p, bytes, s), "scratch memory") ? p : NULL;
}
void pti_scratch_free(int dev, void *p, size_t) {
  cudaStream_t s = pti_stream(dev);
  if (s && p) ok(cudaFreeAsync(p, s), "scratch memory");
}

static bool to_host(int dev, void *dst, const void *src, size_t bytes) {
  cudaStream_t s = pti_stream(dev);
  return s && ok(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToHost, s), "copy to the host") &&
         waited(cudaStreamSynchronize(s));
}
static bool from_host(int dev, void *dst, const void *src, size_t bytes) {
  cudaStream_t s = pti_stream(dev);
  return s && ok(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyHostToDevice, s), "copy to the device");
}
bool pti_fetch(int dev, void *to, const void *from, size_t bytes) {
  return to_host(dev, to, from, bytes);
}

static bool describe(int dev, char *name, size_t size, size_t *free, size_t *total) {
  cudaDeviceProp p;
  if (!ok(cudaSetDevice(dev), "device") || !ok(cudaMemGetInfo(free, total), "memory") ||
      !ok(cudaGetDeviceProperties(&p, dev), "device"))
    return false;
  snprintf(name, size, "%s", p.name);
  return true;
}

/* ---- the entry ---- */

static bool find_devices(void) {
  cudaError_t e = cudaGetDeviceCount(&device_count);
  if (e == cudaSuccess && device_count > 0) {
    device_count = device_count > MAX_DEVICES ? MAX_DEVICES : device_count;
    return true;
  }
  cudaGetLastError();
#ifdef __CUDACC__
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver == 0) {
    pti_host->fail(PT_EDEVICE,
                   "cuda: no NVIDIA driver here (libcuda.so.1 was not found); install the driver, "
                   "or use \"cpu\"");
    return false;
  }
  pti_host->fail(PT_EDEVICE, "cuda: no usable GPU: %s; driver for CUDA %d.%d, plug-in for %d.%d",
                 e ? cudaGetErrorString(e) : "none found", driver / 1000, driver % 1000 / 10,
                 runtime / 1000, runtime % 1000 / 10);
#else
  pti_host->fail(PT_EDEVICE, "sim: no addresses for a simulated device");
#endif
  return false;
}

#define FILL(slot) b.slot = pti_cuda_##slot;

extern "C" __attribute__((visibility("default"))) const pt_backend *
pt_backend_open(uint32_t abi, const pt_host *host) {
  static pt_backend b;
  if (abi != PT_BACKEND_ABI) return NULL; /* the engine says so */
  pti_host = host;
  const char *wait = getenv("PT_DEVICE_SYNC");
  wait_always = wait && *wait && *wait != '0';
  if (!find_devices()) return NULL;
  b.abi = PT_BACKEND_ABI;
  b.name = NAME;
  b.table_hash = PTI_TABLE_HASH;
#ifndef __CUDACC__
  b.exact = true;
#endif
  b.halves = true;
  b.count = count;
  b.alloc = alloc_block;
  b.free = free_block;
  b.to_host = to_host;
  b.from_host = from_host;
  b.sync = sync_stream;
  b.describe = describe;
  SLOTS(FILL)
  return &b;
}
