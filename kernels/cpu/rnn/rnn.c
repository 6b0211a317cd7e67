/* rnn.c: one layer and direction of an LSTM, GRU or plain RNN over a whole sequence. Sequences of
   uneven length are packed: step t has batch[t] rows, sorted so that longer ones come first; a
   dense batch has the same number at every step. A running state (n, h) is updated for the rows
   that a step has; rows that ended keep theirs, rows that have not begun (going backward in time)
   still hold the initial one.

   x_gates (rows, gates h) is x w_ih' + b_ih, made by one product for all steps; saved (rows, 4 h)
   keeps what the gradient needs: LSTM i f g o; GRU r z n and the recurrent part of n; RNN nothing
   beyond y. */
#include "../nn_loops.h"
#include "../cpu_slots.h"
#include "../product/product.h"

/* ---- the product that each step has, by weights that stay: they are packed once ---- */

/* Steps, and rows of them, for which packing pays. */
enum { MANY_STEPS = 4, MANY_ROWS = 16 };

typedef struct recurrent {
  product p;
  void *packed;
  size_t bytes;
} recurrent;

/* c (n, gates h) = a w_hh', or, back, c (n, h) = a w_hh + beta c. */
static bool recurrent_open(recurrent *r, const pti_rnn *p, const void *w, bool back, double beta) {
  int64_t width = p->h * gates_of(p);
  *r = (recurrent){.p = {.batch = 1, .m = p->n, .dtype = p->dtype}};
  r->p.n = r->p.ldc = back ? p->h : width;
  r->p.k = back ? width : p->h;
  r->p.b = pti_product_matrix(p->dtype, w, p->h, !back, 0);
  r->p.end = (product_end){.alpha = 1, .beta = beta, .activation = -1};
  if (p->t < MANY_STEPS || p->n < MANY_ROWS || r->p.n == 0 || r->p.k == 0) return true;
  r->p.b.packed = r->packed = pti_product_pack(&r->p, true, &r->bytes);
  return r->packed != NULL;
}

/* a (rows, k) dense. */
static bool recurrent_run(recurrent *r, int64_t rows, const void *a, void *c) {
  r->p.m = rows;
  r->p.a = pti_product_matrix(r->p.dtype, a, r->p.k, true, 0);
  r->p.c = c;
  return pti_product_run(&r->p);
}

static void recurrent_close(recurrent *r) {
  if (r->packed) pti_cpu_host->free(r->packed, r->bytes);
}

/* ---- the slots ---- */

static int64_t row_grain(const pti_rnn *p) {
  return p->h >= 2048 ? 1 : 2048 / (p->h > 0 ? p->h : 1);
}

/* The order of time: step s of the walk is time t, whose rows begin at `*row`. */
static int64_t step_rows(const pti_rnn *p, int64_t s, int64_t *row) {
  int64_t t = p->reverse ? p->t - 1 - s : s, at = 0;
  for (int64_t i = 0; i < t && p->batch; i++) at += p->batch[i];
  *row = p->batch ? at : t * p->n;
  return p->batch ? p->batch[t] : p->n;
}

bool pti_cpu_rnn(int dev, const pti_rnn *p, const pti_rnn_data *d) {
  (void)dev;
  size_t size = p->dtype == PT_F64 ? 8 : 4, bytes = (size_t)(p->n * p->h * gates_of(p)) * size;
  rnn_job j = {.p = p, .d = d};
  recurrent r;
  bool ok = recurrent_open(&r, p, d->w_hh, false, 0);
  ok = ok && (j.pre = pti_cpu_host->alloc(bytes)) != NULL;
  for (int64_t s = 0; s < p->t && ok && pti_cpu_host->poll(); s++) {
    j.n = step_rows(p, s, &j.row);
    ok = recurrent_run(&r, j.n, d->hn, j.pre);
    pti_cpu_host->parallel_for(j.n, row_grain(p), pti_cpu_nn_now()->rnn[p->dtype == PT_F64], &j);
  }
  if (j.pre) pti_cpu_host->free(j.pre, bytes);
  recurrent_close(&r);
  return ok && pti_cpu_host->poll();
}

bool pti_cpu_rnn_grad(int dev, const pti_rnn *p, const pti_rnn_data *d) {
  (void)dev;
  size_t size = p->dtype == PT_F64 ? 8 : 4, width = (size_t)(p->h * gates_of(p));
  rnn_job j = {.p = p, .d = d, .dh = d->g_h0, .dc = d->g_c0};
  recurrent r; /* rows of the state: what the gates pass on, beside what the GRU's z carried over */
  bool ok = recurrent_open(&r, p, d->w_hh, true, p->kind == PTI_GRU ? 1 : 0);
  for (int64_t s = p->t - 1; s >= 0 && ok && pti_cpu_host->poll(); s--) {
    j.n = step_rows(p, s, &j.row);
    pti_cpu_host->parallel_for(j.n, row_grain(p), pti_cpu_nn_now()->rnn_grad[p->dtype == PT_F64],
                               &j);
    ok = recurrent_run(&r, j.n, (char *)d->g_pre + (size_t)j.row * width * size, d->g_h0);
  }
  recurrent_close(&r);
  return ok && pti_cpu_host->poll();
}
