/* norm.inc.h: the loops of norm.c for one element type T (compute and sums in T and double);
   F(name) names them. Sums run in 16 lanes of T over blocks of 1024 and then in double, so they do
   not depend on the CPU level. */

static void F(row_moments)(const T *x, int64_t n, double shift, double *sum, double *square) {
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
  F(row_moments)(x, n, shift, &s, &q);
  double m = rms ? 0 : s / (double)n, var = q / (double)n - m * m;
  *mean = m + shift;
  *rstd = 1 / sqrt((var > 0 || var != var ? var : 0) + eps);
}

/* Units: rows. */
static void F(norm)(void *ctx, int64_t lo, int64_t hi) {
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

/* Sums of g and of g (x - m) over n neighbours. */
static void F(row_sums)(const T *g, const T *x, T m, int64_t n, double *sum, double *dot) {
  for (int64_t from = 0; from < n; from += 1024) {
    int64_t many = n - from < 1024 ? n - from : 1024, i = 0;
    T a[16] = {0}, b[16] = {0};
    for (; i + 16 <= many; i += 16) {
      for (int l = 0; l < 16; l++) {
        a[l] += g[from + i + l];
        b[l] += g[from + i + l] * (x[from + i + l] - m);
      }
    }
    for (; i < many; i++) {
      a[i % 16] += g[from + i];
      b[i % 16] += g[from + i] * (x[from + i] - m);
    }
    for (int l = 0; l < 16; l++) {
      *sum += (double)a[l];
      *dot += (double)b[l];
    }
  }
}

/* gx = rstd (gw - mean(gw) - xhat mean(gw xhat)) with gw = g w, for one row. */
static void F(row_grad)(const norm_job *j, int64_t r) {
  const pti_norm *p = j->p;
  const T *x = (const T *)j->x + r * p->n, *g = (const T *)j->g + r * p->n, *w = j->w;
  T *gx = (T *)j->y + r * p->n, m = ((const T *)j->mean)[r], s = ((const T *)j->rstd)[r];
  int64_t first = r % p->period * (p->n / p->inner);
  for (int64_t c = 0; c < p->n / p->inner && w && p->inner > 1; c++) {
    T scale = w[first + c]; /* gx holds g w meanwhile */
    for (int64_t i = c * p->inner; i < (c + 1) * p->inner; i++) gx[i] = g[i] * scale;
  }
  for (int64_t i = 0; i < p->n && w && p->inner == 1; i++) gx[i] = g[i] * w[first + i];
  const T *gw = w ? gx : g;
  double sum = 0, dot = 0;
  F(row_sums)(gw, x, m, p->n, &sum, &dot);
  T mean_g = p->rms ? 0 : (T)(sum / (double)p->n),
    k = (T)(dot / (double)p->n * (double)s * (double)s);
  for (int64_t i = 0; i < p->n; i++) gx[i] = s * (gw[i] - mean_g - (x[i] - m) * k);
}

/* Units: pieces of rows. Where every element has a weight of its own, a piece also sums what its
   rows give to the gradients of weight and bias, while they are in the cache. */
static void F(norm_grad)(void *ctx, int64_t lo, int64_t hi) {
  const norm_job *j = ctx;
  const pti_norm *p = j->p;
  for (int64_t piece = lo; piece < hi; piece++) {
    int64_t end = pti_min64(p->rows, (piece + 1) * j->piece);
    T *pw = j->partial ? (T *)j->partial + piece * 2 * p->n : NULL, *pb = pw ? pw + p->n : NULL;
    for (int64_t i = 0; i < 2 * p->n && pw; i++) pw[i] = 0;
    for (int64_t r = piece * j->piece; r < end; r++) {
      if (j->y) F(row_grad)(j, r);
      const T *x = (const T *)j->x + r * p->n, *g = (const T *)j->g + r * p->n;
      T m = ((const T *)j->mean)[r], s = ((const T *)j->rstd)[r];
      for (int64_t i = 0; i < p->n && pw; i++) {
        pw[i] += g[i] * ((x[i] - m) * s);
        pb[i] += g[i];
      }
    }
  }
}

/* The pieces' sums added up, in order. Units: columns. */
static void F(norm_add)(void *ctx, int64_t lo, int64_t hi) {
  const norm_job *j = ctx;
  int64_t n = j->p->n, pieces = (j->p->rows + j->piece - 1) / j->piece;
  for (int64_t c = lo; c < hi; c++) {
    double w = 0, b = 0;
    for (int64_t i = 0; i < pieces; i++) {
      w += (double)((const T *)j->partial)[i * 2 * n + c];
      b += (double)((const T *)j->partial)[i * 2 * n + n + c];
    }
    if (j->gw) ((T *)j->gw)[c] = (T)w;
    if (j->gb) ((T *)j->gb)[c] = (T)b;
  }
}

/* Gradients of weight and bias where they belong to channels: entries [lo, hi), each summed over
   the rows that use it, in order. */
static void F(norm_channels)(void *ctx, int64_t lo, int64_t hi) {
  const norm_job *j = ctx;
  const pti_norm *p = j->p;
  int64_t width = p->n / p->inner;
  for (int64_t c = lo; c < hi; c++) {
    double gw = 0, gb = 0;
    for (int64_t r = c / width; r < p->rows; r += p->period) {
      int64_t at = r * p->n + c % width * p->inner;
      double sum = 0, dot = 0;
      F(row_sums)
      ((const T *)j->g + at, (const T *)j->x + at, ((const T *)j->mean)[r], p->inner, &sum, &dot);
      gw += dot * (double)((const T *)j->rstd)[r];
      gb += sum;
    }
    if (j->gw) ((T *)j->gw)[c] = (T)gw;
    if (j->gb) ((T *)j->gb)[c] = (T)gb;
  }
}
