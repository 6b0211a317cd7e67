/* plugin.cu: the entry point and the table of the backend; its memory, streams, marks and errors. Each
   host thread has a stream of its own on each device and may choose another; nothing runs in the null
   stream. Streams are never destroyed: at the end of the process the run-time library may already be unloaded. */
#include <stdio.h>
#include <stdlib.h>

#include <mutex>
#include <vector>

#include "common.cuh"
#include "ptlua_hash.h"
#include "slots.cuh"
#include "slots.h"

#ifdef __CUDACC__
#define NAME "cuda"
#else
#define NAME "sim"
#endif

enum { MAX_DEVICES = 16, RECENT = 8, POOL = 32 /* streams that scripts get in turn */ };

const pt_host *pti_host;
static int device_count;
static bool wait_always; /* PT_DEVICE_SYNC: the op at fault raises the error */

/* ---- errors ---- */

/* The last launches of this thread: a fault is seen only at a later wait. */
static thread_local struct {
  const char *op[RECENT];
  unsigned n;
} recent;

/* Releasing never fails: a fault is reported by the next wait. */
static void quietly(cudaError_t e) {
  if (e != cudaSuccess) cudaGetLastError();
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

static bool ok(cudaError_t e, const char *what) {
  if (e == cudaSuccess) return true;
  if (e >= cudaErrorIllegalAddress && e <= cudaErrorLaunchFailure) return waited(e);
  cudaGetLastError();
  pti_host->fail(PT_EDEVICE, "%s: %s: %s", NAME, what, cudaGetErrorString(e));
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

static std::mutex stream_lock;
static std::vector<cudaStream_t> spare[MAX_DEVICES]; /* of threads that have ended */
static cudaStream_t pool[MAX_DEVICES][POOL];
static unsigned turn[MAX_DEVICES];

/* A thread that ends leaves its streams to later threads. */
static thread_local struct own_streams {
  cudaStream_t own[MAX_DEVICES] = {}, chosen[MAX_DEVICES] = {};
  ~own_streams() {
    std::lock_guard<std::mutex> guard(stream_lock);
    for (int d = 0; d < MAX_DEVICES; d++) {
      if (own[d]) spare[d].push_back(own[d]);
    }
  }
} mine;

static bool on_device(int dev) { return ok(cudaSetDevice(dev), "device"); }
static bool make_stream(cudaStream_t *s) {
  if (ok(cudaStreamCreateWithFlags(s, cudaStreamNonBlocking), "stream")) return true;
  *s = NULL;
  return false;
}

cudaStream_t pti_stream(int dev) {
  if (!on_device(dev)) return NULL;
  if (mine.chosen[dev]) return current = mine.chosen[dev];
  if (mine.own[dev] == NULL) {
    std::lock_guard<std::mutex> guard(stream_lock);
    if (!spare[dev].empty()) {
      mine.own[dev] = spare[dev].back();
      spare[dev].pop_back();
    } else if (!make_stream(&mine.own[dev])) {
      return NULL;
    }
  }
  return current = mine.own[dev];
}

static void *stream_now(int dev) { return pti_stream(dev); }
static void *stream_new(int dev) {
  if (!on_device(dev)) return NULL;
  std::lock_guard<std::mutex> guard(stream_lock);
  cudaStream_t *s = &pool[dev][turn[dev]++ % POOL];
  return *s || make_stream(s) ? *s : NULL;
}
static void stream_use(int dev, void *s) { mine.chosen[dev] = (cudaStream_t)s; }

static bool sync_stream(int dev) {
  cudaStream_t s = pti_stream(dev);
  return s && waited(cudaStreamSynchronize(s));
}
static bool sync_device(int dev) { return on_device(dev) && waited(cudaDeviceSynchronize()); }

/* ---- marks ---- */

static void *mark(int dev, void *stream, bool timed) {
  cudaEvent_t e = NULL;
  unsigned flags = timed ? cudaEventDefault : cudaEventDisableTiming;
  if (!on_device(dev) || !ok(cudaEventCreateWithFlags(&e, flags), "event")) return NULL;
  if (ok(cudaEventRecord(e, (cudaStream_t)stream), "event")) return e;
  cudaEventDestroy(e);
  return NULL;
}
static int mark_done(int dev, void *m, bool wait) {
  if (!on_device(dev)) return -1;
  cudaError_t e = wait ? cudaEventSynchronize((cudaEvent_t)m) : cudaEventQuery((cudaEvent_t)m);
  if (e == cudaErrorNotReady) cudaGetLastError();
  return e == cudaErrorNotReady ? 0 : waited(e) ? 1 : -1;
}
static bool mark_before(int dev, void *m, void *stream) {
  return on_device(dev) &&
      ok(cudaStreamWaitEvent((cudaStream_t)stream, (cudaEvent_t)m, 0), "wait for an event");
}
static bool mark_time(int dev, void *from, void *to, double *ms) {
  float t = 0;
  if (!on_device(dev) || !waited(cudaEventElapsedTime(&t, (cudaEvent_t)from, (cudaEvent_t)to)))
    return false;
  *ms = t;
  return true;
}
static void mark_free(int dev, void *m) {
  if (cudaSetDevice(dev) == cudaSuccess) quietly(cudaEventDestroy((cudaEvent_t)m));
}

/* ---- memory ---- */

static int count(void) { return device_count; }

static void *alloc_block(int dev, size_t bytes) {
  void *p = NULL;
  if (!on_device(dev)) return NULL;
  cudaError_t e = cudaMalloc(&p, bytes);
  if (e == cudaSuccess) return p;
  cudaGetLastError();
  if (e != cudaErrorMemoryAllocation) return ok(e, "memory"), (void *)NULL;
  pti_host->fail(PT_EMEMORY, "out of memory of %s:%d: %zu bytes could not be allocated", NAME, dev,
                 bytes);
  return NULL;
}

static void free_block(int dev, void *p, size_t) {
  if (p && cudaSetDevice(dev) == cudaSuccess) quietly(cudaFree(p));
}

static void *pin(int dev, size_t bytes) {
  void *p = NULL;
  if (!on_device(dev)) return NULL;
  cudaError_t e = cudaMallocHost(&p, bytes);
  if (e == cudaSuccess) return p;
  cudaGetLastError();
  if (e != cudaErrorMemoryAllocation) return ok(e, "pinned memory"), (void *)NULL;
  pti_host->fail(PT_EMEMORY, "out of memory: %zu bytes could not be pinned", bytes);
  return NULL;
}
static void unpin(int dev, void *p) {
  if (cudaSetDevice(dev) == cudaSuccess) quietly(cudaFreeHost(p));
}

void *pti_scratch(int dev, size_t bytes) {
  void *p = NULL;
  cudaStream_t s = pti_stream(dev);
  return s && ok(cudaMallocAsync(&p, bytes, s), "scratch memory") ? p : NULL;
}
void pti_scratch_free(int dev, void *p, size_t) {
  cudaStream_t s = pti_stream(dev);
  if (s && p) quietly(cudaFreeAsync(p, s));
}

/* ---- copies ---- */

static bool to_host(int dev, void *dst, const void *src, size_t bytes, bool later) {
  cudaStream_t s = pti_stream(dev);
  return s && ok(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToHost, s), "copy to the host") &&
      (later || waited(cudaStreamSynchronize(s)));
}
static bool from_host(int dev, void *dst, const void *src, size_t bytes) {
  cudaStream_t s = pti_stream(dev);
  return s && ok(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyHostToDevice, s), "copy to the device");
}
bool pti_fetch(int dev, void *to, const void *from, size_t bytes) {
  return to_host(dev, to, from, bytes, false);
}

/* Between the streams of both devices, so that neither block is used too early or too late. */
static bool after(int dev, cudaStream_t later, int from, cudaStream_t earlier) {
  void *m = mark(from, earlier, false);
  bool fine = m && mark_before(dev, m, later);
  if (m) mark_free(from, m);
  return fine;
}
static bool peer(int dev, void *dst, int from, const void *src, size_t bytes) {
  cudaStream_t to = pti_stream(dev), s = pti_stream(from);
  return to && s && after(from, s, dev, to) &&
      ok(cudaMemcpyPeerAsync(dst, dev, src, from, bytes, s), "copy between devices") &&
      after(dev, to, from, s);
}

static bool describe(int dev, char *name, size_t size, size_t *free, size_t *total) {
  cudaDeviceProp p;
  if (!on_device(dev) || !ok(cudaMemGetInfo(free, total), "memory") ||
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

static pti_slots all_slots(void) {
  pti_slots s = {};
#define SLOT(name, ...) s.name = pti_cuda_##name;
#define HOST_SLOT(...)
#include "slots.def"
  return s;
}

extern "C" __attribute__((visibility("default"))) const pt_backend *
pt_backend_open(uint32_t abi, const pt_host *host) {
  static pt_backend b;
  if (abi != PT_BACKEND_ABI) return NULL; /* the engine reports the error */
  pti_host = host;
  const char *wait = getenv("PT_DEVICE_SYNC");
  wait_always = wait && *wait && *wait != '0';
  if (!find_devices()) return NULL;
  b.abi = PT_BACKEND_ABI;
  b.name = NAME;
  b.hash = PTI_HASH;
#ifndef __CUDACC__
  const char *cached = getenv("PT_SIM_CACHE");
  b.exact = !cached || !*cached || *cached == '0';
#endif
  b.halves = true;
  b.count = count;
  b.alloc = alloc_block;
  b.free = free_block;
  b.describe = describe;
  b.pin = pin;
  b.unpin = unpin;
  b.to_host = to_host;
  b.from_host = from_host;
  b.peer = peer;
  b.sync = sync_stream;
  b.sync_all = sync_device;
  b.stream = stream_now;
  b.stream_new = stream_new;
  b.stream_use = stream_use;
  b.mark = mark;
  b.mark_done = mark_done;
  b.mark_before = mark_before;
  b.mark_time = mark_time;
  b.mark_free = mark_free;
  static const pti_slots slots = all_slots();
  b.slots = &slots;
  return &b;
}
