/* norm.inc.h: the loops of norm.c for one element type T (compute and sums in T and double);
   F(name) names them. Sums run in 16 lanes of T over blocks of 1024 and then in double, so they do
   not depend on the CPU level. */

/* 16 lanes, in vectors that compilers keep in registers at every CPU level but the lowest. */
typedef T F(lanes) __attribute__((vector_size(32)));
enum { F(LANES) = 32 / sizeof(T), F(VECTORS) = 16 / F(LANES) };

/* Adds up (x - at) and (x - at) (z - to) over n neighbours. */
static void F(sums)(const T *x, const T *z, int64_t n, T at, T to, double *sum, double *dot) {
  T tail[2][16], lane[2][16];
  for (int64_t from = 0; from < n; from += 1024) {
    F(lanes) a[F(VECTORS)] = {{0}}, b[F(VECTORS)] = {{0}};
    int64_t end = pti_min64(n, from + 1024);
    for (int64_t i = from; i < end; i += 16) {
      const T *px = x + i, *pz = z + i;
      if (end - i < 16) { /* padded with values that add nothing */
        for (int l = 0; l < 16; l++) tail[0][l] = at, tail[1][l] = to;
        px = memcpy(tail[0], px, (size_t)(end - i) * sizeof(T));
        pz = memcpy(tail[1], pz, (size_t)(end - i) * sizeof(T));
      }
      for (int k = 0; k < F(VECTORS); k++) {
        F(lanes) v, u;
        memcpy(&v, px + k * F(LANES), sizeof v);
        memcpy(&u, pz + k * F(LANES), sizeof u);
        v -= at;
        a[k] += v;
        b[k] += v * (u - to);
      }
    }
    for (int k = 0; k < F(VECTORS); k++) {
      memcpy(lane[0] + k * F(LANES), &a[k], sizeof a[k]);
      memcpy(lane[1] + k * F(LANES), &b[k], sizeof b[k]);
    }
    for (int l = 0; l < 16; l++) {
      *sum += (double)lane[0][l];
      *dot += (double)lane[1][l];
    }
  }
}

/* Mean and 1 / sqrt(biased variance + eps) of a row; around its first element, so that a large mean
   costs no digits. */
static void F(statistics)(const T *x, int64_t n, bool rms, double eps, double *mean, double *rstd) {
  double s = 0, q = 0;
  T shift = rms || n == 0 ? 0 : x[0];
  F(sums)(x, x, n, shift, shift, &s, &q);
  double m = rms ? 0 : s / (double)n, var = q / (double)n - m * m;
  *mean = m + (double)shift;
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
  F(sums)(gw, x, p->n, 0, m, &sum, &dot);
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

/* Adds up the pieces' sums, in order, of neighbouring columns together. Units: columns. */
static void F(norm_add)(void *ctx, int64_t lo, int64_t hi) {
  enum { TOGETHER = 256 };
  const norm_job *j = ctx;
  int64_t n = j->p->n, pieces = (j->p->rows + j->piece - 1) / j->piece;
  for (int64_t c = lo; c < hi; c += TOGETHER) {
    double w[TOGETHER] = {0}, b[TOGETHER] = {0};
    int64_t many = pti_min64(TOGETHER, hi - c);
    for (int64_t i = 0; i < pieces; i++) {
      const T *pw = (const T *)j->partial + i * 2 * n + c, *pb = pw + n;
      for (int64_t k = 0; k < many; k++) {
        w[k] += (double)pw[k];
        b[k] += (double)pb[k];
      }
    }
    for (int64_t k = 0; k < many && j->gw; k++) ((T *)j->gw)[c + k] = (T)w[k];
    for (int64_t k = 0; k < many && j->gb; k++) ((T *)j->gb)[c + k] = (T)b[k];
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
      F(sums)
      ((const T *)j->g + at, (const T *)j->x + at, p->inner, 0, ((const T *)j->mean)[r], &sum,
       &dot);
      gw += dot * (double)((const T *)j->rstd)[r];
      gb += sum;
    }
    if (j->gw) ((T *)j->gw)[c] = (T)gw;
    if (j->gb) ((T *)j->gb)[c] = (T)gb;
  }
}
