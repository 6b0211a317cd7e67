/* attention.inc.h: the loops of attention.c for one element type T; F(name) names them. */

static T F(row_max)(const T *x, int64_t n) {
  T lane[16], top = (T)-INFINITY;
  int64_t i = 0;
  for (int l = 0; l < 16; l++) lane[l] = (T)-INFINITY;
  for (; i + 16 <= n; i += 16) {
    for (int l = 0; l < 16; l++) lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
  }
  for (; i < n; i++) top = x[i] > top ? x[i] : top;
  for (int l = 0; l < 16; l++) top = lane[l] > top ? lane[l] : top;
  return top;
}

/* Whether all of x are -inf, of which none is greater; NaN is not. */
static bool F(hidden)(const T *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (x[i] != (T)-INFINITY) return false;
  }
  return true;
}

/* x = exp(x - shift), where no x exceeds shift, by the vector loop of the CPU level in use; the sum of x. */
static T F(row_exp)(T *x, T shift, int64_t n) {
  return (T)pti_cpu_now()->exp_row[COMPUTE](x, x, (double)shift, n);
}

/* Columns of the tile from k0 that row `i` may look at. */
static int64_t F(visible)(const pti_attention *p, int64_t i, int64_t k0, int64_t n) {
  int64_t last = p->causal ? i + 1 - k0 : n;
  return last < 0 ? 0 : last < n ? last : n;
}

/* Columns of the tile from k0 that any of its rows may look at, none where there are no more tiles. */
static int64_t F(tile_columns)(const attention_job *j, int64_t q0, int64_t m, int64_t k0) {
  int64_t end = j->p->causal ? pti_min64(j->p->lk, q0 + m) : j->p->lk;
  return pti_max64(0, pti_min64(BK, end - k0));
}

/* Notes a product that failed; the loop goes on. */
static void F(made)(attention_job *j, bool ok) {
  if (!ok) atomic_store(&j->failed, true);
}

/* Scores of rows [q0, q0 + m) and columns [k0, k0 + n) of head (b, h): s (m, BK), with the mask added. */
static void F(scores)(attention_job *j, int64_t b, int64_t h, const T *q, const T *k, int64_t q0,
                      int64_t m, int64_t k0, int64_t n, T *s) {
  const pti_attention *p = j->p;
  F(made)
  (j,
   pti_product(p->dtype, false, true, m, n, p->d, p->scale, q + q0 * p->d, p->d, k + k0 * p->d,
               p->d, 0, s, BK));
  const T *mask = p->mask;
  for (int64_t i = 0; i < m; i++) {
    T *row = s + i * BK;
    if (mask) {
      const T *at = mask + b * p->mask_stride[0] + h * p->mask_stride[1] +
          (q0 + i) * p->mask_stride[2] + k0 * p->mask_stride[3];
      for (int64_t c = 0; c < n; c++) row[c] += at[c * p->mask_stride[3]];
    }
  }
}

static void F(drop)(const pti_attention *p, T *row, int64_t at, int64_t k0, int64_t n) {
  T up = (T)(1 / (1 - p->dropout));
  for (int64_t c = 0; c < n; c++) row[c] = kept(p, at, k0 + c) ? row[c] * up : 0;
}

/* Units: (batch, head, block of rows). Running maximum and sum of each row; y is rescaled as they
   change. */
static void F(attention)(void *ctx, int64_t lo, int64_t hi) {
  attention_job *j = ctx;
  const pti_attention *p = j->p;
  size_t bytes = (size_t)(j->bq * BK) * sizeof(T);
  T *s = pti_cpu_host->alloc(bytes), top[BQ], sum[BQ];
  if (s == NULL) {
    atomic_store(&j->failed, true);
    return;
  }
  for (int64_t u = lo; u < hi; u++) {
    int64_t q0 = u % j->nq * j->bq, head = u / j->nq, b = head / p->h, h = head % p->h;
    int64_t shared = b * p->hk + h / (p->h / p->hk), m = pti_min64(j->bq, p->lq - q0), n;
    const T *q = (const T *)j->q + head * p->lq * p->d;
    const T *k = (const T *)j->k + shared * p->lk * p->d;
    const T *v = (const T *)j->v + shared * p->lk * p->dv;
    T *y = (T *)j->out + (head * p->lq + q0) * p->dv, *lse = (T *)j->lse + head * p->lq + q0;
    memset(y, 0, (size_t)(m * p->dv) * sizeof(T));
    for (int64_t i = 0; i < m; i++) {
      top[i] = (T)-INFINITY;
      sum[i] = 0;
    }
    for (int64_t k0 = 0; (n = F(tile_columns)(j, q0, m, k0)) > 0; k0 += BK) {
      F(scores)(j, b, h, q, k, q0, m, k0, n, s);
      for (int64_t i = 0; i < m; i++) {
        int64_t seen = F(visible)(p, q0 + i, k0, n);
        T *row = s + i * BK, high = F(row_max)(row, seen);
        if (!(high > top[i])) high = top[i];
        if (high == (T)-INFINITY && F(hidden)(row, seen)) seen = 0; /* every score so far */
        memset(row + seen, 0, (size_t)(n - seen) * sizeof(T));
        if (seen == 0) continue;
        T fade = high == top[i] ? 1 : (T)pt_exp_d((double)(top[i] - high));
        sum[i] = sum[i] * fade + F(row_exp)(row, high, seen);
        top[i] = high;
        for (int64_t c = 0; c < p->dv && fade != 1; c++) y[i * p->dv + c] *= fade;
        if (p->dropout > 0) F(drop)(p, row, head * p->lq + q0 + i, k0, n);
      }
      F(made)
      (j,
       pti_product(p->dtype, false, false, m, p->dv, n, 1, s, BK, v + k0 * p->dv, p->dv, 1, y,
                   p->dv));
    }
    for (int64_t i = 0; i < m; i++) {
      T scale = sum[i] == 0 ? 0 : 1 / sum[i];
      for (int64_t c = 0; c < p->dv; c++) y[i * p->dv + c] *= scale;
      lse[i] = sum[i] == 0 ? (T)-INFINITY : top[i] + (T)pt_log_d((double)sum[i]);
    }
  }
  pti_cpu_host->free(s, bytes);
}

/* One tile of the gradient: s holds probabilities, then score gradients; d the gradients of
   probabilities. */
static void F(tile_grad)(const attention_job *j, int64_t head, const T *rowdot, const T *lse, T *s,
                         T *d, int64_t q0, int64_t m, int64_t k0, int64_t n) {
  const pti_attention *p = j->p;
  for (int64_t i = 0; i < m; i++) {
    T *row = s + i * BK, *grad = d + i * BK;
    int64_t seen = lse[q0 + i] == (T)-INFINITY ? 0 : F(visible)(p, q0 + i, k0, n);
    F(row_exp)(row, lse[q0 + i], seen);
    memset(row + seen, 0, (size_t)(n - seen) * sizeof(T));
    if (p->dropout > 0) F(drop)(p, grad, head * p->lq + q0 + i, k0, n);
    for (int64_t c = 0; c < n; c++) grad[c] = row[c] * (grad[c] - rowdot[i]) * (T)p->scale;
    if (p->dropout > 0) F(drop)(p, row, head * p->lq + q0 + i, k0, n);
  }
}

/* Units: (batch, key head): a unit owns its keys' and values' gradients and those of the queries
   that use them. */
static void F(attention_grad)(void *ctx, int64_t lo, int64_t hi) {
  attention_job *j = ctx;
  const pti_attention *p = j->p;
  size_t bytes = (size_t)(2 * j->bq * BK) * sizeof(T);
  T *s = pti_cpu_host->alloc(bytes), *d = s + j->bq * BK, rowdot[BQ];
  if (s == NULL) {
    atomic_store(&j->failed, true);
    return;
  }
  int64_t group = p->h / p->hk;
  for (int64_t u = lo; u < hi; u++) {
    const T *k = (const T *)j->k + u * p->lk * p->d, *v = (const T *)j->v + u * p->lk * p->dv;
    T *gk = (T *)j->gk + u * p->lk * p->d, *gv = (T *)j->gv + u * p->lk * p->dv;
    memset(gk, 0, (size_t)(p->lk * p->d) * sizeof(T));
    memset(gv, 0, (size_t)(p->lk * p->dv) * sizeof(T));
    for (int64_t t = 0; t < group; t++) {
      int64_t b = u / p->hk, h = u % p->hk * group + t, head = b * p->h + h;
      const T *q = (const T *)j->q + head * p->lq * p->d, *lse = (const T *)j->lse + head * p->lq;
      const T *g = (const T *)j->g + head * p->lq * p->dv,
              *y = (const T *)j->y + head * p->lq * p->dv;
      T *gq = (T *)j->gq + head * p->lq * p->d;
      memset(gq, 0, (size_t)(p->lq * p->d) * sizeof(T));
      for (int64_t q0 = 0; q0 < p->lq; q0 += j->bq) {
        int64_t m = pti_min64(j->bq, p->lq - q0), n;
        for (int64_t i = 0; i < m; i++) {
          int64_t row = (q0 + i) * p->dv;
          rowdot[i] = (T)pti_cpu_now()->dot_row[COMPUTE](g + row, y + row, p->dv);
        }
        for (int64_t k0 = 0; (n = F(tile_columns)(j, q0, m, k0)) > 0; k0 += BK) {
          F(scores)(j, b, h, q, k, q0, m, k0, n, s);
          F(made)
          (j,
           pti_product(p->dtype, false, true, m, n, p->dv, 1, g + q0 * p->dv, p->dv, v + k0 * p->dv,
                       p->dv, 0, d, BK));
          F(tile_grad)(j, head, rowdot, lse, s, d, q0, m, k0, n);
          F(made)
          (j,
           pti_product(p->dtype, true, false, n, p->dv, m, 1, s, BK, g + q0 * p->dv, p->dv, 1,
                       gv + k0 * p->dv, p->dv));
          F(made)
          (j,
           pti_product(p->dtype, false, false, m, p->d, n, 1, d, BK, k + k0 * p->d, p->d, 1,
                       gq + q0 * p->d, p->d));
          F(made)
          (j,
           pti_product(p->dtype, true, false, n, p->d, m, 1, d, BK, q + q0 * p->d, p->d, 1,
                       gk + k0 * p->d, p->d));
        }
      }
    }
  }
  pti_cpu_host->free(s, bytes);
}
