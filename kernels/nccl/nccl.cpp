/* nccl.cpp: collectives between GPUs by NVIDIA's NCCL: the plug-in libptlua_nccl.so. The communicators do not block: a
   call that waits for another rank returns, and `state` says when it is in its stream. Built against kernels/sim/nccl.h
   the same source serves the simulated device. */
#include <nccl.h>
#include <string.h>
#include <time.h>

#include "dtype.h"
#include "transport.h"

#ifdef SIM_NCCL_H
#define DEVICE "sim"
#else
#define DEVICE "cuda"
#endif

static const pti_transport_host *host;

struct endpoint {
  ncclComm_t comm;
};

static bool failed(ncclResult_t r, ncclComm_t comm, const char *what) {
  const char *more = ncclGetLastError(comm);
  host->fail(PT_EDEVICE, "%s: %s%s%s", what, ncclGetErrorString(r), more && *more ? ": " : "",
             more ? more : "");
  return false;
}
/* Whether a call was accepted; it need not be done. */
static bool taken(ncclResult_t r, ncclComm_t comm, const char *what) {
  return r == ncclSuccess || r == ncclInProgress || failed(r, comm, what);
}

/* ---- joining ---- */

static bool new_id(unsigned char *to) {
  ncclUniqueId id;
  static_assert(sizeof id <= PTI_COLLECTIVES_ID, "an id fits");
  if (!taken(ncclGetUniqueId(&id), NULL, "ncclGetUniqueId")) return false;
  memcpy(to, &id, sizeof id);
  return true;
}

static void *join(const unsigned char *from, int rank, int size) {
  ncclUniqueId id;
  memcpy(&id, from, sizeof id);
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  endpoint *e = new endpoint{NULL};
  if (taken(ncclCommInitRankConfig(&e->comm, size, id, rank, &config), NULL,
            "ncclCommInitRankConfig"))
    return e;
  delete e;
  return NULL;
}

static int state(void *end) {
  ncclComm_t comm = ((endpoint *)end)->comm;
  ncclResult_t now = ncclSuccess, r = ncclCommGetAsyncError(comm, &now);
  if (r != ncclSuccess) now = r;
  if (now == ncclSuccess) return 1;
  return now == ncclInProgress ? 0 : (failed(now, comm, "NCCL"), -1);
}

/* The others may be slow to leave, but this does not wait forever. */
static void leave(void *end, bool fail) {
  endpoint *e = (endpoint *)end;
  ncclResult_t r = fail ? ncclSystemError : ncclCommFinalize(e->comm);
  for (int ms = 0; r == ncclInProgress && ms < 10000; ms++) {
    struct timespec t = {0, 1000000};
    nanosleep(&t, NULL);
    if (ncclCommGetAsyncError(e->comm, &r) != ncclSuccess) r = ncclSystemError;
  }
  if (r == ncclSuccess) ncclCommDestroy(e->comm);
  else ncclCommAbort(e->comm);
  delete e;
}

/* ---- types ---- */

/* Complex numbers are summed as pairs; truth values, 0 or 1, have "any" and "all" for sum and product. */
static bool type_of(pt_dtype dtype, pti_comm_op op, ncclDataType_t *type, size_t *parts) {
  bool adds = op == PTI_COMM_SUM || op == PTI_COMM_AVG;
  *parts = 1;
  switch (dtype) {
  case PT_F32: return *type = ncclFloat32, true;
  case PT_F64: return *type = ncclFloat64, true;
  case PT_F16: return *type = ncclFloat16, true;
  case PT_BF16: return *type = ncclBfloat16, true;
  case PT_I64: return *type = ncclInt64, true;
  case PT_I32: return *type = ncclInt32, true;
  case PT_I8: return *type = ncclInt8, true;
  case PT_U8:
  case PT_BOOL: return *type = ncclUint8, true;
  case PT_C64: return *type = ncclFloat32, *parts = 2, adds;
  case PT_C128: return *type = ncclFloat64, *parts = 2, adds;
  default: return false; /* NCCL has no int16 */
  }
}
static bool can(pt_dtype dtype, pti_comm_op op) {
  ncclDataType_t type;
  size_t parts;
  return type_of(dtype, op, &type, &parts);
}
static ncclRedOp_t op_of(pt_dtype dtype, pti_comm_op op) {
  if (dtype == PT_BOOL) return op == PTI_COMM_SUM || op == PTI_COMM_MAX ? ncclMax : ncclMin;
  switch (op) {
  case PTI_COMM_AVG: return ncclAvg;
  case PTI_COMM_MIN: return ncclMin;
  case PTI_COMM_MAX: return ncclMax;
  case PTI_COMM_PROD: return ncclProd;
  default: return ncclSum;
  }
}

/* ---- collectives ---- */

static bool reduce(void *end, const pti_device_sum *s, void *stream_) {
  ncclComm_t comm = ((endpoint *)end)->comm;
  cudaStream_t stream = (cudaStream_t)stream_;
  ncclDataType_t type = ncclUint8;
  size_t parts = 1;
  type_of(s->dtype, s->op, &type, &parts);
  ncclRedOp_t op = op_of(s->dtype, s->op);
  size_t n = s->n * parts;
  switch (s->spread) {
  case PTI_SPREAD_ALL:
    return taken(ncclAllReduce(s->in, s->in, n, type, op, comm, stream), comm, "ncclAllReduce");
  case PTI_SPREAD_ROOT:
    return taken(ncclReduce(s->in, s->in, n, type, op, s->root, comm, stream), comm, "ncclReduce");
  default:
    return taken(ncclReduceScatter(s->in, s->out, n, type, op, comm, stream), comm,
                 "ncclReduceScatter");
  }
}

static bool broadcast(void *end, void *data, size_t bytes, int root, void *stream) {
  ncclComm_t comm = ((endpoint *)end)->comm;
  return taken(ncclBroadcast(data, data, bytes, ncclUint8, root, comm, (cudaStream_t)stream), comm,
               "ncclBroadcast");
}

static bool all_gather(void *end, const void *in, void *to, size_t bytes, void *stream) {
  ncclComm_t comm = ((endpoint *)end)->comm;
  return taken(ncclAllGather(in, to, bytes, ncclUint8, comm, (cudaStream_t)stream), comm,
               "ncclAllGather");
}

static bool exchange(void *end, int n, void *const *in, const size_t *nin, void *const *to,
                     const size_t *nto, void *stream_) {
  ncclComm_t comm = ((endpoint *)end)->comm;
  cudaStream_t stream = (cudaStream_t)stream_;
  if (!taken(ncclGroupStart(), comm, "ncclGroupStart")) return false;
  bool ok = true;
  for (int r = 0; ok && r < n; r++) {
    if (in[r] && nin[r])
      ok = taken(ncclSend(in[r], nin[r], ncclUint8, r, comm, stream), comm, "ncclSend");
    if (ok && to[r] && nto[r])
      ok = taken(ncclRecv(to[r], nto[r], ncclUint8, r, comm, stream), comm, "ncclRecv");
  }
  ncclResult_t r = ncclGroupEnd();
  return ok && taken(r, comm, "ncclGroupEnd");
}

extern "C" PT_API const pti_collectives *pt_collectives_open(int abi, const pti_transport_host *h);
extern "C" const pti_collectives *pt_collectives_open(int abi, const pti_transport_host *h) {
  static const pti_collectives table = {
      PTI_COLLECTIVES_ABI, DEVICE,     new_id,  join, state, leave, can, reduce,
      broadcast,           all_gather, exchange};
  if (abi != PTI_COLLECTIVES_ABI) return NULL;
  host = h;
  return &table;
}
