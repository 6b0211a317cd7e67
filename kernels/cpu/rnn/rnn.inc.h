/* rnn.inc.h: one step's rows for one element type T; F(name) names them. */

static void F(squash)(T *x, int64_t n, pti_value op) {
  const void *in[] = {x};
  pti_cpu_now()->rows->value[op][COMPUTE](x, in, NULL, n);
}

/* c' = f c + i g, h' = o tanh(c'). s: i f g o. */
static void F(lstm_row)(const rnn_job *j, int64_t r, const T *x, const T *pre, T *s) {
  int64_t h = j->p->h, row = j->row + r;
  T *c = (T *)j->d->cn + r * h, *y = (T *)j->d->y + row * h, *hn = (T *)j->d->hn + r * h;
  T *cells = (T *)j->d->cells + row * h, *before = (T *)j->d->c_before + row * h;
  PTI_INDEPENDENT
  for (int64_t i = 0; i < 4 * h; i++) s[i] = x[i] + pre[i];
  F(squash)(s, 2 * h, PTI_VALUE_SIGMOID);
  F(squash)(s + 2 * h, h, PTI_VALUE_TANH);
  F(squash)(s + 3 * h, h, PTI_VALUE_SIGMOID);
  memcpy(before, c, (size_t)h * sizeof(T));
  PTI_INDEPENDENT
  for (int64_t i = 0; i < h; i++) c[i] = s[h + i] * c[i] + s[i] * s[2 * h + i];
  memcpy(cells, c, (size_t)h * sizeof(T)); /* tanh of the cell, which is all that backward reads */
  F(squash)(cells, h, PTI_VALUE_TANH);
  PTI_INDEPENDENT
  for (int64_t i = 0; i < h; i++) hn[i] = y[i] = s[3 * h + i] * cells[i];
}

/* h' = (1 - z) n + z h with n = tanh(x_n + r m), m the recurrent part. s: r z n m. */
static void F(gru_row)(const rnn_job *j, int64_t r, const T *x, const T *pre, T *s) {
  int64_t h = j->p->h, row = j->row + r;
  const T *b = (const T *)j->d->b_hh;
  T *y = (T *)j->d->y + row * h, *hn = (T *)j->d->hn + r * h;
  for (int64_t i = 0; i < 2 * h; i++) s[i] = x[i] + (pre[i] + (b ? b[i] : 0));
  F(squash)(s, 2 * h, PTI_VALUE_SIGMOID);
  for (int64_t i = 0; i < h; i++) {
    s[3 * h + i] = pre[2 * h + i] + (b ? b[2 * h + i] : 0);
    s[2 * h + i] = x[2 * h + i] + s[i] * s[3 * h + i];
  }
  F(squash)(s + 2 * h, h, PTI_VALUE_TANH);
  for (int64_t i = 0; i < h; i++) hn[i] = y[i] = (1 - s[h + i]) * s[2 * h + i] + s[h + i] * hn[i];
}

static void F(rnn)(void *ctx, int64_t lo, int64_t hi) {
  const rnn_job *j = ctx;
  int64_t h = j->p->h, gates = gates_of(j->p);
  for (int64_t r = lo; r < hi; r++) {
    int64_t row = j->row + r;
    const T *x = (const T *)j->d->x_gates + row * gates * h,
            *pre = (const T *)j->pre + r * gates * h;
    T *s = (T *)j->d->saved + row * 4 * h, *hn = (T *)j->d->hn + r * h, *y = (T *)j->d->y + row * h;
    memcpy((T *)j->d->h_before + row * h, hn, (size_t)h * sizeof(T));
    if (j->p->kind == PTI_LSTM) {
      F(lstm_row)(j, r, x, pre, s);
    } else if (j->p->kind == PTI_GRU) {
      F(gru_row)(j, r, x, pre, s);
    } else {
      for (int64_t i = 0; i < h; i++) y[i] = x[i] + pre[i];
      F(squash)(y, h, j->p->kind == PTI_RNN_TANH ? PTI_VALUE_TANH : PTI_VALUE_RELU);
      memcpy(hn, y, (size_t)h * sizeof(T));
    }
  }
}

/* dh is the gradient of the state after this step; the gates' gradients go to g_gates (input side)
   and g_pre (recurrent side; the two differ for the GRU's n), and dc to the step before. */
static void F(rnn_grad)(void *ctx, int64_t lo, int64_t hi) {
  const rnn_job *j = ctx;
  int64_t h = j->p->h, gates = gates_of(j->p);
  for (int64_t r = lo; r < hi; r++) {
    int64_t row = j->row + r;
    const T *gy = (const T *)j->d->g_y, *s = (const T *)j->d->saved + row * 4 * h;
    const T *before = (const T *)j->d->h_before + row * h, *y = (const T *)j->d->y + row * h;
    T *dh = (T *)j->dh + r * h, *gx = (T *)j->d->g_gates + row * gates * h,
      *gp = (T *)j->d->g_pre + row * gates * h;
    for (int64_t i = 0; i < h && gy; i++) dh[i] += gy[row * h + i];
    if (j->p->kind == PTI_LSTM) {
      T *dc = (T *)j->dc + r * h;
      const T *th = (const T *)j->d->cells + row * h, *c = (const T *)j->d->c_before + row * h;
      PTI_INDEPENDENT
      for (int64_t q = 0; q < h; q++) {
        T i = s[q], f = s[h + q], g = s[2 * h + q], o = s[3 * h + q];
        T d = dc[q] + dh[q] * o * (1 - th[q] * th[q]);
        gx[q] = d * g * i * (1 - i);
        gx[h + q] = d * c[q] * f * (1 - f);
        gx[2 * h + q] = d * i * (1 - g * g);
        gx[3 * h + q] = dh[q] * th[q] * o * (1 - o);
        dc[q] = d * f;
      }
      if (gp != gx) memcpy(gp, gx, (size_t)(4 * h) * sizeof(T));
    } else if (j->p->kind == PTI_GRU) {
      PTI_INDEPENDENT
      for (int64_t q = 0; q < h; q++) {
        T rr = s[q], z = s[h + q], n = s[2 * h + q], m = s[3 * h + q];
        T dn = dh[q] * (1 - z) * (1 - n * n);
        gx[q] = gp[q] = dn * m * rr * (1 - rr);
        gx[h + q] = gp[h + q] = dh[q] * (before[q] - n) * z * (1 - z);
        gx[2 * h + q] = dn;
        gp[2 * h + q] = dn * rr;
        dh[q] *= z;
      }
    } else {
      for (int64_t q = 0; q < h; q++) {
        T slope = j->p->kind == PTI_RNN_TANH ? 1 - y[q] * y[q] : (T)(y[q] > 0);
        gx[q] = gp[q] = dh[q] * slope;
      }
    }
  }
}
