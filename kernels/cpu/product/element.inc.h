/* element.inc.h: panels of numbers of the compute type T from a matrix of elements S, and elements of c from sums;
   G(name) names the loops. GET and PUT convert a number, VECTOR_AT, where it is defined, the vector at an address.
   Contiguous neighbours in a panel's width are copied, contiguous neighbours along k are transposed by squares of
   LANES, all else goes one by one.  A vector that ends beyond its row of the panel spoils the next row, or the room
   behind the panel: so rows are written in order, and in a row the last vector first. */

#if defined(VECTOR_AT)
static inline __attribute__((always_inline)) V G(load)(const S *x) { return VECTOR_AT(x); }
#else
static __attribute__((noinline)) V G(load)(const S *x) {
  V y;
  for (int q = 0; q < LANES; q++) y[q] = (T)GET(x[q]);
  return y;
}
#endif
#if defined(PART_AT)
static inline __attribute__((always_inline)) V G(load_part)(const S *x, int64_t n) {
  return PART_AT(x, n);
}
#else
static __attribute__((noinline)) V G(load_part)(const S *x, int64_t n) {
  S y[LANES] = {0};
  memcpy(y, x, (size_t)n * sizeof(S));
  return G(load)(y);
}
#endif

/* LANES rows of the panel from step l on. */
static inline __attribute__((always_inline)) void
G(pack_square)(T *to, int64_t width, const S *from, int64_t step, int64_t count) {
  for (int64_t i = (width - 1) / LANES * LANES; i >= 0; i -= LANES) {
    V v[LANES];
    PTI_UNROLLED
    for (int r = 0; r < LANES; r++) v[r] = i + r < count ? G(load)(from + (i + r) * step) : (V){0};
    F(transpose)(v);
    PTI_UNROLLED
    for (int q = 0; q < LANES; q++) *(VU *)(to + q * width + i) = v[q];
  }
}

/* `count` lines of kn numbers, `step` apart. */
static void G(pack_across)(T *to, int64_t width, const S *from, int64_t step, int64_t count,
                           int64_t kn) {
  int64_t l = 0;
  for (; width == 1 && count == 1 && l + LANES <= kn; l += LANES)
    *(VU *)(to + l) = G(load)(from + l);
  for (; l + LANES <= kn; l += LANES) G(pack_square)(to + l * width, width, from + l, step, count);
  if (l == kn) return;
  if (l > 0) { /* the last square overlaps the one before */
    G(pack_square)(to + (kn - LANES) * width, width, from + kn - LANES, step, count);
    return;
  }
  for (; l < kn; l++) {
    for (int64_t i = 0; i < count; i++) to[l * width + i] = GET(from[i * step + l]);
    for (int64_t i = count; i < width; i++) to[l * width + i] = 0;
  }
}

/* kn lines of `count` numbers, k_step apart. */
static void G(pack_along)(T *restrict to, int64_t width, const S *restrict from, int64_t k_step,
                          int64_t count, int64_t kn) {
  int64_t last = (width - 1) / LANES * LANES, part = count - last;
  for (int64_t l = 0; l < kn; l++, from += k_step, to += width) {
    __builtin_prefetch(from + 8 * k_step);
    __builtin_prefetch(from + 8 * k_step + width - 1);
    *(VU *)(to + last) = part == LANES ? G(load)(from + last)
        : part > 0                     ? G(load_part)(from + last, part)
                                       : (V){0};
    for (int64_t i = 0; i < last; i += LANES) {
      *(VU *)(to + i) = count - i >= LANES ? G(load)(from + i)
          : count > i                      ? G(load_part)(from + i, count - i)
                                           : (V){0};
    }
  }
}

static void G(pack)(const product_side *s, int64_t problem, void *panel, int64_t width, int64_t at,
                    int64_t count, int64_t k0, int64_t kn) {
  T *to = panel;
  const S *from = (const S *)s->data + problem * s->batch_step + k0 * s->k_step;
  if (s->index == NULL && s->k_step == 1) {
    G(pack_across)(to, width, from + at * s->step, s->step, count, kn);
    return;
  }
  if (s->index == NULL && s->step == 1) {
    G(pack_along)(to, width, from + at, s->k_step, count, kn);
    return;
  }
  for (int64_t i = 0; i < width; i++) {
    const S *x = i < count ? from + (s->index ? s->index[at + i] : at + i) * s->step : NULL;
    for (int64_t l = 0; l < kn; l++) to[l * width + i] = x ? GET(x[l * s->k_step]) : 0;
  }
}

/* ---- finishing rows of sums ---- */

/* Nothing but a bias for each column, perhaps, and the conversion. */
static inline __attribute__((always_inline)) void G(convert_row)(const T *s, const S *bias, S *c,
                                                                 int64_t n) {
  int64_t q = 0;
#if defined(PUT_VECTOR)
  for (; q + LANES <= n; q += LANES) {
    V v = *(const VU *)(s + q);
    if (bias) v += G(load)(bias + q);
    PUT_VECTOR(c + q, v);
  }
#endif
  for (; q < n; q++) c[q] = (S)PUT(bias ? s[q] + GET(bias[q]) : s[q]);
}

static void G(finish_row)(const product *p, T *s, int64_t i, int64_t at, int64_t j, int64_t n) {
  const product_end *e = &p->end;
  T alpha = FROM_DOUBLE(e->alpha), beta = FROM_DOUBLE(e->beta);
  S *c = (S *)p->c + at;
  if (alpha != 1)
    for (int64_t q = 0; q < n; q++) s[q] *= alpha;
  if (beta != 0)
    for (int64_t q = 0; q < n; q++) s[q] += beta * GET(c[q]);
  if (e->bias && e->bias_rows) {
    T b = GET(((const S *)e->bias)[i]);
    for (int64_t q = 0; q < n; q++) s[q] += b;
  } else if (e->bias) {
    const S *b = (const S *)e->bias + j;
    for (int64_t q = 0; q < n; q++) s[q] += GET(b[q]);
  }
  if (e->residual) {
    const S *r = (const S *)e->residual + at;
    for (int64_t q = 0; q < n; q++) s[q] += GET(r[q]);
  }
#if defined(COMPUTE)
  if (e->activation >= 0) {
    const void *in[] = {s};
    pti_cpu_now()->rows->loop[e->activation][0][COMPUTE](s, in, NULL, n);
  }
#endif
  G(convert_row)(s, NULL, c, n);
}

static void G(finish)(const product *p, void *sum, int64_t pitch, int64_t problem, int64_t i,
                      int64_t rows, int64_t j, int64_t n) {
  const product_end *e = &p->end;
  T *s = sum;
  int64_t at = problem * p->batch_c + i * p->ldc + j;
  bool only_bias = e->alpha == 1 && e->beta == 0 && !e->residual && e->activation < 0 &&
      !(e->bias && e->bias_rows);
  const S *bias = e->bias ? (const S *)e->bias + j : NULL;
  for (int64_t r = 0; r < rows; r++, s += pitch, at += p->ldc) {
    if (only_bias) G(convert_row)(s, bias, (S *)p->c + at, n);
    else G(finish_row)(p, s, i + r, at, j, n);
  }
}

/* ---- products of few rows: w is read in the order of memory, one row at a time, which takes half as long as to read
   several side by side ---- */

#if defined(DOTS)
/* Sums along k of h rows of x by a row of w, each in `chains` vectors, so that additions do not wait for each other.
   Meanwhile the row that comes next is fetched. */
static inline __attribute__((always_inline)) void G(dots_row)(const int h, const int chains,
                                                              int64_t k, const T *x, int64_t ldx,
                                                              const S *w, int64_t ldw, T *sums,
                                                              int64_t pitch) {
  V s[8][8];
  PTI_UNROLLED
  for (int i = 0; i < h * chains; i++) s[i / chains][i % chains] = (V){0};
  int64_t l = 0, rest = k % LANES;
  for (; l + chains * LANES <= k; l += chains * LANES) {
    PTI_UNROLLED
    for (int c = 0; c < chains; c++) {
      V v = G(load)(w + l + c * LANES);
      if (c * LANES * sizeof(S) % 64 == 0) __builtin_prefetch(w + ldw + l + c * LANES, 0, 2);
      PTI_UNROLLED
      for (int i = 0; i < h; i++) s[i][c] += *(const VU *)(x + i * ldx + l + c * LANES) * v;
    }
  }
  for (; l + LANES <= k; l += LANES) {
    V v = G(load)(w + l);
    PTI_UNROLLED
    for (int i = 0; i < h; i++) s[i][0] += *(const VU *)(x + i * ldx + l) * v;
  }
  if (rest > 0) {
    V v = G(load_part)(w + l, rest);
    PTI_UNROLLED
    for (int i = 0; i < h; i++) s[i][0] += F(load_part)(x + i * ldx + l, rest) * v;
  }
  PTI_UNROLLED
  for (int i = 0; i < h; i++) {
    PTI_UNROLLED
    for (int c = 1; c < chains; c++) s[i][0] += s[i][c];
    sums[i * pitch] += F(lane_sum)(s[i][0]);
  }
}

#define DOTS_OF(h, chains)                                                             \
  static void G(dots_##h)(int64_t k, const T *x, int64_t ldx, const S *w, int64_t ldw, \
                          int64_t count, T *sums, int64_t pitch) {                     \
    for (int64_t q = 0; q < count; q++)                                                \
      G(dots_row)(h, chains, k, x, ldx, w + q * ldw, ldw, sums + q, pitch);            \
  }
DOTS_OF(1, 8)
DOTS_OF(2, 4)
DOTS_OF(4, 2)
#undef DOTS_OF

static void G(dots)(int64_t k, const void *rows, int64_t ldx, int64_t h, const void *w, int64_t ldw,
                    int64_t count, void *to) {
  const T *x = rows;
  T *sums = to;
  memset(sums, 0, (size_t)(h * count) * sizeof(T));
  int64_t depth = DOT_NUMBERS / pti_min64(h, 4) / 64 * 64;
  for (int64_t l = 0; l < k; l += depth) {
    int64_t kn = pti_min64(depth, k - l);
    const S *wl = (const S *)w + l;
    int64_t i = 0;
    for (; i + 4 <= h; i += 4)
      G(dots_4)(kn, x + i * ldx + l, ldx, wl, ldw, count, sums + i * count, count);
    for (; i + 2 <= h; i += 2)
      G(dots_2)(kn, x + i * ldx + l, ldx, wl, ldw, count, sums + i * count, count);
    for (; i < h; i++) G(dots_1)(kn, x + i * ldx + l, ldx, wl, ldw, count, sums + i * count, count);
  }
}

/* Where rows of w lie along c: `lines` of them times their numbers of x are added to h lines of sums. Meanwhile as many
   lines as come next are fetched, in the order of memory. Short lines are faster one by one, without that. */
static inline __attribute__((always_inline)) void G(lines_of)(const int h, const int lines,
                                                              const T *x, int64_t ldx, const S *w,
                                                              int64_t ldw, int64_t n, T *sums,
                                                              int64_t pitch) {
  const S *next = w + lines * ldw;
  int64_t q = 0, at = 0, rest = n % LANES;
  V s[4];
  for (; q + LANES <= n; q += LANES) {
    PTI_UNROLLED
    for (int i = 0; i < h; i++) s[i] = *(const VU *)(sums + i * pitch + q);
    PTI_UNROLLED
    for (int l = 0; l < lines; l++) {
      V v = G(load)(w + l * ldw + q);
      if (lines > 1 && l * LANES * sizeof(S) % 64 == 0)
        __builtin_prefetch(next + at + l * LANES, 0, 2);
      PTI_UNROLLED
      for (int i = 0; i < h; i++) s[i] += x[i * ldx + l] * v;
    }
    PTI_UNROLLED
    for (int i = 0; i < h; i++) *(VU *)(sums + i * pitch + q) = s[i];
    at += lines * LANES;
    if (at >= n) {
      at -= n;
      next += ldw;
    }
  }
  if (rest == 0) return;
  PTI_UNROLLED
  for (int i = 0; i < h; i++) s[i] = F(load_part)(sums + i * pitch + q, rest);
  for (int l = 0; l < lines; l++) {
    V v = G(load_part)(w + l * ldw + q, rest);
    PTI_UNROLLED
    for (int i = 0; i < h; i++) s[i] += x[i * ldx + l] * v;
  }
  PTI_UNROLLED
  for (int i = 0; i < h; i++) F(store_part)(sums + i * pitch + q, s[i], rest);
}

#define LINES_OF(h)                                                                                \
  static void G(lines_##h)(int64_t k, const T *x, int64_t ldx, const S *w, int64_t ldw, int64_t n, \
                           T *sums, int64_t pitch) {                                               \
    int64_t l = 0;                                                                                 \
    for (; l + LINES <= k; l += LINES)                                                             \
      G(lines_of)(h, LINES, x + l, ldx, w + l * ldw, ldw, n, sums, pitch);                         \
    for (; l < k; l++) G(lines_of)(h, 1, x + l, ldx, w + l * ldw, ldw, n, sums, pitch);            \
  }
LINES_OF(1)
LINES_OF(2)
LINES_OF(4)
#undef LINES_OF

static void G(lines)(int64_t k, const void *rows, int64_t ldx, int64_t h, const void *w,
                     int64_t ldw, int64_t n, void *to, int64_t pitch) {
  const T *x = rows;
  T *sums = to;
  for (int64_t i = 0; i < h; i++) memset(sums + i * pitch, 0, (size_t)n * sizeof(T));
  for (int64_t l = 0; l < k; l += LINES) { /* all rows before the next lines */
    int64_t r = pti_min64(LINES, k - l), i = 0;
    const S *wl = (const S *)w + l * ldw;
    for (; i + 4 <= h; i += 4)
      G(lines_4)(r, x + i * ldx + l, ldx, wl, ldw, n, sums + i * pitch, pitch);
    for (; i + 2 <= h; i += 2)
      G(lines_2)(r, x + i * ldx + l, ldx, wl, ldw, n, sums + i * pitch, pitch);
    for (; i < h; i++) G(lines_1)(r, x + i * ldx + l, ldx, wl, ldw, n, sums + i * pitch, pitch);
  }
}
#endif

#undef S
#undef G
#undef GET
#undef PUT
#undef VECTOR_AT
#undef PUT_VECTOR
#undef PART_AT
