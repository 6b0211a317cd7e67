/* comm.h: ranks that compute together. A comm is one rank's end of a job: a transport, a queue of collectives, and a
   thread that runs the queue while the rank computes. A caller who waits runs the queue as well, so a call that is
   not overlapped with anything never changes threads.

   All is bytes and dtypes here; tensors are kept alive by the caller until a work is over. */
#ifndef PTI_COMM_H
#define PTI_COMM_H

#include <stdatomic.h>

#include "base.h"
#include "transport.h"

typedef struct pti_comm pti_comm;

/* A message's tag holds the group, what the message is for, and a tag of the script's: 23 bits, which every MPI has. */
enum { PTI_MAX_GROUP = 1 << 10, PTI_MAX_TAG = (1 << 10) - 1 };

/* A group's end of the collectives between devices. */
typedef struct pti_device_end {
  void *end, *stream; /* what is added up or moved goes through this stream; NULL end: it failed */
} pti_device_end;

/* The ranks of a collective, by their numbers in the job, in ascending order. Lives as long as the comm. */
typedef struct pti_group {
  int id;                 /* the same on all its ranks */
  int n, me;              /* me: this rank's place in rank[], or -1 */
  pti_device_end *device; /* NULL: all goes through the memory of the CPU */
  int rank[];             /* n of them */
} pti_group;

typedef enum {
  PTI_WORK_REDUCE,
  PTI_WORK_EXCHANGE,
  PTI_WORK_BROADCAST,
  PTI_WORK_SEND,
  PTI_WORK_RECV
} pti_work_kind;
typedef enum { PTI_QUEUED, PTI_RUNNING, PTI_DONE, PTI_FAILED } pti_work_state;

/* One collective or message. Fields below `code` are the caller's to fill in. */
typedef struct pti_work {
  _Atomic int state; /* pti_work_state */
  struct pti_work *next;
  void *request; /* of a message under way */
  void *mark;    /* of a collective between devices: the place in the stream where it is over */
  double started, ended; /* as pt_clock has it */
  pt_status code;        /* of a failure */
  char error[480];

  pti_work_kind kind;
  int device; /* where the memory is; 0: the CPU */
  bool
      gathers; /* EXCHANGE between devices: in[0] goes to all, to[0] holds the places of all ranks */
  char name[24]; /* for messages: "all_reduce" */
  const pti_group *group;
  int peer; /* place of the root in the group, or of the other side of a message (-1: any sender) */
  int tag;  /* of a message */
  /* REDUCE: count elements of dtype are in[r] for each r, the last ones perhaps fewer (total elements from in[0] on,
     where they are pieces of one array); the sum of in[me] of all ranks goes to out, and from there as `spread` says. */
  pt_dtype dtype;
  pti_comm_op op;
  pti_spread spread;
  bool library; /* the transport's own order of the sum will do */
  int64_t count, total;
  void *out;
  /* EXCHANGE: in[r] goes to r, what comes from r into to[r]; NULL: nothing. Otherwise in[0], nin[0] are the memory. */
  void **in, **to;
  size_t *nin, *nto;
} pti_work;

/* Joins a job: "inproc", or what a plug-in brings. */
pti_comm *pti_comm_open(const char *backend, pti_join *join);
/* Ends it; works that are under way fail. failed: this rank gave up, and the others may hang. */
void pti_comm_close(pti_comm *c, bool failed);
int pti_comm_rank(const pti_comm *c);
int pti_comm_size(const pti_comm *c);
/* Place and number of ranks on this host, and the threads that are this rank's share of it. */
int pti_comm_local(const pti_comm *c, int *size, int *threads);
/* From now on this process uses its share, unless it was told otherwise. */
void pti_comm_share_cores(const pti_comm *c);
void pti_comm_set_timeout(pti_comm *c, double seconds);
/* From now on new groups have collectives between devices, by a plug-in ("nccl"); this rank's device is the one named. */
bool pti_comm_use_device(pti_comm *c, const char *plugin, const char *device);
/* That device's number, or 0; whether sums of this kind are done there. */
int pti_comm_device(const pti_comm *c);
bool pti_comm_device_can(const pti_comm *c, pt_dtype dtype, pti_comm_op op);
/* The others hear of it, where the transport can tell them. */
void pti_comm_tell_failure(pti_comm *c, const char *why);

/* rank[]: ascending. The groups of all ranks are made in the same order. NULL on failure. */
const pti_group *pti_comm_group(pti_comm *c, const int *rank, int n);

/* A work with room for the ranks of its group, to be filled in. */
pti_work *pti_work_new(const char *name, const pti_group *group);
void pti_work_free(pti_work *w); /* only once it is over or was never started */
bool pti_work_start(pti_comm *c, pti_work *w);
/* 1: over, and well; 0: not yet (after `seconds`); -1: it failed, with the reason recorded. */
int pti_work_wait(pti_comm *c, pti_work *w, double seconds);
static inline bool pti_work_over(const pti_work *w) { return atomic_load(&w->state) >= PTI_DONE; }

/* ---- between the files of comm/ ---- */

/* dst = src[0] op src[1] op ... src[n - 1], in this order, each n elements; dst may be one of them. The sum of halves is
   rounded once. (reduce.c) */
bool pti_comm_reduce(void *dst, void *const *src, int nsrc, int64_t n, pt_dtype dtype,
                     pti_comm_op op);
/* Runs a collective; the driver's lock is held. (collective.c) */
bool pti_collective_run(pti_comm *c, pti_work *w);
/* What comm.c knows and collective.c needs. */
const pti_transport *pti_comm_transport(const pti_comm *c, void **end);
/* Called in waits: makes progress with messages, pauses, and fails when the time is over or a stop is asked for.
   `waited` counts the calls since something last happened. */
bool pti_comm_idle(pti_comm *c, const pti_work *w, int waited);
extern const pti_transport pti_inproc;
/* Ends a work, with the thread's error where it failed. Whether it has had its time, which is then the error. */
void pti_comm_end(pti_comm *c, pti_work *w, bool ok);
bool pti_comm_late(const pti_comm *c, const pti_work *w);
extern const pti_transport_host pti_comm_host;
/* What to do about a backend that is not there. */
const char *pti_comm_install_hint(const char *backend);

/* Collectives between devices (device.c). All is called by the rank's own thread. */
typedef struct pti_comm_devices {
  const pti_collectives *t; /* NULL: none */
  int device;
  pti_work *under_way;
} pti_comm_devices;
pti_comm_devices *pti_comm_devices_of(pti_comm *c);
bool pti_device_join(pti_comm *c, pti_group *g);
void pti_device_leave(pti_comm *c, pti_group *g, bool failed);
bool pti_device_start(pti_comm *c, pti_work *w);
/* At most so many seconds: 1: it is over, and well or not; 0: not yet; -1: interrupted. */
int pti_device_wait(pti_comm *c, pti_work *w, double seconds);

#endif
