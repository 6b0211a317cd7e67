/* nccl.cpp: NCCL in the simulator, for ranks that are threads of one process. A call returns at once; it goes to the
   streams of its ranks when the last of them has made it, and until then is "in progress", as it may be with a
   communicator that does not block. There it waits for the work queued before it on all ranks' streams; each rank's
   result is written in the order of its own stream. Ranks that disagree, or share a device, get an error, where the
   real library may hang. */
#include "nccl.h"

#include <stdio.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>

#include "dtype.h"
#include "sim.h"

using namespace sim;

namespace {
enum kind { ALL_REDUCE, REDUCE, REDUCE_SCATTER, BROADCAST, ALL_GATHER, EXCHANGE };

struct piece {
  char *p;
  size_t bytes;
  int peer;
};
/* What one rank asked for. */
struct part {
  int kind, type, op, root;
  size_t n;
  const char *in;
  char *out;
  std::vector<piece> sends, recvs;
  cudaStream_t stream;
  cudaEvent_t before; /* all work queued on its stream before */
};
struct collective {
  std::vector<part> parts;
  int arrived = 0;
  bool computed = false;                  /* these two: under sim_lock */
  std::vector<std::vector<char>> results; /* of each rank, what it receives in one piece */
  explicit collective(int n) : parts((size_t)n), results((size_t)n) {}
  ~collective() {
    for (part &p : parts) {
      if (p.before) cudaEventDestroy(p.before);
    }
  }
};
/* The communicators of one id. */
struct world {
  int size, joined = 0;
  std::vector<int> device;                               /* -1: has not joined */
  std::map<uint64_t, std::shared_ptr<collective>> calls; /* not yet made by some ranks */
  ncclResult_t broken = ncclSuccess;
  std::string why;
};
struct turn {
  std::shared_ptr<collective> c;
  int rank;
};
} // namespace

struct ncclComm {
  std::string id;
  std::shared_ptr<world> w;
  int rank;
  uint64_t calls = 0;
  std::shared_ptr<collective> pending;
};

/* Guards worlds and communicators; sim_lock may be taken under it, never the other way round. */
static std::mutex nccl_lock;
static std::map<std::string, std::shared_ptr<world>> worlds;
static thread_local struct {
  int depth;
  ncclComm_t comm;
  part p;
} open_group; /* messages of this thread */

static ncclResult_t refuse(world &w, ncclResult_t r, const std::string &why) {
  if (w.broken == ncclSuccess) w.why = why;
  return w.broken = w.broken == ncclSuccess ? r : w.broken;
}

/* ---- the results of a collective ---- */

static size_t size_of(int type) {
  return type == ncclInt64 || type == ncclFloat64   ? 8
      : type == ncclInt32 || type == ncclFloat32    ? 4
      : type == ncclFloat16 || type == ncclBfloat16 ? 2
                                                    : 1;
}

template <class T> static T combine(int op, T a, T b) {
  switch (op) {
  case ncclProd: return (T)(a * b);
  case ncclMax: return b > a || b != b ? b : a;
  case ncclMin: return b < a || b != b ? b : a;
  default: return (T)(a + b);
  }
}
/* Elements of type M in memory, summed as type T in the order of the ranks. */
template <class M, class T, class LOAD, class STORE>
static void reduce_as(const std::vector<const char *> &in, size_t n, int op, char *out, LOAD load,
                      STORE store) {
  for (size_t i = 0; i < n; i++) {
    T sum = load(((const M *)in[0])[i]);
    for (size_t r = 1; r < in.size(); r++) sum = combine<T>(op, sum, load(((const M *)in[r])[i]));
    if (op == ncclAvg) sum = (T)(sum / (T)in.size());
    ((M *)out)[i] = store(sum);
  }
}
template <class T>
static void reduce_plain(const std::vector<const char *> &in, size_t n, int op, char *out) {
  reduce_as<T, T>(
      in, n, op, out, [](T v) { return v; }, [](T v) { return v; });
}
static void reduce_arrays(const std::vector<const char *> &in, size_t n, int type, int op,
                          char *out) {
  switch (type) {
  case ncclInt8: return reduce_plain<int8_t>(in, n, op, out);
  case ncclUint8: return reduce_plain<uint8_t>(in, n, op, out);
  case ncclInt32: return reduce_plain<int32_t>(in, n, op, out);
  case ncclInt64: return reduce_plain<int64_t>(in, n, op, out);
  case ncclFloat32: return reduce_plain<float>(in, n, op, out);
  case ncclFloat64: return reduce_plain<double>(in, n, op, out);
  case ncclFloat16: return reduce_as<uint16_t, float>(in, n, op, out, pti_f16_load, pti_f16_store);
  default: return reduce_as<uint16_t, float>(in, n, op, out, pti_bf16_load, pti_bf16_store);
  }
}

static bool inside(const char *what, const char *p, size_t bytes) {
  if (bytes == 0 || owner(p, bytes)) return true;
  report(cudaErrorIllegalAddress, "nccl: %s of %zu bytes at %p is not inside a live block", what,
         bytes, (const void *)p);
  return false;
}

static size_t in_bytes(const part &p, size_t ranks) {
  return p.n * size_of(p.type) * (p.kind == REDUCE_SCATTER ? ranks : 1);
}

static std::vector<char> reduced(const collective &c, size_t from, size_t n) {
  const part &first = c.parts[0];
  size_t size = size_of(first.type);
  std::vector<const char *> in;
  std::vector<char> out(n * size);
  for (const part &p : c.parts) in.push_back(p.in + from * size);
  if (n) reduce_arrays(in, n, first.type, first.op, out.data());
  return out;
}

/* The k-th piece that rank `to` receives from a rank is the k-th that this one sends to it. */
static bool exchange(collective &c, size_t to) {
  std::map<int, size_t> seen;
  for (const piece &want : c.parts[to].recvs) {
    size_t skip = seen[want.peer]++;
    const piece *got = NULL;
    for (const piece &s : c.parts[(size_t)want.peer].sends) {
      if (s.peer == (int)to && skip-- == 0) {
        got = &s;
        break;
      }
    }
    if (got == NULL || got->bytes != want.bytes) {
      report(cudaErrorLaunchFailure,
             "nccl: rank %zu receives %zu bytes from rank %d, which sends %zu", to, want.bytes,
             want.peer, got ? got->bytes : (size_t)0);
      return false;
    }
    c.results[to].insert(c.results[to].end(), got->p, got->p + got->bytes);
  }
  return true;
}

static bool compute(collective &c) {
  const part &first = c.parts[0];
  size_t ranks = c.parts.size(), n = first.n, size = size_of(first.type);
  for (const part &p : c.parts) {
    if (p.kind != EXCHANGE && !inside("input", p.in, in_bytes(p, ranks))) return false;
    for (const piece &s : p.sends) {
      if (!inside("a piece sent", s.p, s.bytes)) return false;
    }
  }
  for (size_t r = 0; r < ranks; r++) {
    std::vector<char> &to = c.results[r];
    switch (first.kind) {
    case ALL_REDUCE: to = r ? c.results[0] : reduced(c, 0, n); break;
    case REDUCE:
      if ((int)r == first.root) to = reduced(c, 0, n);
      break;
    case REDUCE_SCATTER: to = reduced(c, r * n, n); break;
    case BROADCAST: {
      const char *from = c.parts[(size_t)first.root].in;
      to.assign(from, from + n * size);
      break;
    }
    case ALL_GATHER:
      for (const part &p : c.parts) to.insert(to.end(), p.in, p.in + n * size);
      break;
    default:
      if (!exchange(c, r)) return false;
    }
  }
  return true;
}

/* One rank's turn in its stream; sim_lock is held. */
static void run(void *ud) {
  std::unique_ptr<turn> t((turn *)ud);
  collective &c = *t->c;
  const part &p = c.parts[(size_t)t->rank];
  std::vector<char> &result = c.results[(size_t)t->rank];
  if (!c.computed && !sticky && !compute(c)) return;
  c.computed = true;
  if (sticky) return;
  std::vector<piece> to = p.recvs;
  if (p.kind != EXCHANGE) to.push_back({p.out, result.size(), 0});
  size_t at = 0;
  for (const piece &q : to) {
    if (q.bytes == 0) continue;
    if (!inside("output", q.p, q.bytes)) return;
    memcpy(q.p, result.data() + at, q.bytes);
    mark(q.p, q.bytes, WRITTEN);
    at += q.bytes;
  }
}

/* ---- calls; nccl_lock is held ---- */

static ncclResult_t advance(ncclComm_t comm) {
  world &w = *comm->w;
  if (w.broken != ncclSuccess) return w.broken;
  if (w.joined < w.size) return ncclInProgress;
  if (!comm->pending) return ncclSuccess;
  if (comm->pending->arrived < w.size) return ncclInProgress;
  const part &mine = comm->pending->parts[(size_t)comm->rank];
  for (const part &p : comm->pending->parts) {
    if (cudaStreamWaitEvent(mine.stream, p.before, 0) != cudaSuccess) return ncclUnhandledCudaError;
  }
  turn *t = new turn{comm->pending, comm->rank};
  comm->pending.reset();
  if (cudaLaunchHostFunc(mine.stream, run, t) == cudaSuccess) return ncclSuccess;
  delete t;
  return ncclUnhandledCudaError;
}

static ncclResult_t submit(ncclComm_t comm, part p) {
  std::lock_guard<std::mutex> guard(nccl_lock);
  world &w = *comm->w;
  if (w.broken != ncclSuccess) return w.broken;
  if (comm->pending)
    return refuse(w, ncclInvalidUsage, "a call while the one before is in progress");
  if (cudaEventCreateWithFlags(&p.before, cudaEventDisableTiming) != cudaSuccess ||
      cudaEventRecord(p.before, p.stream) != cudaSuccess)
    return ncclUnhandledCudaError;
  std::shared_ptr<collective> &c = w.calls[comm->calls];
  if (!c) c = std::make_shared<collective>(w.size);
  for (const part &other : c->parts) {
    if (other.before &&
        (other.kind != p.kind || other.n != p.n || other.type != p.type || other.op != p.op ||
         other.root != p.root)) {
      cudaEventDestroy(p.before);
      return refuse(w, ncclInvalidUsage, "ranks make different calls");
    }
  }
  c->parts[(size_t)comm->rank] = p;
  c->arrived++;
  comm->pending = c;
  if (c->arrived == w.size) w.calls.erase(comm->calls);
  comm->calls++;
  return advance(comm);
}

/* ---- the library ---- */

const char *ncclGetErrorString(ncclResult_t r) {
  static const char *const text[] = {"no error",
                                     "unhandled cuda error",
                                     "unhandled system error",
                                     "internal error",
                                     "invalid argument",
                                     "invalid usage",
                                     "remote process exited or there was a network error",
                                     "NCCL operation in progress"};
  return text[r];
}
const char *ncclGetLastError(ncclComm_t comm) {
  static thread_local std::string text;
  if (comm == NULL) return "";
  std::lock_guard<std::mutex> guard(nccl_lock);
  text = comm->w->why;
  return text.c_str();
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id) {
  static unsigned count;
  std::lock_guard<std::mutex> guard(nccl_lock);
  memset(id, 0, sizeof *id);
  snprintf(id->internal, sizeof id->internal, "process %d, communicator %u", (int)getpid(),
           ++count);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t *config) {
  std::string key = id.internal;
  char here[64];
  snprintf(here, sizeof here, "process %d,", (int)getpid());
  if (size < 1 || rank < 0 || rank >= size || config->blocking != 0) return ncclInvalidArgument;
  if (key.rfind(here, 0) != 0)
    return ncclSystemError; /* from another process: there is no network */
  std::lock_guard<std::mutex> guard(nccl_lock);
  std::shared_ptr<world> &w = worlds[key];
  if (!w) {
    w = std::make_shared<world>();
    w->size = size;
    w->device.assign((size_t)size, -1);
  }
  if (w->size != size || w->device[(size_t)rank] >= 0) return ncclInvalidArgument;
  for (int d : w->device) {
    if (d == current_device())
      refuse(*w, ncclInvalidUsage, "two ranks are on device " + std::to_string(d));
  }
  w->device[(size_t)rank] = current_device();
  w->joined++;
  *comm = new ncclComm{key, w, rank, 0, nullptr};
  if (w->joined == size) worlds.erase(key);
  return advance(*comm) == ncclSuccess ? ncclSuccess : ncclInProgress; /* errors come later */
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *now) {
  std::lock_guard<std::mutex> guard(nccl_lock);
  *now = advance(comm);
  return ncclSuccess;
}
ncclResult_t ncclCommFinalize(ncclComm_t) { return ncclSuccess; }
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  std::lock_guard<std::mutex> guard(nccl_lock);
  delete comm;
  return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t comm) {
  std::lock_guard<std::mutex> guard(nccl_lock);
  refuse(*comm->w, ncclRemoteError, "rank " + std::to_string(comm->rank) + " gave up");
  worlds.erase(comm->id);
  delete comm;
  return ncclSuccess;
}

static part call_of(int kind, const void *in, void *out, size_t n, int type, int op, int root,
                    cudaStream_t s) {
  return {kind, type, op, root, n, (const char *)in, (char *)out, {}, {}, s, NULL};
}
ncclResult_t ncclAllReduce(const void *in, void *out, size_t n, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t s) {
  return submit(comm, call_of(ALL_REDUCE, in, out, n, type, op, 0, s));
}
ncclResult_t ncclReduce(const void *in, void *out, size_t n, ncclDataType_t type, ncclRedOp_t op,
                        int root, ncclComm_t comm, cudaStream_t s) {
  return submit(comm, call_of(REDUCE, in, out, n, type, op, root, s));
}
ncclResult_t ncclReduceScatter(const void *in, void *out, size_t n, ncclDataType_t type,
                               ncclRedOp_t op, ncclComm_t comm, cudaStream_t s) {
  return submit(comm, call_of(REDUCE_SCATTER, in, out, n, type, op, 0, s));
}
ncclResult_t ncclBroadcast(const void *in, void *out, size_t n, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t s) {
  return submit(comm, call_of(BROADCAST, in, out, n, type, 0, root, s));
}
ncclResult_t ncclAllGather(const void *in, void *out, size_t n, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t s) {
  return submit(comm, call_of(ALL_GATHER, in, out, n, type, 0, 0, s));
}

/* Messages come in groups only. */
static ncclResult_t message(ncclComm_t comm, std::vector<piece> part::*list, const void *p,
                            size_t bytes, int peer, cudaStream_t s) {
  if (open_group.depth == 0 || (open_group.comm && open_group.comm != comm))
    return ncclInvalidUsage;
  if (peer < 0 || peer >= comm->w->size) return ncclInvalidArgument;
  if (open_group.comm == NULL) open_group.p = call_of(EXCHANGE, NULL, NULL, 0, ncclUint8, 0, 0, s);
  open_group.comm = comm;
  (open_group.p.*list).push_back({(char *)p, bytes, peer});
  return ncclSuccess;
}
ncclResult_t ncclSend(const void *in, size_t n, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t s) {
  return message(comm, &part::sends, in, n * size_of(type), peer, s);
}
ncclResult_t ncclRecv(void *out, size_t n, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t s) {
  return message(comm, &part::recvs, out, n * size_of(type), peer, s);
}
ncclResult_t ncclGroupStart(void) {
  open_group.depth++;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd(void) {
  if (open_group.depth == 0) return ncclInvalidUsage;
  if (--open_group.depth > 0 || open_group.comm == NULL) return ncclSuccess;
  ncclComm_t comm = open_group.comm;
  open_group.comm = NULL;
  return submit(comm, std::move(open_group.p));
}
