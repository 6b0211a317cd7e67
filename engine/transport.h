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

/* What a plug-in may call: it links with nothing of ours. */
typedef struct pti_transport_host {
  int abi;
  void *(*fail)(pt_status code, const char *format, ...); /* returns NULL */
} pti_transport_host;

/* How a job is joined. A transport that is told rank and size by its launcher writes them. */
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
  /* Sleeps until something may have changed, or so many seconds; NULL where only asking again helps. */
  void (*rest)(void *end, double seconds);
  /* Tells the others that this rank failed, and why; NULL where the launcher does. */
  void (*fail)(void *end, const char *why);
  /* The sum, by the library's own algorithm and in its own order, of n elements in place, as a request;
     NULL, with no error, for what it cannot do. The whole member may be NULL. */
  void *(*all_reduce)(void *end, void *data, size_t n, pt_dtype dtype);
} pti_transport;

typedef const pti_transport *pti_transport_opener(int abi, const pti_transport_host *host);

#endif
