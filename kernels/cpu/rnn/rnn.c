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
  rnn_job j = {.p = p, .d = d, .pre = pti_cpu_host->alloc(bytes)};
  if (j.pre == NULL) return false;
  int64_t width = p->h * gates_of(p);
  for (int64_t s = 0; s < p->t && pti_cpu_host->poll(); s++) {
    j.n = step_rows(p, s, &j.row);
    pti_product(p->dtype, false, true, j.n, width, p->h, 1, d->hn, p->h, d->w_hh, p->h, 0, j.pre,
                width);
    pti_cpu_host->parallel_for(j.n, row_grain(p), pti_cpu_nn_now()->rnn[p->dtype == PT_F64], &j);
  }
  pti_cpu_host->free(j.pre, bytes);
  return pti_cpu_host->poll();
}

bool pti_cpu_rnn_grad(int dev, const pti_rnn *p, const pti_rnn_data *d) {
  (void)dev;
  int64_t width = p->h * gates_of(p);
  rnn_job j = {.p = p, .d = d, .dh = d->g_h0, .dc = d->g_c0};
  for (int64_t s = p->t - 1; s >= 0 && pti_cpu_host->poll(); s--) {
    j.n = step_rows(p, s, &j.row);
    size_t size = p->dtype == PT_F64 ? 8 : 4;
    pti_cpu_host->parallel_for(j.n, row_grain(p), pti_cpu_nn_now()->rnn_grad[p->dtype == PT_F64],
                               &j);
    /* rows of the state: what the gates pass on, beside what the GRU's z carried over */
    pti_product(p->dtype, false, false, j.n, p->h, width, 1,
                (char *)d->g_pre + (size_t)(j.row * width) * size, width, d->w_hh, p->h,
                p->kind == PTI_GRU ? 1 : 0, d->g_h0, p->h);
  }
  return pti_cpu_host->poll();
}
