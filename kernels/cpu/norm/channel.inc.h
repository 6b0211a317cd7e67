/* channel.inc.h: the loops of channel.c for one element type T; F(name) names them. */

/* Relative to the channel's first element, so that a large mean costs no digits. */
static void F(channel_moments)(void *ctx, int64_t lo, int64_t hi) {
  const channel_job *j = ctx;
  const pti_rows *r = j->r;
  for (int64_t c = lo; c < hi; c++) {
    const T *x = (const T *)j->x + c * r->inner;
    T shift = x[0];
    double sum = 0, square = 0, count = (double)(r->outer * r->inner);
    for (int64_t i = 0; i < r->outer; i++) {
      const T *plane = x + i * r->n * r->inner;
      F(sums)(plane, plane, r->inner, shift, shift, &sum, &square);
    }
    double mean = sum / count, var = square / count - mean * mean;
    ((T *)j->s)[c] = (T)(mean + (double)shift);
    ((T *)j->q)[c] = (T)(var > 0 || var != var ? var : 0);
  }
}

static void F(channel_dots)(void *ctx, int64_t lo, int64_t hi) {
  const channel_job *j = ctx;
  const pti_rows *r = j->r;
  for (int64_t c = lo; c < hi; c++) {
    double sum = 0, dot = 0;
    for (int64_t i = 0; i < r->outer; i++) {
      int64_t at = (i * r->n + c) * r->inner;
      F(sums)
      ((const T *)j->x + at, (const T *)j->z + at, r->inner, 0, ((const T *)j->mean)[c], &sum,
       &dot);
    }
    ((T *)j->s)[c] = (T)sum;
    ((T *)j->q)[c] = (T)dot;
  }
}

/* y = a x + b z + c; z may be NULL. */
static void F(channel_affine)(void *ctx, int64_t lo, int64_t hi) {
  const channel_job *j = ctx;
  const pti_rows *r = j->r;
  for (int64_t plane = lo; plane < hi; plane++) {
    int64_t c = plane % r->n;
    T a = ((const T *)j->a)[c], b = j->b ? ((const T *)j->b)[c] : 0, add = ((const T *)j->c)[c];
    const T *x = (const T *)j->x + plane * r->inner, *z = (const T *)j->z;
    T *y = (T *)j->y + plane * r->inner;
    if (z) z += plane * r->inner;
    for (int64_t i = 0; i < r->inner && !z; i++) y[i] = a * x[i] + add;
    for (int64_t i = 0; i < r->inner && z; i++) y[i] = a * x[i] + b * z[i] + add;
  }
}
