/* mpi.c: ranks as processes, started by mpirun: the plug-in libptlua_mpi.so. MPI moves the messages; what they are for
   is not its business, except for the library's own all-reduce, which a job may ask for. All calls come from one thread
   at a time (the comm's `drive`), so MPI_THREAD_SERIALIZED suffices. */
#include <limits.h>
#include <mpi.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "transport.h"

static const pti_transport_host *host;
static MPI_Comm world; /* separate from MPI_COMM_WORLD, so that its tags are ours */

typedef struct request {
  MPI_Request q;
  size_t bytes; /* of a receive */
  int recv;
} request;

static void *failed(int code, const char *what) {
  char text[MPI_MAX_ERROR_STRING];
  int n = 0, class = MPI_ERR_OTHER;
  MPI_Error_string(code, text, &n);
  MPI_Error_class(code, &class);
  if (class == MPI_ERR_TRUNCATE)
    return host->fail(
        PT_ESHAPE,
        "more bytes came than were expected: the tensor of a rank has another shape or dtype, or "
        "it made another call");
  return host->fail(PT_EDEVICE, "%s: %s", what, text);
}

static void *join(pti_join *j) {
  int initialized = 0, finalized = 0, level = 0;
  MPI_Finalized(&finalized);
  if (finalized)
    return host->fail(PT_EDEVICE, "MPI has ended in this process, and begins only once");
  MPI_Initialized(&initialized);
  if (!initialized && MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level) != MPI_SUCCESS)
    return host->fail(PT_EDEVICE, "MPI does not start");
  MPI_Query_thread(&level);
  if (level < MPI_THREAD_SERIALIZED)
    return host->fail(
        PT_EDEVICE,
        "this MPI allows calls from its first thread only; MPI_THREAD_SERIALIZED is needed");
  int code = MPI_Comm_dup(MPI_COMM_WORLD, &world);
  if (code != MPI_SUCCESS) return failed(code, "MPI_Comm_dup");
  MPI_Comm_set_errhandler(world, MPI_ERRORS_RETURN);
  /* a rank whose mpirun was killed would wait for the others forever */
  if (getenv("OMPI_COMM_WORLD_SIZE")) prctl(PR_SET_PDEATHSIG, SIGKILL);
  MPI_Comm_rank(world, &j->rank);
  MPI_Comm_size(world, &j->size);
  return &world;
}

/* A rank that failed ends without MPI_Finalize: mpirun then ends the others, whereas MPI_Finalize would wait for them.
   */
static void leave(void *end, bool fail) {
  (void)end;
  if (fail) return;
  MPI_Comm_free(&world);
  MPI_Finalize();
}

static request *request_new(int recv, size_t bytes) {
  request *r = malloc(sizeof *r);
  if (r == NULL) return host->fail(PT_EMEMORY, "out of memory");
  *r = (request){.q = MPI_REQUEST_NULL, .recv = recv, .bytes = bytes};
  return r;
}
static void *started(request *r, int code, const char *what) {
  if (code == MPI_SUCCESS) return r;
  free(r);
  return failed(code, what);
}

static void *send(void *end, const void *data, size_t bytes, int to, int tag) {
  (void)end;
  request *r = request_new(0, bytes);
  return r ? started(r, MPI_Isend(data, (int)bytes, MPI_BYTE, to, tag, world, &r->q), "MPI_Isend")
           : NULL;
}
static void *recv(void *end, void *data, size_t bytes, int from, int tag) {
  (void)end;
  request *r = request_new(1, bytes);
  int source = from < 0 ? MPI_ANY_SOURCE : from;
  return r
      ? started(r, MPI_Irecv(data, (int)bytes, MPI_BYTE, source, tag, world, &r->q), "MPI_Irecv")
      : NULL;
}

static int test(void *end, void *request_, pti_arrival *a) {
  (void)end;
  request *r = request_;
  int done = 0, count = 0;
  MPI_Status status;
  int code = MPI_Test(&r->q, &done, &status);
  if (code != MPI_SUCCESS) {
    r->q = MPI_REQUEST_NULL;
    failed(code, "MPI_Test");
    return -1;
  }
  if (!done) return 0;
  if (r->recv) {
    MPI_Get_count(&status, MPI_BYTE, &count);
    *a = (pti_arrival){.from = status.MPI_SOURCE, .bytes = (size_t)count};
  }
  free(r);
  return 1;
}

static void cancel(void *end, void *request_) {
  (void)end;
  request *r = request_;
  if (r->recv && r->q != MPI_REQUEST_NULL) MPI_Cancel(&r->q);
  if (r->q != MPI_REQUEST_NULL) MPI_Request_free(&r->q);
  free(r);
}

static MPI_Datatype type_of(pt_dtype dtype) {
  switch (dtype) {
  case PT_F32: return MPI_FLOAT;
  case PT_F64: return MPI_DOUBLE;
  case PT_I64: return MPI_INT64_T;
  case PT_I32: return MPI_INT32_T;
  case PT_I16: return MPI_INT16_T;
  case PT_I8: return MPI_INT8_T;
  case PT_U8: return MPI_UINT8_T;
  case PT_C64: return MPI_C_FLOAT_COMPLEX;
  case PT_C128: return MPI_C_DOUBLE_COMPLEX;
  default: return MPI_DATATYPE_NULL; /* halves are summed in float by the engine */
  }
}

static void *all_reduce(void *end, void *data, size_t n, pt_dtype dtype) {
  (void)end;
  MPI_Datatype type = type_of(dtype);
  if (type == MPI_DATATYPE_NULL || n > INT_MAX) return NULL;
  request *r = request_new(0, 0);
  if (r == NULL) return NULL;
  int code = MPI_Iallreduce(MPI_IN_PLACE, data, (int)n, type, MPI_SUM, world, &r->q);
  return started(r, code, "MPI_Iallreduce");
}

static const pti_transport transport = {
    .abi = PTI_TRANSPORT_ABI,
    .name = "mpi",
    .join = join,
    .leave = leave,
    .send = send,
    .recv = recv,
    .test = test,
    .cancel = cancel,
    .all_reduce = all_reduce,
};

/* The entry. */
PT_API const pti_transport *pt_transport_open(int abi, const pti_transport_host *h);
const pti_transport *pt_transport_open(int abi, const pti_transport_host *h) {
  if (abi != PTI_TRANSPORT_ABI) return NULL;
  host = h;
  return &transport;
}
