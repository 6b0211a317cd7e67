/* inproc.c: threads of one process as ranks. A job is a hub, found by its name; each rank has a list of messages that
   came and one of receives that wait. Short messages are copied at once, as MPI does; a long one is copied by the
   receiver, straight to where it belongs. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comm/comm.h"

enum { EAGER = 64 << 10 };

typedef enum { WAITING, MATCHED, COPYING, COPIED, WITHDRAWN } stage;

typedef struct message {
  struct message *next;
  int from, tag;
  const void *data; /* the sender's, or `own` */
  void *own;
  size_t bytes;
  stage stage;
  bool sender_left; /* eager, or withdrawn: whoever receives it frees it */
} message;

typedef struct receive {
  struct receive *next;
  int from, tag;
  void *data;
  size_t bytes;
  message *got;
} receive;

typedef struct request {
  bool sends;
  union {
    message *m; /* NULL: an eager one, done */
    receive *r;
  };
  int me;
} request;

typedef struct mailbox {
  message *messages;
  receive *receives;
} mailbox;

typedef struct hub {
  struct hub *next;
  char name[64];
  int size, joined, left;
  bool *taken; /* ranks that joined */
  mailbox *box;
  pthread_cond_t news;
  uint64_t count; /* of what happened */
  bool failed;
  char why[400];
} hub;

typedef struct endpoint {
  hub *h;
  int rank;
  uint64_t seen;
} endpoint;

/* One lock for all hubs: it is never held while memory is copied. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static hub *hubs;

static void tell(hub *h) {
  h->count++;
  pthread_cond_broadcast(&h->news);
}

/* The lock is held. At most so many seconds. */
static void sleep_on(hub *h, double seconds) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += (long)(seconds * 1e9);
  if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
  pthread_cond_timedwait(&h->news, &lock, &t);
}

/* ---- joining ---- */

static void hub_free(hub *h) {
  for (int r = 0; r < h->size && h->box; r++) {
    for (message *m = h->box[r].messages, *next; m; m = next) {
      next = m->next;
      if (m->sender_left) free(m->own), free(m);
    }
  }
  pthread_cond_destroy(&h->news);
  free(h->taken);
  free(h->box);
  free(h);
}

static hub *hub_new(const pti_join *j) {
  hub *h = calloc(1, sizeof *h);
  if (h == NULL) return pti_fail(PT_EMEMORY, "out of memory");
  snprintf(h->name, sizeof h->name, "%s", j->name);
  h->size = j->size;
  h->taken = calloc((size_t)j->size, sizeof *h->taken);
  h->box = calloc((size_t)j->size, sizeof *h->box);
  pthread_cond_init(&h->news, NULL);
  if (h->taken == NULL || h->box == NULL) {
    hub_free(h);
    return pti_fail(PT_EMEMORY, "out of memory");
  }
  h->next = hubs;
  return hubs = h;
}

static void drop(hub *h) {
  for (hub **at = &hubs; *at; at = &(*at)->next) {
    if (*at != h) continue;
    *at = h->next;
    hub_free(h);
    return;
  }
}

/* The job with this name that still has room for this rank. */
static hub *find(const pti_join *j) {
  hub *h = hubs;
  while (h && (strcmp(h->name, j->name) != 0 || h->joined == h->size)) h = h->next;
  if (h == NULL) return hub_new(j);
  if (h->size != j->size)
    return pti_fail(PT_EARG, "rank %d says that the world has %d ranks, those before it %d",
                    j->rank, j->size, h->size);
  if (h->taken[j->rank]) return pti_fail(PT_EARG, "rank %d is taken already", j->rank);
  return h;
}

/* Until all are there. */
static bool await_all(hub *h, const pti_join *j) {
  double until = pt_clock() + j->timeout;
  while (h->joined < h->size && !h->failed) {
    sleep_on(h, 10e-3);
    if (h->joined == h->size || h->failed) break;
    if (!pti_poll()) return false;
    if (pt_clock() > until)
      return pti_refuse(PT_ETIME, "timed out after %g s; %d of %d ranks have come", j->timeout,
                        h->joined, h->size);
  }
  return !h->failed || pti_refuse(PT_EDEVICE, "%s", h->why);
}

static void leave_locked(hub *h, int rank) {
  h->taken[rank] = false;
  h->left++;
  if (h->left == h->joined && (h->joined == h->size || h->failed)) drop(h);
}

static void *join(pti_join *j) {
  if (j->size < 1 || j->rank < 0 || j->rank >= j->size)
    return pti_fail(PT_EARG, "rank %d of %d: ranks count from 0", j->rank, j->size);
  endpoint *e = calloc(1, sizeof *e);
  if (e == NULL) return pti_fail(PT_EMEMORY, "out of memory");
  pthread_mutex_lock(&lock);
  hub *h = find(j);
  bool ok = h != NULL;
  if (ok) {
    h->taken[j->rank] = true;
    h->joined++;
    tell(h);
    if (!(ok = await_all(h, j))) { /* nobody else may count on it */
      h->failed = true;
      if (!h->why[0]) snprintf(h->why, sizeof h->why, "rank %d gave up waiting", j->rank);
      tell(h);
      leave_locked(h, j->rank);
    }
  }
  pthread_mutex_unlock(&lock);
  *e = (endpoint){.h = h, .rank = j->rank};
  if (ok) return e;
  free(e);
  return NULL;
}

static void fail_job(void *end, const char *why) {
  endpoint *e = end;
  pthread_mutex_lock(&lock);
  if (!e->h->failed) snprintf(e->h->why, sizeof e->h->why, "rank %d failed: %s", e->rank, why);
  e->h->failed = true;
  tell(e->h);
  pthread_mutex_unlock(&lock);
}

static void leave(void *end, bool failed) {
  endpoint *e = end;
  if (failed) fail_job(end, "it left the job");
  pthread_mutex_lock(&lock);
  leave_locked(e->h, e->rank);
  pthread_mutex_unlock(&lock);
  free(e);
}

/* ---- messages ---- */

static bool fits(const receive *r, const message *m) {
  return (r->from < 0 || r->from == m->from) && r->tag == m->tag;
}

/* To the first receive that waits for it, or among those that came. */
static void deliver(mailbox *box, message *m) {
  for (receive **at = &box->receives; *at; at = &(*at)->next) {
    receive *r = *at;
    if (!fits(r, m)) continue;
    *at = r->next;
    r->got = m;
    m->stage = MATCHED;
    return;
  }
  message **last = &box->messages;
  while (*last) last = &(*last)->next;
  *last = m;
}

static void *send(void *end, const void *data, size_t bytes, int to, int tag) {
  endpoint *e = end;
  bool eager = bytes <= EAGER;
  request *q = calloc(1, sizeof *q);
  message *m = calloc(1, sizeof *m);
  void *own = eager && bytes ? malloc(bytes) : NULL;
  if (q == NULL || m == NULL || (eager && bytes && own == NULL)) {
    free(q);
    free(m);
    free(own);
    return pti_fail(PT_EMEMORY, "out of memory");
  }
  if (own) memcpy(own, data, bytes);
  *m = (message){.from = e->rank,
                 .tag = tag,
                 .data = own ? own : data,
                 .own = own,
                 .bytes = bytes,
                 .sender_left = eager};
  *q = (request){.sends = true, .m = eager ? NULL : m, .me = to};
  pthread_mutex_lock(&lock);
  deliver(&e->h->box[to], m);
  tell(e->h);
  pthread_mutex_unlock(&lock);
  return q;
}

static void *recv(void *end, void *data, size_t bytes, int from, int tag) {
  endpoint *e = end;
  request *q = calloc(1, sizeof *q);
  receive *r = calloc(1, sizeof *r);
  if (q == NULL || r == NULL) {
    free(q);
    free(r);
    return pti_fail(PT_EMEMORY, "out of memory");
  }
  *r = (receive){.from = from, .tag = tag, .data = data, .bytes = bytes};
  *q = (request){.r = r, .me = e->rank};
  pthread_mutex_lock(&lock);
  mailbox *box = &e->h->box[e->rank];
  message **at = &box->messages;
  while (*at && !fits(r, *at)) at = &(*at)->next;
  if (*at) {
    r->got = *at;
    r->got->stage = MATCHED;
    *at = r->got->next;
  } else {
    receive **last = &box->receives;
    while (*last) last = &(*last)->next;
    *last = r;
  }
  pthread_mutex_unlock(&lock);
  return q;
}

static void unlink_receive(mailbox *box, const receive *r) {
  for (receive **at = &box->receives; *at; at = &(*at)->next) {
    if (*at == r) {
      *at = r->next;
      return;
    }
  }
}
static void unlink_message(mailbox *box, const message *m) {
  for (message **at = &box->messages; *at; at = &(*at)->next) {
    if (*at == m) {
      *at = m->next;
      return;
    }
  }
}

/* The receiver is done with it. */
static void settle(hub *h, message *m) {
  pthread_mutex_lock(&lock);
  bool last = m->sender_left;
  m->stage = COPIED;
  tell(h);
  pthread_mutex_unlock(&lock);
  if (last) {
    free(m->own);
    free(m);
  }
}

/* 1: done, 0: not yet, -1: failed. A message that is ready is then COPYING. The lock is held. */
static int look(hub *h, const request *q) {
  if (q->sends) {
    if (q->m == NULL || q->m->stage == COPIED) return 1;
  } else if (q->r->got && q->r->got->stage != WITHDRAWN) {
    q->r->got->stage = COPYING;
    return 1;
  }
  return h->failed ? -1 : 0;
}

static int test(void *end, void *request_, pti_arrival *a) {
  endpoint *e = end;
  request *q = request_;
  pthread_mutex_lock(&lock);
  e->seen = e->h->count;
  int state = look(e->h, q);
  pthread_mutex_unlock(&lock);
  if (state < 0) pti_fail(PT_EDEVICE, "%s", e->h->why);
  if (state <= 0) return state;
  if (q->sends) {
    free(q->m);
  } else {
    message *m = q->r->got;
    *a = (pti_arrival){.from = m->from, .bytes = m->bytes};
    size_t n = m->bytes < q->r->bytes ? m->bytes : q->r->bytes;
    if (n) memcpy(q->r->data, m->data, n);
    settle(e->h, m);
    free(q->r);
  }
  free(q);
  return 1;
}

/* The message is free to go: taken back, or copied. The lock is held; a copy under way is waited for. */
static bool withdraw(endpoint *e, request *q) {
  message *m = q->m;
  if (m->stage == MATCHED) {
    m->stage = WITHDRAWN; /* who was about to receive it drops it */
    m->sender_left = true;
    return false;
  }
  if (m->stage == WAITING) unlink_message(&e->h->box[q->me], m);
  while (m->stage == COPYING) sleep_on(e->h, 10e-3);
  return true;
}

static void cancel(void *end, void *request_) {
  endpoint *e = end;
  request *q = request_;
  message *gone = NULL;
  pthread_mutex_lock(&lock);
  if (q->sends) {
    if (q->m && withdraw(e, q)) gone = q->m;
  } else if (q->r->got == NULL) {
    unlink_receive(&e->h->box[q->me], q->r);
  } else if (q->r->got->sender_left) {
    gone = q->r->got;
  } else {
    q->r->got->stage = COPIED; /* into nothing */
    tell(e->h);
  }
  pthread_mutex_unlock(&lock);
  if (gone) free(gone->own);
  free(gone);
  if (!q->sends) free(q->r);
  free(q);
}

static void rest(void *end, double seconds) {
  endpoint *e = end;
  pthread_mutex_lock(&lock);
  if (e->seen == e->h->count) sleep_on(e->h, seconds);
  pthread_mutex_unlock(&lock);
}

const pti_transport pti_inproc = {
    .abi = PTI_TRANSPORT_ABI,
    .name = "inproc",
    .join = join,
    .leave = leave,
    .send = send,
    .recv = recv,
    .test = test,
    .cancel = cancel,
    .rest = rest,
    .fail = fail_job,
};
