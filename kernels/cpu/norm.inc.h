/* norm.inc.h: the loops of norm.c for one element type T (compute and sums in T and double);
   F(name) names them. Sums run in 16 lanes of T over blocks of 1024 and then in double, so they do
   not depend on the CPU level. */

static void F(moments)(const T *x, int64_t n, double shift, double *sum, double *square) {
  double s = 0, q = 0;
  for (int64_t from = 0; from < n; from += 1024) {
    int64_t m = n - from < 1024 ? n - from : 1024, i = 0;
    T a[16] = {0}, b[16] = {0}, at = (T)shift;
    for (; i + 16 <= m; i += 16) {
      for (int l = 0; l < 16; l++) {
        T v = x[from + i + l] - at;
        a[l] += v;
        b[l] += v * v;
      }
    }
    for (; i < m; i++) {
      T v = x[from + i] - at;
      a[i % 16] += v;
      b[i % 16] += v * v;
    }
    for (int l = 0; l < 16; l++) {
      s += (double)a[l];
      q += (double)b[l];
    }
  }
  *sum = s;
  *square = q;
}

/* Mean and 1 / sqrt(biased variance + eps) of a row; around its first element, so that a large mean
   costs no digits. */
static void F(statistics)(const T *x, int64_t n, bool rms, double eps, double *mean, double *rstd) {
  double shift = rms || n == 0 ? 0 : (double)x[0], s, q;
  F(moments)(x, n, shift, &s, &q);
  double m = rms ? 0 : s / (double)n, var = q / (double)n - m * m;
  *mean = m + shift;
  *rstd = 1 / sqrt((var > 0 || var != var ? var : 0) + eps);
}

/* Units: rows. */
static void F(rows)(void *ctx, int64_t lo, int64_t hi) {
  const norm_job *j = ctx;
  const pti_norm *p = j->p;
  for (int64_t r = lo; r < hi; r++) {
    const T *x = (const T *)j->x + r * p->n, *w = j->w, *b = j->b;
    T *y = (T *)j->y + r * p->n;
    double mean, rstd;
    F(statistics)(x, p->n, p->rms, p->eps, &mean, &rstd);
    ((T *)j->mean)[r] = (T)mean;
    ((T *)j->rstd)[r] = (T)rstd;
    T m = (T)mean, s = (T)rstd;
    int64_t first = r % p->period * (p->n / p->inner);
    if (per_element(p) && (w || b)) {
      for (int64_t i = 0; i < p->n && w && b; i++)
        y[i] = (x[i] - m) * s * w[first + i] + b[first + i];
      for (int64_t i = 0; i < p->n && w && !b; i++) y[i] = (x[i] - m) * s * w[first + i];
      for (int64_t i = 0; i < p->n && !w; i++) y[i] = (x[i] - m) * s + b[first + i];
      continue;
    }
    for (int64_t c = 0; c < p->n / p->inner; c++) {
      T scale = w ? s * w[first + c] : s, add = b ? b[first + c] : 0;
      for (int64_t i = c * p->inner; i < (c + 1) * p->inner; i++) y[i] = (x[i] - m) * scale + add;
    }
  }
}

/* gx = rstd (gw - mean(gw) - xhat mean(gw xhat)) with gw = g w.   Units: rows. */
static void F(rows_grad)(void *ctx, int64_t lo, int64_t hi) {
  const norm_job *j = ctx;
  const pti_norm *p = j->p;
  for (int64_t r = lo; r < hi; r++) {
    const T *x = (const T *)j->x + r * p->n, *g = (const T *)j->g + r * p->n, *w = j->w;
    T *gx = (T *)j->y + r * p->n, m = ((const T *)j->mean)[r], s = ((const T *)j->rstd)[r];
    int64_t first = r % p->period * (p->n / p->inner);
    double sum = 0, dot = 0;
    for (int64_t from = 0; from < p->n; from += 1024) {
      int64_t many = p->n - from < 1024 ? p->n - from : 1024;
      T a[16] = {0}, b[16] = {0};
      for (int64_t i = 0; i < many; i++) { /* gx holds g w meanwhile */
        int64_t at = from + i;
        gx[at] = w ? g[at] * w[first + (p->inner == 1 ? at : at / p->inner)] : g[at];
      }
      int64_t i = 0;
      for (; i + 16 <= many; i += 16) {
        for (int l = 0; l < 16; l++) {
          T v = gx[from + i + l];
          a[l] += v;
          b[l] += v * (x[from + i + l] - m);
        }
      }
      for (; i < many; i++) {
        a[i % 16] += gx[from + i];
        b[i % 16] += gx[from + i] * (x[from + i] - m);
      }
      for (int l = 0; l < 16; l++) {
        sum += (double)a[l];
        dot += (double)b[l];
      }
    }
    T mean_g = p->rms ? 0 : (T)(sum / (double)p->n),
      k = (T)(dot / (double)p->n * (double)s * (double)s);
    for (int64_t i = 0; i < p->n; i++) gx[i] = s * (gx[i] - mean_g - (x[i] - m) * k);
  }
}

/* Gradients of weight and bias: columns [lo, hi) of w summed over all rows that use them, in order
   of rows. */
static void F(affine_grad)(void *ctx, int64_t lo, int64_t hi) {
  const norm_job *j = ctx;
  const pti_norm *p = j->p;
  int64_t width = p->n / p->inner;
  for (int64_t from = lo; from < hi; from += 64) {
    int64_t many = hi - from < 64 ? hi - from : 64;
    double gw[64] = {0}, gb[64] = {0};
    for (int64_t c = 0; c < many; c++) {
      int64_t column = (from + c) % width;
      if (per_element(p)) continue;
      for (int64_t r = (from + c) / width; r < p->rows; r += p->period) {
        const T *x = (const T *)j->x + r * p->n + column * p->inner,
                *g = (const T *)j->g + r * p->n + column * p->inner;
        T m = ((const T *)j->mean)[r];
        double s = (double)((const T *)j->rstd)[r], a = 0, b = 0;
        for (int64_t i = 0; i < p->inner; i++) {
          a += (double)(g[i] * (x[i] - m));
          b += (double)g[i];
        }
        gw[c] += a * s;
        gb[c] += b;
      }
    }
    for (int64_t r = 0; r < p->rows && per_element(p); r++) {
      const T *x = (const T *)j->x + r * p->n + from, *g = (const T *)j->g + r * p->n + from;
      T m = ((const T *)j->mean)[r], s = ((const T *)j->rstd)[r];
      for (int64_t c = 0; c < many; c++) {
        gw[c] += (double)(g[c] * ((x[c] - m) * s));
        gb[c] += (double)g[c];
      }
    }
    for (int64_t c = 0; c < many; c++) {
      if (j->gw) ((T *)j->gw)[from + c] = (T)gw[c];
      if (j->gb) ((T *)j->gb)[from + c] = (T)gb[c];
    }
  }
}
