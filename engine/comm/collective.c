/* collective.c: collectives made of messages. A sum is cut into one slice for each rank: every rank sends each slice
   to the rank that it belongs to, which adds up what it received in the order of the ranks and sends the sum to all.
   That moves as many bytes as a ring does, in two steps instead of 2 (n - 1), and has one order of additions over
   every transport. Slices go in segments, the next one under way while this one is added up. A small array goes whole
   to every rank, and each adds it up in that order: one step, the same bits. */
#include <stdio.h>
#include <string.h>

#include "comm/comm.h"
#include "dtype.h"
#include "mem.h"

enum {
  SEGMENT = 1 << 20, /* bytes of a slice under way at once */
  LARGEST = 1 << 28, /* bytes of one message: libraries count in int */
  EAGER = 2 << 10,   /* bytes of a message that libraries send without asking first */
  DIRECT = 16 << 10, /* bytes that a rank sends of an array so small that steps count */
  TAG_REDUCE = 1,
  TAG_SPREAD, /* kinds of messages within a group; see tag_of */
  TAG_EXCHANGE,
  TAG_BROADCAST
};

/* Messages of a collective, or of a part of it, that are under way. */
typedef struct pending {
  void *request;
  size_t bytes;
  int rank;
  bool arrives;
} pending;
typedef struct batch {
  pending *v;
  int n, cap;
} batch;

typedef struct call {
  pti_comm *c;
  const pti_transport *t;
  void *end;
  pti_work *w;
  const pti_group *g;
} call;

static int tag_of(const call *k, int what) { return k->g->id * 8 + what; }

static void cancel(const call *k, batch *b) {
  for (int i = 0; i < b->n; i++) {
    if (b->v[i].request) k->t->cancel(k->end, b->v[i].request);
  }
  b->n = 0;
}
static void batch_free(const call *k, batch *b) {
  cancel(k, b);
  pti_free(b->v, (size_t)b->cap * sizeof *b->v);
  *b = (batch){0};
}

static pending *batch_add(batch *b) {
  if (b->n == b->cap) {
    int cap = b->cap ? 2 * b->cap : 16;
    pending *v = pti_alloc((size_t)cap * sizeof *v);
    if (v == NULL) return NULL;
    if (b->n) memcpy(v, b->v, (size_t)b->n * sizeof *v);
    pti_free(b->v, (size_t)b->cap * sizeof *b->v);
    b->v = v;
    b->cap = cap;
  }
  return &b->v[b->n++];
}

/* A message of any length to or from place `at` of the group; one without bytes is sent as well. */
static bool post(const call *k, batch *b, bool arrives, void *data, size_t bytes, int at,
                 int what) {
  int rank = k->g->rank[at], tag = tag_of(k, what);
  do {
    size_t some = bytes < LARGEST ? bytes : LARGEST;
    pending *p = batch_add(b);
    if (p == NULL) return false;
    *p = (pending){.bytes = some, .rank = rank, .arrives = arrives};
    p->request = arrives ? k->t->recv(k->end, data, some, rank, tag)
                         : k->t->send(k->end, data, some, rank, tag);
    if (p->request == NULL) {
      b->n--;
      return false;
    }
    data = (char *)data + some;
    bytes -= some;
  } while (bytes > 0);
  return true;
}

/* The ranks that are waited for: "rank 1", "ranks 1, 3". */
static const char *missing(const batch *b, char *text, size_t size) {
  size_t n = 0;
  int count = 0, last = -1;
  text[0] = 0;
  for (int i = 0; i < b->n; i++) {
    if (!b->v[i].request || b->v[i].rank == last) continue;
    last = b->v[i].rank;
    int added = snprintf(text + n, size - n, "%s%d", count++ ? ", " : "", last);
    if (added < 0 || (size_t)added >= size - n) break;
    n += (size_t)added;
  }
  return text;
}

static bool fitting(const pending *p, const pti_arrival *a) {
  if (!p->arrives || a->bytes == p->bytes) return true;
  return pti_refuse(
      PT_ESHAPE,
      "rank %d sent %zu bytes where %zu were expected: its tensor has another shape or dtype, or it "
      "made another call",
      p->rank, a->bytes, p->bytes);
}

/* Waits until all of a batch is done. */
static bool finish(const call *k, batch *b) {
  for (int waited = 0;; waited++) {
    int left = 0;
    for (int i = 0; i < b->n; i++) {
      pending *p = &b->v[i];
      if (p->request == NULL) continue;
      pti_arrival a = {0};
      int state = k->t->test(k->end, p->request, &a);
      if (state == 0) {
        left++;
        continue;
      }
      if (state < 0) return false;
      p->request = NULL;
      if (!fitting(p, &a)) return false;
      waited = 0;
    }
    if (left == 0) break;
    if (!pti_comm_idle(k->c, k->w, waited)) {
      if (pt_error_code() == PT_ETIME) {
        char why[64], text[128];
        snprintf(why, sizeof why, "%s", pt_error());
        pti_fail(PT_ETIME, "%s; waiting for rank %s", why, missing(b, text, sizeof text));
      }
      return false;
    }
  }
  b->n = 0;
  return true;
}

/* ---- sums ---- */

typedef struct sum {
  const call *k;
  size_t size;  /* of an element */
  int64_t step; /* elements of a segment */
  char *room;   /* two segments from each of the others */
  batch gather[2], spread[2];
} sum;

/* Elements of rank r's slice in the segment that begins at lo. */
static int64_t slice(const sum *s, int r, int64_t lo) {
  const pti_work *w = s->k->w;
  int64_t have = pti_min64(w->count, w->total - r * w->count);
  return pti_max64(0, pti_min64(s->step, have - lo));
}
static char *place(const sum *s, int r, int64_t lo) {
  return (char *)s->k->w->in[r] + (size_t)lo * s->size;
}
static char *received(const sum *s, int r, int turn) {
  return s->room + ((size_t)turn * (size_t)s->k->g->n + (size_t)r) * (size_t)s->step * s->size;
}

static bool post_segment(sum *s, int turn, int64_t lo) {
  const pti_group *g = s->k->g;
  int64_t mine = slice(s, g->me, lo);
  bool ok = true;
  for (int i = 1; ok && i < g->n && mine > 0; i++) {
    int r = (g->me + g->n - i) % g->n;
    ok = post(s->k, &s->gather[turn], true, received(s, r, turn), (size_t)mine * s->size, r,
              TAG_REDUCE);
  }
  for (int i = 1; ok && i < g->n; i++) {
    int r = (g->me + i) % g->n;
    int64_t n = slice(s, r, lo);
    if (n > 0)
      ok = post(s->k, &s->gather[turn], false, place(s, r, lo), (size_t)n * s->size, r, TAG_REDUCE);
  }
  return ok;
}

static bool add_segment(sum *s, int turn, int64_t lo) {
  const pti_work *w = s->k->w;
  const pti_group *g = s->k->g;
  int64_t n = slice(s, g->me, lo);
  if (n == 0) return true;
  void *few[16], **src = few;
  size_t bytes = (size_t)g->n * sizeof *src;
  if (g->n > (int)PTI_COUNT(few) && !(src = pti_alloc(bytes))) return false;
  for (int r = 0; r < g->n; r++) src[r] = r == g->me ? place(s, r, lo) : received(s, r, turn);
  bool ok = pti_comm_reduce((char *)w->out + (size_t)lo * s->size, src, g->n, n, w->dtype, w->op);
  if (src != few) pti_free(src, bytes);
  return ok;
}

/* Sends the sum to those who get it, to the place of the slice in their arrays. */
static bool spread_segment(sum *s, int turn, int64_t lo) {
  const pti_work *w = s->k->w;
  const pti_group *g = s->k->g;
  batch *b = &s->spread[turn];
  bool ok = finish(s->k, b);
  for (int i = 1; ok && i < g->n; i++) {
    int r = (g->me + g->n - i) % g->n, to = (g->me + i) % g->n;
    int64_t n = slice(s, r, lo), mine = slice(s, g->me, lo);
    if (n > 0 && (w->spread == PTI_SPREAD_ALL || g->me == w->peer))
      ok = post(s->k, b, true, place(s, r, lo), (size_t)n * s->size, r, TAG_SPREAD);
    if (ok && mine > 0 && (w->spread == PTI_SPREAD_ALL || to == w->peer))
      ok = post(s->k, b, false, (char *)w->out + (size_t)lo * s->size, (size_t)mine * s->size, to,
                TAG_SPREAD);
  }
  return ok;
}

static bool by_library(const call *k) {
  pti_work *w = k->w;
  if (!w->library || w->spread != PTI_SPREAD_ALL || w->op != PTI_COMM_SUM ||
      k->g->n != pti_comm_size(k->c) || !k->t->all_reduce)
    return false;
  return w->total <= INT32_MAX &&
      (w->request = k->t->all_reduce(k->end, w->in[0], (size_t)w->total, w->dtype)) != NULL;
}

/* A message in pieces that libraries send at once, without asking whether it may come. */
static bool post_eager(const call *k, batch *b, bool arrives, char *data, size_t bytes, int at) {
  bool ok = true;
  for (size_t lo = 0; ok && lo < bytes; lo += EAGER)
    ok = post(k, b, arrives, data + lo, bytes - lo < EAGER ? bytes - lo : EAGER, at, TAG_REDUCE);
  return ok;
}

/* A small array goes to all others at once, and everybody adds up all of it: one step instead of two, the same bits. */
static bool run_direct(const call *k, size_t bytes) {
  const pti_work *w = k->w;
  const pti_group *g = k->g;
  size_t list = (size_t)g->n * sizeof(void *), room = list + (size_t)g->n * bytes;
  void **src = pti_alloc(room);
  if (src == NULL) return false;
  batch b = {0};
  bool ok = true;
  for (int r = 0; r < g->n; r++)
    src[r] = r == g->me ? w->in[0] : (char *)src + list + (size_t)r * bytes;
  for (int i = 1; ok && i < g->n; i++) {
    int r = (g->me + g->n - i) % g->n;
    ok = post_eager(k, &b, true, src[r], bytes, r);
  }
  for (int i = 1; ok && i < g->n; i++)
    ok = post_eager(k, &b, false, w->in[0], bytes, (g->me + i) % g->n);
  ok = ok && finish(k, &b) && pti_comm_reduce(w->in[0], src, g->n, w->total, w->dtype, w->op);
  batch_free(k, &b);
  pti_free(src, room);
  return ok;
}

static bool run_reduce(const call *k) {
  pti_work *w = k->w;
  if (by_library(k)) {
    batch b = {0};
    pending *p = batch_add(&b);
    if (p) *p = (pending){.request = w->request, .rank = k->g->me};
    w->request = NULL;
    bool ok = p && finish(k, &b);
    batch_free(k, &b);
    return ok;
  }
  size_t bytes = (size_t)w->total * pt_dtype_size(w->dtype);
  if (w->spread == PTI_SPREAD_ALL && bytes > 0 && bytes * (size_t)(k->g->n - 1) <= DIRECT)
    return run_direct(k, bytes);
  sum s = {.k = k, .size = pt_dtype_size(w->dtype)};
  s.step = pti_max64(1, pti_min64(SEGMENT / (int64_t)s.size, w->count));
  size_t room = 2 * (size_t)k->g->n * (size_t)s.step * s.size;
  if (!(s.room = pti_alloc(room))) return false;
  bool ok = post_segment(&s, 0, 0);
  int turn = 0;
  for (int64_t lo = 0; ok && lo < w->count; lo += s.step, turn ^= 1) {
    if (w->count - lo > s.step) ok = post_segment(&s, turn ^ 1, lo + s.step);
    ok = ok && finish(k, &s.gather[turn]) && add_segment(&s, turn, lo);
    if (ok && w->spread != PTI_SPREAD_NONE) ok = spread_segment(&s, turn, lo);
  }
  for (int i = 0; i < 2; i++) {
    ok = ok && finish(k, &s.spread[i]);
    batch_free(k, &s.gather[i]);
    batch_free(k, &s.spread[i]);
  }
  pti_free(s.room, room);
  return ok;
}

/* ---- pieces to and from everybody ---- */

static bool run_exchange(const call *k) {
  const pti_work *w = k->w;
  const pti_group *g = k->g;
  batch b = {0};
  bool ok = true;
  for (int i = 1; ok && i < g->n; i++) {
    int r = (g->me + g->n - i) % g->n;
    if (w->to[r]) ok = post(k, &b, true, w->to[r], w->nto[r], r, TAG_EXCHANGE);
  }
  for (int i = 1; ok && i < g->n; i++) {
    int r = (g->me + i) % g->n;
    if (w->in[r]) ok = post(k, &b, false, w->in[r], w->nin[r], r, TAG_EXCHANGE);
  }
  if (ok && w->in[g->me] && w->to[g->me] && w->nin[g->me] > 0)
    memmove(w->to[g->me], w->in[g->me], w->nin[g->me]);
  ok = ok && finish(k, &b);
  batch_free(k, &b);
  return ok;
}

/* Along a binomial tree whose root is w->peer: in round k, the 2^k ranks that have it pass it on. */
static bool run_broadcast(const call *k) {
  const pti_work *w = k->w;
  const pti_group *g = k->g;
  int me = (g->me - w->peer + g->n) % g->n, have = 1;
  batch b = {0};
  bool ok = true;
  while (have <= me) have *= 2;
  if (me > 0) { /* from the rank that lacks my highest bit */
    int from = (me - have / 2 + w->peer) % g->n;
    ok = post(k, &b, true, w->in[0], w->nin[0], from, TAG_BROADCAST) && finish(k, &b);
  }
  for (; ok && me + have < g->n; have *= 2)
    ok = post(k, &b, false, w->in[0], w->nin[0], (me + have + w->peer) % g->n, TAG_BROADCAST);
  ok = ok && finish(k, &b);
  batch_free(k, &b);
  return ok;
}

bool pti_collective_run(pti_comm *c, pti_work *w) {
  call k = {.c = c, .w = w, .g = w->group};
  k.t = pti_comm_transport(c, &k.end);
  switch (w->kind) {
  case PTI_WORK_REDUCE: return run_reduce(&k);
  case PTI_WORK_EXCHANGE: return run_exchange(&k);
  default: return run_broadcast(&k);
  }
}
