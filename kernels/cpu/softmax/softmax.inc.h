/* softmax.inc.h: the passes of softmax and its gradient over dense numbers of one floating compute
   type T, along a row and across columns. Included by tensor_loops.c once per type. Sums are kept in
   double, of rows in LANES parts, to which four numbers at a time are added as one. */

static double F(lanes_total)(double *lane) {
  for (int w = LANES / 2; w > 0; w /= 2) {
    for (int j = 0; j < w; j++) lane[j] += lane[j + w];
  }
  return lane[0];
}

/* y = exp(x - m), and the sum of y. Piece by piece in two loops: one loop would be bound by the
   latency of the exponential. */
static double F(exp_row)(void *to, const void *from, double shift, int64_t n) {
  const T *x = from, m = (T)shift;
  T *y = to;
  double lane[LANES] = {0};
  for (int64_t at = 0; at < n; at += 64 * LANES) {
    int64_t end = pti_min64(n, at + 64 * LANES), i = at;
    PTI_INDEPENDENT
    for (int64_t k = at; k < end; k++) y[k] = EXPDOWN(x[k] - m);
    for (; i + 4 * LANES <= end; i += 4 * LANES) {
      PTI_ROLLED
      for (int j = 0; j < LANES; j++) {
        const T *v = y + i + j;
        lane[j] += (double)((v[0] + v[LANES]) + (v[2 * LANES] + v[3 * LANES]));
      }
    }
    for (; i < end; i++) lane[i % LANES] += (double)y[i];
  }
  return F(lanes_total)(lane);
}
static void F(exp_column)(void *to, const void *from, const void *shift, double *sum, int64_t n) {
  const T *x = from, *m = shift;
  T *y = to;
  PTI_INDEPENDENT
  for (int64_t j = 0; j < n; j++) {
    T e = EXPDOWN(x[j] - m[j]);
    y[j] = e;
    sum[j] += (double)e;
  }
}

/* The sum of x u. */
static double F(dot_row)(const void *left, const void *right, int64_t n) {
  const T *x = left, *u = right;
  double lane[LANES] = {0};
  int64_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    PTI_ROLLED
    for (int j = 0; j < LANES; j++) {
      const T *v = x + i + j, *w = u + i + j;
      lane[j] += (double)((v[0] * w[0] + v[LANES] * w[LANES]) +
                          (v[2 * LANES] * w[2 * LANES] + v[3 * LANES] * w[3 * LANES]));
    }
  }
  for (; i < n; i++) lane[i % LANES] += (double)(x[i] * u[i]);
  return F(lanes_total)(lane);
}
static void F(dot_column)(const void *left, const void *right, double *sum, int64_t n) {
  const T *x = left, *u = right;
  PTI_INDEPENDENT
  for (int64_t j = 0; j < n; j++) sum[j] += (double)(x[j] * u[j]);
}

/* A last pass: x and u, with numbers a and b of the row, or of each column. */
#define PASS(id, expression)                                                          \
  static void F(id)(void *to, const void *left, const void *right, const void *first, \
                    const void *second, bool column, int64_t n) {                     \
    const T *xs = left, *us = right, *as = first, *bs = second;                       \
    T *y = to;                                                                        \
    if (column) {                                                                     \
      PTI_INDEPENDENT                                                                 \
      for (int64_t i = 0; i < n; i++) {                                               \
        const T x = xs[i], u = us[i], a = as[i], b = bs[i];                           \
        (void)u, (void)b;                                                             \
        y[i] = expression;                                                            \
      }                                                                               \
    } else {                                                                          \
      const T a = *as, b = *bs;                                                       \
      PTI_INDEPENDENT                                                                 \
      for (int64_t i = 0; i < n; i++) {                                               \
        const T x = xs[i], u = us[i];                                                 \
        (void)u, (void)b;                                                             \
        y[i] = expression;                                                            \
      }                                                                               \
    }                                                                                 \
  }
PASS(scale_pass, x *a)
PASS(log_pass, (x - a) - b)
PASS(grad_pass, x *(u - a))
PASS(log_grad_pass, u - EXP(x) * a)
#undef PASS
