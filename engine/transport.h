/* transport.h: what moves bytes between the ranks of a job. "inproc" (threads of one process) is built in
   (comm/inproc.c); others are plug-ins, libptlua_NAME.so (kernels/mpi), opened when a job is joined and never closed.
   A transport has no order of sums and no collectives: those are comm/collective.c's, the same over every transport. */
#ifndef PTI_TRANSPORT_H
#define PTI_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ptlua.h"

enum { PTI_TRANSPORT_ABI = 1 };
#define PTI_TRANSPORT_ENTRY "pt_transport_open"

/* What a plug-in may call: it does not link with the library. */
typedef struct pti_transport_host {
  int abi;
  void *(*fail)(pt_status code, const char *format, ...); /* returns NULL */
} pti_transport_host;

/* How a job is joined. A transport whose launcher sets rank and size fills them in. */
typedef struct pti_join {
  const char *name; /* of the job, where one process may hold several */
  int rank, size;
  double timeout;
} pti_join;

/* A message that was received. */
typedef struct pti_arrival {
  int from;
  size_t bytes;
} pti_arrival;

typedef struct pti_transport {
  int abi;
  const char *name;
  void *(*join)(pti_join *j); /* an endpoint; NULL on failure */
  void (*leave)(void *end,
                bool failed); /* failed: the others may never leave; do not wait for them */
  /* Start to move `bytes` and return a request, NULL on failure. Messages of one sender with one tag arrive in order.
     `from` -1: any sender. The memory is left alone until the request is done. */
  void *(*send)(void *end, const void *data, size_t bytes, int to, int tag);
  void *(*recv)(void *end, void *data, size_t bytes, int from, int tag);
  /* 1: done, and the request is gone; 0: not yet; -1: failed, with the reason recorded, and to be cancelled. */
  int (*test)(void *end, void *request, pti_arrival *a);
  void (*cancel)(void *end, void *request);
  /* Sleeps until something may have changed, or so many seconds; NULL where the caller must poll. */
  void (*rest)(void *end, double seconds);
  /* Tells the others that this rank failed, and why; NULL where the launcher does. */
  void (*fail)(void *end, const char *why);
  /* The sum, by the library's own algorithm and in its own order, of n elements in place, as a request;
     NULL, with no error, for what it cannot do. The whole member may be NULL. */
  void *(*all_reduce)(void *end, void *data, size_t n, pt_dtype dtype);
} pti_transport;

typedef const pti_transport *pti_transport_opener(int abi, const pti_transport_host *host);

/* ---- beside a transport: collectives between the memories of devices ---- */

typedef enum { PTI_COMM_SUM, PTI_COMM_AVG, PTI_COMM_MIN, PTI_COMM_MAX, PTI_COMM_PROD } pti_comm_op;
typedef enum {
  PTI_SPREAD_ALL,
  PTI_SPREAD_NONE,
  PTI_SPREAD_ROOT
} pti_spread; /* which ranks get a sum */

/* ALL, ROOT: n elements at `in`, summed up in place. NONE: n elements for each rank; this rank's sum goes to `out`. */
typedef struct pti_device_sum {
  pti_spread spread;
  pti_comm_op op;
  pt_dtype dtype;
  int root;
  size_t n;
  void *in, *out;
} pti_device_sum;

enum { PTI_COLLECTIVES_ABI = 1, PTI_COLLECTIVES_ID = 128 };
#define PTI_COLLECTIVES_ENTRY "pt_collectives_open"

/* A library that moves and sums data on devices, each call in the order of a stream: "nccl". The job's transport
   connects its ranks, and moves data on the CPU. false, NULL: after host->fail. */
typedef struct pti_collectives {
  int abi;
  const char *device; /* "cuda": the backend whose memory and streams these are */
  bool (*new_id)(unsigned char id[PTI_COLLECTIVES_ID]); /* of a group; its first rank makes it */
  /* This and the calls below may return before they are done with the host; then `state` says when they are, and
     nothing else may be called meanwhile. The device is the thread's current one. */
  void *(*join)(const unsigned char *id, int rank, int size);
  int (*state)(void *end); /* 1: the last call is in its stream; 0: not yet; -1: failed */
  void (*leave)(void *end, bool failed); /* failed: anything in progress is aborted */
  bool (*can)(pt_dtype dtype, pti_comm_op op);
  bool (*reduce)(void *end, const pti_device_sum *s, void *stream);
  bool (*broadcast)(void *end, void *data, size_t bytes, int root, void *stream);
  /* `bytes` of each rank go to all, to the place of the rank in `to`. */
  bool (*all_gather)(void *end, const void *in, void *to, size_t bytes, void *stream);
  /* in[r] goes to rank r, what comes from it to to[r]; NULL: nothing. */
  bool (*exchange)(void *end, int n, void *const *in, const size_t *nin, void *const *to,
                   const size_t *nto, void *stream);
} pti_collectives;

typedef const pti_collectives *pti_collectives_opener(int abi, const pti_transport_host *host);

#endif
