/* stream.cpp: streams, events, copies. A stream is a queue that runs only when something waits for it:
   launches are not executed until then, and other streams are delayed as long as events allow, so a
   missing wait gives a wrong value every time. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <deque>
#include <map>
#include <memory>

using namespace sim;

struct op {
  enum { KERNEL, COPY, SET, WAIT, FREE, CALL, STAMP } kind;
  uint64_t number;
  call c;
  char *to;
  const char *from;
  size_t bytes;
  int value;
  char *staged; /* a copy of pageable host memory, made when the transfer was requested */
  sim_stream *other;
  uint64_t upto;
  cudaHostFn_t fn;
  void *ud;
  std::shared_ptr<double> time;
};
struct sim_stream {
  int dev;
  std::deque<op> queue;
  uint64_t number = 0;
  unsigned asked = 0; /* queries since it last ran */
};
struct sim_event {
  sim_stream *s = NULL;
  uint64_t number = 0;
  bool timed = false;
  std::shared_ptr<double> time; /* ms, once it has been reached */
};
/* Never destroyed: threads may end, and leak checks run, after static objects are gone. */
static std::vector<sim_stream *> &streams = *new std::vector<sim_stream *>;
static std::map<char *, size_t> pinned;
static std::map<const void *, int> opted_in;
static thread_local int device_now;

int sim::current_device(void) { return device_now; }
void sim::allow_shared(const void *kernel, int bytes) {
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  opted_in[kernel] = bytes;
}

/* ---- running ---- */

static void drain(sim_stream *s, uint64_t upto);

static bool inside(const char *what, const void *p, size_t bytes) {
  if (!is_device(p) || owner(p, bytes)) return true;
  report(cudaErrorIllegalAddress, "copy of %zu bytes %s %p: not inside a live block", bytes, what,
         p);
  return false;
}

static void run_op(op &o) {
  if (o.kind == op::KERNEL) {
    if (!sticky) run_kernel(&o.c);
    o.c.drop(o.c.args);
  } else if (o.kind == op::WAIT) {
    drain(o.other, o.upto);
  } else if (o.kind == op::FREE) {
    free_block(o.to);
  } else if (o.kind == op::CALL) {
    o.fn(o.ud);
  } else if (o.kind == op::STAMP) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    *o.time = (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
  } else if (!sticky && inside("to", o.to, o.bytes) &&
             (o.kind == op::SET || inside("from", o.from, o.bytes))) {
    if (o.kind == op::SET) memset(o.to, o.value, o.bytes);
    else memcpy(o.to, o.staged ? o.staged : o.from, o.bytes);
    mark(o.to, o.bytes, WRITTEN);
  }
  free(o.staged);
}

/* ---- freed blocks: released when all streams have finished the work queued before ---- */

struct dying {
  char *p;
  size_t bytes;
  std::vector<std::pair<sim_stream *, uint64_t>> before;
};
static std::deque<dying> waiting;
static size_t waiting_bytes;
const size_t MOST_WAITING = 64 << 20;

static bool passed(const sim_stream *s, uint64_t number) {
  return s->queue.empty() || s->queue.front().number > number;
}
static bool gone(const dying &d) {
  for (auto &b : d.before) {
    if (!passed(b.first, b.second)) return false;
  }
  return true;
}
static void bury(void) {
  while (!waiting.empty() && gone(waiting.front())) {
    dying d = waiting.front();
    waiting.pop_front();
    waiting_bytes -= d.bytes;
    free_block(d.p);
  }
}

cudaError_t cudaFree(void *p) {
  if (p == NULL) return cudaSuccess;
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  const block *b = owner(p, 1);
  dying d = {(char *)p, b ? b->bytes : 0, {}};
  for (sim_stream *s : streams) {
    if (!s->queue.empty()) d.before.push_back({s, s->number});
  }
  if (b == NULL || d.before.empty()) return free_block(p);
  waiting.push_back(d);
  waiting_bytes += d.bytes;
  if (waiting_bytes > MOST_WAITING) drain_all();
  return sticky;
}

static void drain(sim_stream *s, uint64_t upto) {
  while (!s->queue.empty() && s->queue.front().number <= upto) {
    op o = s->queue.front();
    s->queue.pop_front();
    run_op(o);
    bury();
  }
}

static cudaError_t wait_for(sim_stream *s, uint64_t upto) {
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  s->asked = 0;
  if (!s->queue.empty()) {
    open_memory(true);
    drain(s, upto);
    open_memory(false);
  }
  return sticky;
}

void sim::drain_all(void) {
  for (sim_stream *s : streams) wait_for(s, UINT64_MAX);
  bury();
}

void sim::forget_streams(void) {
  for (sim_stream *s : streams) {
    for (op &o : s->queue) {
      if (o.kind == op::KERNEL) o.c.drop(o.c.args);
      free(o.staged);
    }
    s->queue.clear();
  }
  bury();
}

static cudaError_t put(sim_stream *s, op o) {
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  if (s == NULL) {
    report(cudaErrorInvalidValue,
           "the null stream is not used here: it would hide missing synchronisation");
    return last_error;
  }
  if (sticky) {
    free(o.staged);
    return sticky;
  }
  o.number = ++s->number;
  s->queue.push_back(o);
  return cudaSuccess;
}

/* ---- launches ---- */

static bool over_limits(const call &c, size_t limit, char *why, size_t size) {
  size_t n = (size_t)c.block.x * c.block.y * c.block.z;
  if (!n || !c.grid.x || !c.grid.y || !c.grid.z) snprintf(why, size, "an empty grid or block");
  else if (n > MAX_THREADS || c.block.z > 64)
    snprintf(why, size, "%zu threads in a block; the limit is 1024", n);
  else if (c.grid.y > 65535 || c.grid.z > 65535)
    snprintf(why, size, "grid (%u,%u,%u); y and z end at 65535", c.grid.x, c.grid.y, c.grid.z);
  else if (c.grid.x > 0x7fffffffu) snprintf(why, size, "grid.x %u is over 2^31-1", c.grid.x);
  else if (c.shared > limit || limit > OPT_IN_MAX)
    snprintf(why, size,
             "%zu bytes of dynamic shared memory; this kernel may use %zu (cudaFuncSetAttribute "
             "raises it to %d at most)",
             c.shared, limit, (int)OPT_IN_MAX);
  else return false;
  return true;
}

void sim::launch(call c, const void *kernel, cudaStream_t s) {
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  auto it = opted_in.find(kernel);
  size_t limit = it == opted_in.end() ? (size_t)STATIC_MAX : (size_t)it->second;
  char why[200];
  if (over_limits(c, limit, why, sizeof why)) { /* refused at once, and not sticky, as on a GPU */
    bool had = sticky != cudaSuccess;
    report(cudaErrorInvalidConfiguration, "kernel %s at %s:%d: %s", c.kernel, c.file, c.line, why);
    if (!had) sticky = cudaSuccess;
    c.drop(c.args);
    return;
  }
  op o = {};
  o.kind = op::KERNEL;
  o.c = c;
  if (put(s, o)) c.drop(c.args);
}

/* ---- copies ---- */

static bool is_pinned(const void *p) {
  auto it = pinned.upper_bound((char *)p);
  if (it == pinned.begin()) return false;
  --it;
  return (char *)p < it->first + it->second;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t s) {
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  bool writes = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  bool reads = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (writes != is_device(to) || reads != is_device(from)) {
    report(cudaErrorInvalidValue, "copy from %p to %p: the kind says otherwise", from, to);
    return last_error;
  }
  op o = {};
  o.kind = op::COPY;
  o.to = (char *)to;
  o.from = (const char *)from;
  o.bytes = bytes;
  if (!reads && !is_pinned(from)) {
    o.staged = (char *)malloc(bytes ? bytes : 1);
    memcpy(o.staged, from, bytes);
  }
  bool later = is_pinned(to);
  if (!writes && later) memset(to, 0xff, bytes); /* a read before the wait sees NaN */
  cudaError_t e = put(s, o);
  return e || writes || later ? e : wait_for(s, UINT64_MAX);
}

/* The range is checked when the stream gets there, as with any other copy. */
cudaError_t cudaMemcpyPeerAsync(void *to, int dev, const void *from, int from_dev, size_t bytes,
                                cudaStream_t s) {
  if (device_of(to) == dev && device_of(from) == from_dev)
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, s);
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  report(cudaErrorInvalidValue, "copy from %p to %p: not of sim:%d and sim:%d", from, to, from_dev,
         dev);
  return last_error;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t s) {
  op o = {};
  o.kind = op::SET;
  o.to = (char *)to;
  o.bytes = bytes;
  o.value = value;
  return put(s, o);
}

cudaError_t cudaMallocHost(void **p, size_t bytes) {
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  *p = malloc(bytes ? bytes : 1);
  if (*p == NULL) return last_error = cudaErrorMemoryAllocation;
  pinned[(char *)*p] = bytes;
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void *p) {
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  drain_all();
  pinned.erase((char *)p);
  free(p);
  return cudaSuccess;
}

/* In the order of the stream: earlier work may still use the block. */
cudaError_t cudaMallocAsync(void **p, size_t bytes, cudaStream_t) { return cudaMalloc(p, bytes); }
cudaError_t cudaFreeAsync(void *p, cudaStream_t s) {
  op o = {};
  o.kind = op::FREE;
  o.to = (char *)p;
  return put(s, o);
}

cudaError_t cudaLaunchHostFunc(cudaStream_t s, cudaHostFn_t fn, void *ud) {
  op o = {};
  o.kind = op::CALL;
  o.fn = fn;
  o.ud = ud;
  return put(s, o);
}

/* ---- devices, streams, events ---- */

cudaError_t cudaGetDeviceCount(int *n) {
  start();
  *n = ndev;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int dev) {
  start();
  if (dev < 0 || dev >= ndev) return last_error = cudaErrorInvalidDevice;
  device_now = dev;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int *dev) {
  *dev = device_now;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int) {
  memset(p, 0, sizeof *p);
  snprintf(p->name, sizeof p->name, "simulated device");
  size_t unused;
  p->multiProcessorCount = 4;
  p->major = 9;
  return cudaMemGetInfo(&unused, &p->totalGlobalMem);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned) {
  start();
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  *s = new sim_stream;
  (*s)->dev = device_now;
  streams.push_back(*s);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t s) {
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  wait_for(s, UINT64_MAX);
  for (size_t i = 0; i < streams.size(); i++) {
    if (streams[i] == s) streams.erase(streams.begin() + (long)i--);
  }
  delete s;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t s) { return wait_for(s, UINT64_MAX); }

cudaError_t cudaDeviceSynchronize(void) {
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  for (sim_stream *s : streams) {
    if (s->dev == device_now) wait_for(s, UINT64_MAX);
  }
  return sticky;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags) {
  *e = new sim_event;
  (*e)->timed = !(flags & cudaEventDisableTiming);
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t e) {
  delete e;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) {
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  if (e->timed && !sticky) {
    op o = {};
    o.kind = op::STAMP;
    o.time = e->time = std::make_shared<double>(0);
    put(s, o);
  }
  e->s = s;
  e->number = s->number;
  return sticky;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned) {
  if (e->s == NULL) return cudaSuccess;
  op o = {};
  o.kind = op::WAIT;
  o.other = e->s;
  o.upto = e->number;
  return put(s, o);
}
cudaError_t cudaEventSynchronize(cudaEvent_t e) {
  return e->s ? wait_for(e->s, e->number) : cudaSuccess;
}

/* Not ready for as long as possible; a stream that is queried repeatedly makes progress. */
cudaError_t cudaEventQuery(cudaEvent_t e) {
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  if (sticky || e->s == NULL || e->s->queue.empty() || e->s->queue.front().number > e->number)
    return sticky;
  return ++e->s->asked % 4 ? (cudaError_t)cudaErrorNotReady : wait_for(e->s, e->number);
}
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to) {
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  if (!from->time || !to->time) return cudaErrorInvalidValue;
  *ms = (float)(*to->time - *from->time);
  return sticky;
}

/* ---- errors ---- */

cudaError_t cudaGetLastError(void) {
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  cudaError_t e = last_error;
  if (!sticky) last_error = cudaSuccess;
  return e;
}
const char *cudaGetErrorString(cudaError_t e) {
  if (e == cudaErrorMemoryAllocation) return "out of memory";
  return e && report_text()[0] ? report_text() : e ? "invalid argument" : "no error";
}

/* For specs: forgets faults and queued work, and sets the order of threads. */
extern "C" __attribute__((visibility("default"))) void pt_sim_reset(unsigned order) {
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  forget_streams();
  clear_report();
  seed = order;
}
