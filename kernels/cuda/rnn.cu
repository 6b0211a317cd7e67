/* rnn.cu: one layer and direction of an LSTM, GRU or plain RNN over a whole sequence: for each step a product
   with the recurrent weights and one kernel for the cell. See kernels/cpu/rnn/rnn.c for the layouts. */
#include "common.cuh"
#include "slots.cuh"

struct cell_args {
  int kind;
  int64_t h, gates, row, n; /* first row of the step, and how many */
  const void *x_gates, *pre, *b_hh, *g_y, *saved_in;
  void *hn, *cn, *y, *saved, *h_before, *cells, *c_before, *g_gates, *g_pre, *dh, *dc;
};

template <class T> DEV T squash(int kind, T v) {
  return kind == PTI_RNN_TANH ? pt_tanh(v) : v < 0 ? T(0) : v;
}

/* A thread per unit of the state. */
template <class T> __global__ void __launch_bounds__(THREADS) cell_forward(cell_args q) {
  FOR_EACH(e, q.n * q.h) {
    int64_t r = e / q.h, i = e % q.h, row = q.row + r, h = q.h;
    const T *x = (const T *)q.x_gates + row * q.gates * h,
            *pre = (const T *)q.pre + r * q.gates * h;
    const T *b = (const T *)q.b_hh;
    T *s = (T *)q.saved + row * 4 * h, *hn = (T *)q.hn + r * h, *y = (T *)q.y + row * h, out;
    ((T *)q.h_before)[row * h + i] = hn[i];
    if (q.kind == PTI_LSTM) {
      T *c = (T *)q.cn + r * h;
      T gi = pt_sigmoid(x[i] + pre[i]), gf = pt_sigmoid(x[h + i] + pre[h + i]);
      T gg = pt_tanh(x[2 * h + i] + pre[2 * h + i]), go = pt_sigmoid(x[3 * h + i] + pre[3 * h + i]);
      s[i] = gi, s[h + i] = gf, s[2 * h + i] = gg, s[3 * h + i] = go;
      ((T *)q.c_before)[row * h + i] = c[i];
      T now = gf * c[i] + gi * gg, cell = pt_tanh(now);
      c[i] = now;
      ((T *)q.cells)[row * h + i] = cell;
      out = go * cell;
    } else if (q.kind == PTI_GRU) {
      T gr = pt_sigmoid(x[i] + (pre[i] + (b ? b[i] : T(0))));
      T gz = pt_sigmoid(x[h + i] + (pre[h + i] + (b ? b[h + i] : T(0))));
      T m = pre[2 * h + i] + (b ? b[2 * h + i] : T(0)), gn = pt_tanh(x[2 * h + i] + gr * m);
      s[i] = gr, s[h + i] = gz, s[2 * h + i] = gn, s[3 * h + i] = m;
      out = (1 - gz) * gn + gz * hn[i];
    } else {
      out = squash(q.kind, x[i] + pre[i]);
    }
    hn[i] = y[i] = out;
  }
}

template <class T> __global__ void __launch_bounds__(THREADS) cell_backward(cell_args q) {
  FOR_EACH(e, q.n * q.h) {
    int64_t r = e / q.h, i = e % q.h, row = q.row + r, h = q.h;
    const T *s = (const T *)q.saved + row * 4 * h;
    T *dh = (T *)q.dh + r * h, *gx = (T *)q.g_gates + row * q.gates * h,
      *gp = (T *)q.g_pre + row * q.gates * h;
    T d = dh[i] + (q.g_y ? ((const T *)q.g_y)[row * h + i] : T(0));
    if (q.kind == PTI_LSTM) {
      T *dc = (T *)q.dc + r * h, th = ((const T *)q.cells)[row * h + i];
      T gi = s[i], gf = s[h + i], gg = s[2 * h + i], go = s[3 * h + i];
      T c = ((const T *)q.c_before)[row * h + i], cell = dc[i] + d * go * (1 - th * th);
      gx[i] = gp[i] = cell * gg * gi * (1 - gi);
      gx[h + i] = gp[h + i] = cell * c * gf * (1 - gf);
      gx[2 * h + i] = gp[2 * h + i] = cell * gi * (1 - gg * gg);
      gx[3 * h + i] = gp[3 * h + i] = d * th * go * (1 - go);
      dc[i] = cell * gf;
    } else if (q.kind == PTI_GRU) {
      T gr = s[i], gz = s[h + i], gn = s[2 * h + i], m = s[3 * h + i];
      T dn = d * (1 - gz) * (1 - gn * gn);
      gx[i] = gp[i] = dn * m * gr * (1 - gr);
      gx[h + i] = gp[h + i] = d * (((const T *)q.h_before)[row * h + i] - gn) * gz * (1 - gz);
      gx[2 * h + i] = dn;
      gp[2 * h + i] = dn * gr;
      d *= gz;
    } else {
      T y = ((const T *)q.y)[row * h + i];
      gx[i] = gp[i] = d * (q.kind == PTI_RNN_TANH ? 1 - y * y : (T)(y > 0));
    }
    dh[i] = d;
  }
}

template <class T> static void forward(cudaStream_t s, const cell_args &q) {
  LAUNCH((cell_forward<T>), looped(q.n * q.h), THREADS, 0, s, q);
}
template <class T> static void backward(cudaStream_t s, const cell_args &q) {
  LAUNCH((cell_backward<T>), looped(q.n * q.h), THREADS, 0, s, q);
}

static cell_args args_of(const pti_rnn *p, const pti_rnn_data *d) {
  cell_args q;
  memset(&q, 0, sizeof q);
  q.kind = p->kind;
  q.h = p->h;
  q.gates = p->kind == PTI_LSTM ? 4 : p->kind == PTI_GRU ? 3 : 1;
  q.x_gates = d->x_gates, q.b_hh = d->b_hh, q.g_y = d->g_y;
  q.hn = d->hn, q.cn = d->cn, q.y = d->y, q.saved = d->saved, q.h_before = d->h_before;
  q.cells = d->cells, q.c_before = d->c_before, q.g_gates = d->g_gates, q.g_pre = d->g_pre;
  q.dh = d->g_h0, q.dc = d->g_c0;
  return q;
}

/* The order of time: step s of the walk is time t, whose rows begin at `*row`. */
static int64_t step_rows(const pti_rnn *p, int64_t s, int64_t *row) {
  int64_t t = p->reverse ? p->t - 1 - s : s, at = 0;
  for (int64_t i = 0; i < t && p->batch; i++) at += p->batch[i];
  *row = p->batch ? at : t * p->n;
  return p->batch ? p->batch[t] : p->n;
}

static bool product(int dev, pt_dtype dtype, bool tb, int64_t m, int64_t n, int64_t k,
                    const void *a, const void *b, int64_t ldb, double beta, void *c) {
  pti_gemm g = {dtype, false, tb, m, n, k, k, ldb, n, 1, 0, 0, 0, 1, beta, a, b, c, NULL};
  return pti_cuda_gemm(dev, &g);
}

bool pti_cuda_rnn(int dev, const pti_rnn *p, const pti_rnn_data *d) {
  cudaStream_t s = pti_stream(dev);
  cell_args q = args_of(p, d);
  int64_t width = p->h * q.gates;
  size_t bytes = (size_t)(p->n * width * size_of(p->dtype));
  if (s == NULL) return false;
  if (p->dtype != PT_F32 && p->dtype != PT_F64) return pti_no_kernel("rnn", p->dtype);
  if (bytes == 0) return true;
  void *pre = pti_scratch(dev, bytes);
  bool ok = pre != NULL;
  q.pre = pre;
  for (int64_t step = 0; step < p->t && ok; step++) {
    q.n = step_rows(p, step, &q.row);
    if (q.n == 0) continue;
    ok = product(dev, p->dtype, true, q.n, width, p->h, d->hn, d->w_hh, p->h, 0, pre);
    if (ok) BY_WIDE(p->dtype, forward, s, q);
    ok = ok && launched("rnn");
  }
  pti_scratch_free(dev, pre, bytes);
  return ok;
}

bool pti_cuda_rnn_grad(int dev, const pti_rnn *p, const pti_rnn_data *d) {
  cudaStream_t s = pti_stream(dev);
  cell_args q = args_of(p, d);
  int64_t width = p->h * q.gates, size = size_of(p->dtype);
  bool ok = s != NULL;
  if (p->dtype != PT_F32 && p->dtype != PT_F64) return pti_no_kernel("rnn", p->dtype);
  for (int64_t step = p->t - 1; step >= 0 && ok; step--) {
    q.n = step_rows(p, step, &q.row);
    if (q.n * p->h == 0) continue;
    BY_WIDE(p->dtype, backward, s, q);
    /* of the state: the part through the gates, in addition to the GRU's part through z */
    ok = launched("rnn backward") &&
        product(dev, p->dtype, false, q.n, p->h, width,
                (const char *)d->g_pre + q.row * width * size, d->w_hh, p->h,
                p->kind == PTI_GRU ? 1 : 0, d->g_h0);
  }
  return ok;
}
