/* fft.inc.h: transforms of real type T for one CPU level. A bundle is LANES complex numbers, one of
   each of LANES lines: their real parts, then their imaginary parts. Lines are gathered into
   bundles, transformed side by side, and laid back; so every pass runs in whole vectors, whatever
   the length. A line that is long, or almost alone, is cut into a matrix whose columns, then rows,
   are such lines. Directions: passes compute the forward transform; the inverse is the forward one
   with real and imaginary parts exchanged on the way in and out. */

#define LANES BUNDLE
#define WIDE (2 * LANES) /* numbers of T in a bundle */
#define HALF (LANES / 2)
#define TILE 8 /* bundles that are gathered at a time */

typedef T F(vec) __attribute__((vector_size(BUNDLE * sizeof(T))));
#ifdef __clang__
#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef SAME_SIZE F(picks) __attribute__((vector_size(BUNDLE * sizeof(T))));
#define PICK(a, b, ...) __builtin_shuffle(a, b, (F(picks)){__VA_ARGS__})
#endif
#if BUNDLE == 8
#define PICK_EVEN(a, b) PICK(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define PICK_ODD(a, b) PICK(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#define PICK_LOW(a, b) PICK(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define PICK_HIGH(a, b) PICK(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
/* Four vectors of four complex numbers each: rows become columns. */
#define TURN_SQUARE(v)                                   \
  do {                                                   \
    V t0 = PICK(v[0], v[1], 0, 1, 8, 9, 4, 5, 12, 13);   \
    V t1 = PICK(v[0], v[1], 2, 3, 10, 11, 6, 7, 14, 15); \
    V t2 = PICK(v[2], v[3], 0, 1, 8, 9, 4, 5, 12, 13);   \
    V t3 = PICK(v[2], v[3], 2, 3, 10, 11, 6, 7, 14, 15); \
    v[0] = PICK(t0, t2, 0, 1, 2, 3, 8, 9, 10, 11);       \
    v[1] = PICK(t1, t3, 0, 1, 2, 3, 8, 9, 10, 11);       \
    v[2] = PICK(t0, t2, 4, 5, 6, 7, 12, 13, 14, 15);     \
    v[3] = PICK(t1, t3, 4, 5, 6, 7, 12, 13, 14, 15);     \
  } while (0)
#else
#define PICK_EVEN(a, b) PICK(a, b, 0, 2, 4, 6)
#define PICK_ODD(a, b) PICK(a, b, 1, 3, 5, 7)
#define PICK_LOW(a, b) PICK(a, b, 0, 4, 1, 5)
#define PICK_HIGH(a, b) PICK(a, b, 2, 6, 3, 7)
#define TURN_SQUARE(v)                   \
  do {                                   \
    V t = PICK(v[0], v[1], 0, 1, 4, 5);  \
    v[1] = PICK(v[0], v[1], 2, 3, 6, 7); \
    v[0] = t;                            \
  } while (0)
#endif
typedef struct F(cpx) {
  T re, im;
} F(cpx);
#define C F(cpx)
#define V F(vec)

/* w[k] = exp(-2 pi i k / n), as products of two short tables. */
static void F(twiddles)(C *w, int64_t count, int64_t n) {
  enum { SHORT = 64 };
  double low[SHORT][2], re, im;
  for (int64_t k = 0; k < SHORT && k < count; k++) pti_fft_unit(k, n, &low[k][0], &low[k][1]);
  for (int64_t at = 0; at < count; at += SHORT) {
    pti_fft_unit(at, n, &re, &im);
    for (int64_t k = 0; k < SHORT && at + k < count; k++) {
      double x = low[k][0], y = low[k][1];
      w[at + k] = (C){(T)(x * re - y * im), (T)(-(x * im + y * re))};
    }
  }
}

/* ---- passes over bundles ---- */

/* A pass of radix p over s lines within the line: it reads p bundles m s apart and writes them s
   apart (Stockham), so that nothing needs reordering. */
typedef struct F(pass) {
  const V *x;
  V *y;
  const C *w; /* of the whole length, taken in steps of `step` */
  int64_t m, s, step, n;
} F(pass);

/* Numbers are pairs of vectors: name##r and name##i. */
#define GET(u, at) V u##r = (at)[0], u##i = (at)[1]
#define SUM(y, a, b) V y##r = a##r + b##r, y##i = a##i + b##i
#define DIF(y, a, b) V y##r = a##r - b##r, y##i = a##i - b##i
#define TURNED(y, a, b) V y##r = a##i - b##i, y##i = b##r - a##r /* (a - b) times -i */
#define PUT(at, a) (at)[0] = a##r, (at)[1] = a##i
#define PUT_TIMES(at, a, w) \
  (at)[0] = a##r * (w).re - a##i * (w).im, (at)[1] = a##r * (w).im + a##i * (w).re

static void F(pass2)(const F(pass) * a) {
  int64_t far = 2 * a->s * a->m, s = 2 * a->s;
  for (int64_t j = 0; j < a->m; j++) {
    const V *x = a->x + s * j;
    V *y = a->y + 2 * s * j;
    C w1 = a->w[j * a->step];
    for (int64_t q = 0; q < s; q += 2) {
      GET(u, x + q);
      GET(v, x + q + far);
      SUM(sum, u, v);
      DIF(dif, u, v);
      PUT(y + q, sum);
      PUT_TIMES(y + q + s, dif, w1);
    }
  }
}

static void F(pass3)(const F(pass) * a) {
  const T half = (T)0.5, sine = (T)0.86602540378443864676;
  int64_t far = 2 * a->s * a->m, s = 2 * a->s;
  for (int64_t j = 0; j < a->m; j++) {
    const V *x = a->x + s * j;
    V *y = a->y + 3 * s * j;
    C w1 = a->w[j * a->step], w2 = a->w[2 * j * a->step];
    for (int64_t q = 0; q < s; q += 2) {
      GET(u, x + q);
      GET(v, x + q + far);
      GET(z, x + q + 2 * far);
      SUM(sum, v, z);
      TURNED(d, v, z);
      V br = ur - sumr * half, bi = ui - sumi * half;
      dr *= sine;
      di *= sine;
      SUM(y0, u, sum);
      SUM(y1, b, d);
      DIF(y2, b, d);
      PUT(y + q, y0);
      PUT_TIMES(y + q + s, y1, w1);
      PUT_TIMES(y + q + 2 * s, y2, w2);
    }
  }
}

static void F(pass4)(const F(pass) * a) {
  int64_t far = 2 * a->s * a->m, s = 2 * a->s;
  for (int64_t j = 0; j < a->m; j++) {
    const V *x = a->x + s * j;
    V *y = a->y + 4 * s * j;
    C w1 = a->w[j * a->step], w2 = a->w[2 * j * a->step], w3 = a->w[3 * j * a->step];
    for (int64_t q = 0; q < s; q += 2) {
      GET(u, x + q);
      GET(v, x + q + far);
      GET(z, x + q + 2 * far);
      GET(t, x + q + 3 * far);
      SUM(even, u, z);
      SUM(odd, v, t);
      DIF(d, u, z);
      TURNED(e, v, t);
      SUM(y0, even, odd);
      SUM(y1, d, e);
      DIF(y2, even, odd);
      DIF(y3, d, e);
      PUT(y + q, y0);
      PUT_TIMES(y + q + s, y1, w1);
      PUT_TIMES(y + q + 2 * s, y2, w2);
      PUT_TIMES(y + q + 3 * s, y3, w3);
    }
  }
}

/* Any odd radix: pairs of inputs and outputs are conjugate to each other. */
static void F(pass_odd)(const F(pass) * a, int p) {
  int h = p / 2;
  int64_t far = 2 * a->s * a->m, s = 2 * a->s;
  for (int64_t j = 0; j < a->m; j++) {
    const V *x = a->x + s * j;
    V *y = a->y + p * s * j;
    for (int64_t q = 0; q < s; q += 2) {
      V sum[FFT_LARGEST / 2][2], dif[FFT_LARGEST / 2][2];
      GET(first, x + q);
      V allr = firstr, alli = firsti;
      for (int k = 1; k <= h; k++) {
        GET(u, x + q + k * far);
        GET(v, x + q + (p - k) * far);
        SUM(both, u, v);
        TURNED(turned, u, v);
        PUT(sum[k - 1], both);
        PUT(dif[k - 1], turned);
        allr += bothr;
        alli += bothi;
      }
      PUT(y + q, all);
      for (int o = 1; o <= h; o++) {
        V er = firstr, ei = firsti, dr = {0}, di = {0};
        for (int k = 1; k <= h; k++) {
          C root = a->w[o * k % p * (a->n / p)];
          er += sum[k - 1][0] * root.re;
          ei += sum[k - 1][1] * root.re;
          dr -= dif[k - 1][0] * root.im;
          di -= dif[k - 1][1] * root.im;
        }
        SUM(low, e, d);
        DIF(high, e, d);
        C w1 = a->w[o * j * a->step], w2 = a->w[(p - o) * j * a->step];
        PUT_TIMES(y + q + o * s, low, w1);
        PUT_TIMES(y + q + (p - o) * s, high, w2);
      }
    }
  }
}

/* The forward transform of the line of bundles in x, which is used up; the result is where the
   return value points: x or spare. */
static V *F(forward)(const pti_radices *r, const C *w, V *x, V *spare) {
  F(pass) a = {.w = w, .s = 1, .n = r->n};
  int64_t left = r->n;
  for (int i = 0; i < r->count; i++) {
    int p = r->p[i];
    a.x = x;
    a.y = spare;
    a.m = left / p;
    a.step = r->n / left;
    if (p == 4) F(pass4)(&a);
    else if (p == 2) F(pass2)(&a);
    else if (p == 3) F(pass3)(&a);
    else F(pass_odd)(&a, p);
    left /= p;
    a.s *= p;
    V *t = x;
    x = spare;
    spare = t;
  }
  return x;
}

/* ---- lines and bundles ---- */

/* The addresses of some lines' first numbers, and how far apart the numbers of a line are; those of
   missing lines are the first one's. Distances are in numbers of T. */
typedef struct F(group) {
  T *at[LANES];
  int64_t step;
  int count;
  bool beside; /* LANES neighbours */
} F(group);

/* LANES complex numbers as a bundle, and back. */
static inline void F(split)(const T *x, V *re, V *im) {
  V a, b;
  memcpy(&a, x, sizeof a);
  memcpy(&b, x + LANES, sizeof b);
  *re = PICK_EVEN(a, b);
  *im = PICK_ODD(a, b);
}
static inline void F(merge)(T *y, const V *re, const V *im, T scale) {
  V r = *re * scale, i = *im * scale, a = PICK_LOW(r, i), b = PICK_HIGH(r, i);
  memcpy(y, &a, sizeof a);
  memcpy(y + LANES, &b, sizeof b);
}

/* `points` numbers of each line, the k-th ones and on, to bundles or back. They go through a tile, as
   lines often lie a power of two apart: each is touched a cache line at a time. */
static inline void F(gather_tile)(const F(group) * g, int64_t k, int points, V *re, V *im) {
  T tile[TILE][WIDE];
  for (int q = 0; q < LANES; q++) {
    const T *x = g->at[q] + k * g->step;
    for (int i = 0; i < points; i++) memcpy(&tile[i][2 * q], x + i * g->step, sizeof(C));
  }
  for (int i = 0; i < points; i++) F(split)(tile[i], re + 2 * i, im + 2 * i);
}
static inline void F(lay_tile)(const F(group) * g, int64_t k, int points, const V *re, const V *im,
                               T scale) {
  T tile[TILE][WIDE];
  for (int i = 0; i < points; i++) F(merge)(tile[i], re + 2 * i, im + 2 * i, scale);
  for (int q = 0; q < g->count; q++) {
    T *y = g->at[q] + k * g->step;
    for (int i = 0; i < points; i++) memcpy(y + i * g->step, &tile[i][2 * q], sizeof(C));
  }
}

/* The same for HALF neighbours of every line, in registers. */
static inline void F(gather_square)(const F(group) * g, int64_t k, V *re, V *im) {
  V a[HALF], b[HALF];
  for (int q = 0; q < HALF; q++) {
    memcpy(&a[q], g->at[q] + 2 * k, sizeof(V));
    memcpy(&b[q], g->at[q + HALF] + 2 * k, sizeof(V));
  }
  TURN_SQUARE(a);
  TURN_SQUARE(b);
  for (int i = 0; i < HALF; i++) {
    re[2 * i] = PICK_EVEN(a[i], b[i]);
    im[2 * i] = PICK_ODD(a[i], b[i]);
  }
}
static inline void F(lay_square)(const F(group) * g, int64_t k, const V *re, const V *im, T scale) {
  V a[HALF], b[HALF];
  for (int i = 0; i < HALF; i++) {
    V x = re[2 * i] * scale, y = im[2 * i] * scale;
    a[i] = PICK_LOW(x, y);
    b[i] = PICK_HIGH(x, y);
  }
  TURN_SQUARE(a);
  TURN_SQUARE(b);
  for (int q = 0; q < HALF; q++) {
    memcpy(g->at[q] + 2 * k, &a[q], sizeof(V));
    memcpy(g->at[q + HALF] + 2 * k, &b[q], sizeof(V));
  }
}

/* n numbers of each line; swap: parts exchanged. */
static void F(gather)(const F(group) * g, int64_t n, V *z, bool swap) {
  V *re = z + swap, *im = z + !swap;
  int64_t k = 0;
  for (; g->beside && k < n; k++) F(split)(g->at[0] + k * g->step, re + 2 * k, im + 2 * k);
  for (; g->step == 2 && k + HALF <= n; k += HALF) F(gather_square)(g, k, re + 2 * k, im + 2 * k);
  for (; k < n; k += TILE)
    F(gather_tile)(g, k, (int)pti_min64(TILE, n - k), re + 2 * k, im + 2 * k);
}

static void F(lay)(const F(group) * g, int64_t n, const V *z, T scale, bool swap) {
  const V *re = z + swap, *im = z + !swap;
  int64_t k = 0;
  for (; g->beside && k < n; k++) F(merge)(g->at[0] + k * g->step, re + 2 * k, im + 2 * k, scale);
  for (; g->step == 2 && g->count == LANES && k + HALF <= n; k += HALF)
    F(lay_square)(g, k, re + 2 * k, im + 2 * k, scale);
  for (; k < n; k += TILE)
    F(lay_tile)(g, k, (int)pti_min64(TILE, n - k), re + 2 * k, im + 2 * k, scale);
}

/* Real lines to numbers without imaginary parts, and back. */
static void F(gather_reals)(const F(group) * g, int64_t n, V *z) {
  for (int64_t k = 0; k < n; k++) {
    V re = {0}, im = {0};
    for (int q = 0; q < LANES; q++) re[q] = g->at[q][k];
    z[2 * k] = re;
    z[2 * k + 1] = im;
  }
}
static void F(lay_reals)(const F(group) * g, int64_t n, const V *z, T scale) {
  for (int64_t k = 0; k < n; k++) {
    for (int q = 0; q < g->count; q++) g->at[q][k] = z[2 * k][q] * scale;
  }
}

/* ---- a plan for one length ---- */

typedef struct F(plan) {
  int64_t n;              /* the length */
  bool chirp;             /* Bluestein's way: through a convolution of rows.n points */
  bool cut;               /* lines are cut into matrices (cols.n, rows.n) */
  pti_radices rows, cols; /* cut: of its lines; else rows is that of the whole length */
  C *wr, *wc;             /* twiddles of these */
  int64_t s;              /* cut: exp(-2 pi i k / n) = high[k / s] low[k % s] */
  double (*low)[2], (*high)[2];
  C *c;      /* chirp: (n) exp(-pi i k^2 / n) */
  C *b;      /* chirp: (m) transform of the conjugate of c, wrapped around, over m */
  int64_t m; /* points of the passes: n, or those of the convolution */
  char *block;
  size_t bytes;
} F(plan);

typedef struct F(cut) {
  const F(plan) * p;
  C *x, *y, *middle; /* x and y lines whose numbers are `xs` and `ys` numbers apart */
  int64_t xs, ys;
  bool swap, swap_back;
  T scale;
  atomic_bool failed;
} F(cut);

/* The LANES lines from number q on of a matrix of `lines` lines, `across` apart. */
static F(group) F(group_of)(C *x, int64_t q, int64_t lines, int64_t across, int64_t along) {
  F(group) g = {.step = 2 * along, .count = (int)pti_min64(LANES, lines - q)};
  g.beside = across == 1 && g.count == LANES;
  for (int i = 0; i < LANES; i++) g.at[i] = (T *)(x + (q + (i < g.count ? i : 0)) * across);
  return g;
}

/* exp(-2 pi i k (q + lane) / m). */
static void F(roots)(const F(plan) * p, int64_t k, int64_t q, V w[2]) {
  V re = {0}, im = {0};
  for (int i = 0; i < LANES; i++) {
    int64_t e = k * (q + i) % p->m;
    const double *a = p->high[e / p->s], *b = p->low[e % p->s];
    re[i] = (T)(a[0] * b[0] - a[1] * b[1]);
    im[i] = (T) - (a[0] * b[1] + a[1] * b[0]);
  }
  w[0] = re;
  w[1] = im;
}

/* z[k] times that for k < n: products of what belongs to multiples of SHORT and to the rest. */
static void F(turn)(const F(plan) * p, V *z, int64_t n, int64_t q) {
  enum { SHORT = 32 };
  V low[SHORT][2], high[2];
  for (int64_t k = 0; k < SHORT && k < n; k++) F(roots)(p, k, q, low[k]);
  for (int64_t at = 0; at < n; at += SHORT) {
    F(roots)(p, at, q, high);
    for (int64_t k = 0; k < SHORT && at + k < n; k++) {
      GET(a, low[k]);
      GET(b, high);
      GET(x, z + 2 * (at + k));
      V wr = ar * br - ai * bi, wi = ar * bi + ai * br;
      z[2 * (at + k)] = xr * wr - xi * wi;
      z[2 * (at + k) + 1] = xr * wi + xi * wr;
    }
  }
}

/* Columns of the matrix: LANES of them at a time, from x to `middle`. */
static void F(columns)(void *ctx, int64_t lo, int64_t hi) {
  F(cut) *j = ctx;
  const F(plan) *p = j->p;
  int64_t n = p->cols.n, across = p->rows.n;
  size_t bytes = (size_t)(4 * n) * sizeof(V);
  V *z = pti_cpu_host->alloc(bytes);
  if (z == NULL) {
    atomic_store(&j->failed, true);
    return;
  }
  for (int64_t at = lo; at < hi && pti_cpu_host->poll(); at++) {
    F(group) g = F(group_of)(j->x, at * LANES, across, j->xs, across * j->xs);
    F(group) to = F(group_of)(j->middle, at * LANES, across, 1, across);
    F(gather)(&g, n, z, j->swap);
    V *y = F(forward)(&p->cols, p->wc, z, z + 2 * n);
    F(turn)(p, y, n, at * LANES);
    F(lay)(&to, n, y, 1, false);
  }
  pti_cpu_host->free(z, bytes);
}

/* Rows of the matrix, from `middle` to columns of y. */
static void F(rows)(void *ctx, int64_t lo, int64_t hi) {
  F(cut) *j = ctx;
  const F(plan) *p = j->p;
  int64_t n = p->rows.n, lines = p->cols.n;
  size_t bytes = (size_t)(4 * n) * sizeof(V);
  V *z = pti_cpu_host->alloc(bytes);
  if (z == NULL) {
    atomic_store(&j->failed, true);
    return;
  }
  for (int64_t at = lo; at < hi && pti_cpu_host->poll(); at++) {
    F(group) g = F(group_of)(j->middle, at * LANES, lines, n, 1);
    F(group) to = F(group_of)(j->y, at * LANES, lines, j->ys, lines * j->ys);
    F(gather)(&g, n, z, false);
    V *y = F(forward)(&p->rows, p->wr, z, z + 2 * n);
    F(lay)(&to, n, y, j->scale, j->swap_back);
  }
  pti_cpu_host->free(z, bytes);
}

/* The forward transform of one line, times scale. */
static bool F(cut_line)(F(cut) * j) {
  const F(plan) *p = j->p;
  int64_t across = (p->rows.n + LANES - 1) / LANES, down = (p->cols.n + LANES - 1) / LANES;
  pti_cpu_host->parallel_for(across, 1 + 4096 / p->cols.n, F(columns), j);
  if (!atomic_load(&j->failed)) pti_cpu_host->parallel_for(down, 1 + 4096 / p->rows.n, F(rows), j);
  return !atomic_load(&j->failed);
}

/* Factors of n points in `lines` lines: how they are going to be transformed. */
static void F(plan_shape)(F(plan) * p, int64_t n, int64_t lines) {
  p->n = p->m = n;
  p->chirp = !pti_fft_factor(n, &p->rows);
  if (p->chirp) {
    for (p->m = 1; p->m < 2 * n - 1;) p->m *= 2;
    pti_fft_factor(p->m, &p->rows);
  }
  p->cut = p->m > FFT_LONG || (p->m >= 256 && lines < LANES / 2);
}

static bool F(plan_init)(F(plan) * p) {
  int64_t n = p->n, m = p->m, high = 0;
  p->cols.n = p->s = 0;
  if (p->cut) {
    int64_t cols = 1;
    for (int i = 0; cols * cols < m; i++) cols *= p->rows.p[i];
    pti_fft_factor(cols, &p->cols);
    pti_fft_factor(m / cols, &p->rows);
    for (p->s = 1; p->s * p->s < m;) p->s *= 2;
    high = m / p->s + 1;
  }
  size_t short_tables = (size_t)(p->s + high) * sizeof *p->low;
  p->bytes = short_tables + (size_t)(p->rows.n + p->cols.n + (p->chirp ? n + m : 0)) * sizeof(C);
  if ((p->block = pti_cpu_host->alloc(p->bytes)) == NULL) return false;
  p->low = (double(*)[2])(void *)p->block;
  p->high = p->low + p->s;
  p->wr = (C *)(void *)(p->block + short_tables);
  p->wc = p->wr + p->rows.n;
  p->c = p->wc + p->cols.n;
  p->b = p->c + n;
  F(twiddles)(p->wr, p->rows.n, p->rows.n);
  F(twiddles)(p->wc, p->cols.n, p->cols.n);
  for (int64_t k = 0; k < p->s; k++) pti_fft_unit(k, m, &p->low[k][0], &p->low[k][1]);
  for (int64_t k = 0; k < high; k++) {
    pti_fft_unit(k * p->s % m, m, &p->high[k][0], &p->high[k][1]);
  }
  return true;
}

/* What Bluestein's way multiplies by; `line` and `middle` have room for m numbers, `z` for 4 m
   vectors where lines are not cut. */
static bool F(chirp_init)(F(plan) * p, C *line, C *middle, V *z) {
  int64_t n = p->n, m = p->m;
  memset(line, 0, (size_t)m * sizeof(C));
  for (int64_t k = 0, square = 0; k < n; square = (square + 2 * k + 1) % (2 * n), k++) {
    double re, im;
    pti_fft_unit(square, 2 * n, &re, &im);
    p->c[k] = (C){(T)re, (T)-im};
    C conj = {(T)(re / (double)m), (T)(im / (double)m)};
    line[k] = conj;
    if (k > 0) line[m - k] = conj;
  }
  if (p->cut) {
    F(cut) j = {.p = p, .x = line, .y = p->b, .middle = middle, .xs = 1, .ys = 1, .scale = 1};
    return F(cut_line)(&j);
  }
  F(group) g = F(group_of)(line, 0, 1, m, 1), to = F(group_of)(p->b, 0, 1, m, 1);
  F(gather)(&g, m, z, false);
  F(lay)(&to, m, F(forward)(&p->rows, p->wr, z, z + 2 * m), 1, false);
  return true;
}

/* ---- lines in bundles ---- */

typedef struct F(job) {
  const pti_fft *f;
  F(plan) plan;
  const C *half; /* real transforms in half the points: exp(-2 pi i k / n), k < n / 2 */
  C *x, *y;
  int64_t lines;
  size_t room; /* vectors of each of two buffers */
  atomic_bool failed;
} F(job);

/* y = z w, all bundles, with parts exchanged where `swap` says so. */
static inline void F(times_one)(V y[2], const V z[2], const V w[2], bool swap) {
  V re = z[0] * w[0] - z[1] * w[1], im = z[0] * w[1] + z[1] * w[0];
  y[swap] = re;
  y[!swap] = im;
}

/* n bundles times factors of their points. */
static void F(times)(V *y, const V *z, const C *w, int64_t n, bool swap) {
  for (int64_t k = 0; k < n; k++) {
    V x[2] = {z[2 * k], z[2 * k + 1]}, u[2] = {(V){0} + w[k].re, (V){0} + w[k].im};
    F(times_one)(y + 2 * k, x, u, swap);
  }
}

/* The forward transform of the bundles in z, which is used up; the result is in one of the buffers. */
static V *F(transform)(const F(plan) * p, V *z, V *spare) {
  if (!p->chirp) return F(forward)(&p->rows, p->wr, z, spare);
  int64_t n = p->n, m = p->m;
  F(times)(spare, z, p->c, n, false);
  memset(spare + 2 * n, 0, (size_t)(2 * (m - n)) * sizeof(V));
  V *y = F(forward)(&p->rows, p->wr, spare, z);
  F(times)(y, y, p->b, m, true); /* parts exchanged: the way back is forward, too */
  V *back = F(forward)(&p->rows, p->wr, y, y == z ? spare : z);
  for (int64_t k = 0; k < n; k++) {
    V re = back[2 * k];
    back[2 * k] = back[2 * k + 1];
    back[2 * k + 1] = re;
  }
  F(times)(back, back, p->c, n, false);
  return back;
}

/* The transform z of h pairs of neighbours of a real line becomes twice that of the line, h + 1
   numbers. */
static void F(unpack)(const V *z, const C *w, int64_t h, V *y) {
  const V none = {0};
  y[0] = 2 * (z[0] + z[1]);
  y[2 * h] = 2 * (z[0] - z[1]);
  y[1] = y[2 * h + 1] = none;
  for (int64_t k = 1; k < h; k++) {
    GET(a, z + 2 * k);
    GET(b, z + 2 * (h - k));
    V er = ar + br, ei = ai - bi, dr = ai + bi, di = br - ar; /* a + b', and -i (a - b') */
    y[2 * k] = er + (dr * w[k].re - di * w[k].im);
    y[2 * k + 1] = ei + (dr * w[k].im + di * w[k].re);
  }
}

/* And back: h + 1 numbers of a spectrum become h, parts exchanged. */
static void F(pack)(const V *x, const C *w, int64_t h, V *z) {
  z[0] = x[0] - x[2 * h];
  z[1] = x[0] + x[2 * h];
  for (int64_t k = 1; k < h; k++) {
    GET(a, x + 2 * k);
    GET(b, x + 2 * (h - k));
    V er = ar + br, ei = ai - bi, dr = ar - br, di = ai + bi;
    z[2 * k] = ei + (dr * w[k].re + di * w[k].im);
    z[2 * k + 1] = er - (di * w[k].re - dr * w[k].im);
  }
}

/* LANES lines of complex numbers from line `at` on. */
static void F(complex_bundle)(const F(job) * j, int64_t at, V *z, V *spare) {
  const pti_fft *f = j->f;
  int count = (int)pti_min64(LANES, j->lines - at);
  F(group) g = {.step = 2 * f->inner, .count = count}, to;
  g.beside = count == LANES && at % f->inner + LANES <= f->inner;
  to = g;
  for (int q = 0; q < LANES; q++) {
    int64_t i = at + (q < count ? q : 0), place = i / f->inner * f->n * f->inner + i % f->inner;
    g.at[q] = (T *)(j->x + place);
    to.at[q] = (T *)(j->y + place);
  }
  F(gather)(&g, f->n, z, f->inverse);
  F(lay)(&to, f->n, F(transform)(&j->plan, z, spare), (T)f->scale, f->inverse);
}

/* Real lines, whose spectra are the first n / 2 + 1 numbers. */
static void F(real_bundle)(const F(job) * j, int64_t at, V *z, V *spare) {
  const pti_fft *f = j->f;
  int64_t n = f->n, h = n / 2;
  int count = (int)pti_min64(LANES, j->lines - at);
  bool from = f->kind == PTI_FFT_FROM_REAL;
  F(group) real = {.step = 2, .count = count}, half = real;
  for (int q = 0; q < LANES; q++) {
    int64_t i = at + (q < count ? q : 0);
    real.at[q] = (T *)(from ? j->x : j->y) + i * n;
    half.at[q] = (T *)((from ? j->y : j->x) + i * (h + 1));
  }
  T scale = (T)f->scale;
  if (from && j->half) {
    F(gather)(&real, h, z, false);
    V *y = F(transform)(&j->plan, z, spare), *all = y == z ? spare : z;
    F(unpack)(y, j->half, h, all);
    F(lay)(&half, h + 1, all, scale / 2, false);
  } else if (from) {
    F(gather_reals)(&real, n, z);
    F(lay)(&half, h + 1, F(transform)(&j->plan, z, spare), scale, false);
  } else if (j->half) {
    F(gather)(&half, h + 1, spare, false);
    F(pack)(spare, j->half, h, z);
    F(lay)(&real, h, F(transform)(&j->plan, z, spare), scale, true);
  } else { /* odd n: parts exchanged, as for every inverse */
    F(gather)(&half, h + 1, z, true);
    z[0] = (V){0};
    for (int64_t k = 1; k <= h; k++) {
      z[2 * (n - k)] = -z[2 * k];
      z[2 * (n - k) + 1] = z[2 * k + 1];
    }
    F(lay_reals)(&real, n, F(transform)(&j->plan, z, spare) + 1, scale);
  }
}

static void F(bundles)(void *ctx, int64_t lo, int64_t hi) {
  F(job) *j = ctx;
  V *z = pti_cpu_host->alloc(2 * j->room * sizeof(V));
  if (z == NULL) {
    atomic_store(&j->failed, true);
    return;
  }
  for (int64_t at = lo; at < hi && pti_cpu_host->poll(); at++) {
    if (j->f->kind == PTI_FFT_COMPLEX) F(complex_bundle)(j, at * LANES, z, z + j->room);
    else F(real_bundle)(j, at * LANES, z, z + j->room);
  }
  pti_cpu_host->free(z, 2 * j->room * sizeof(V));
}

/* ---- lines cut into matrices ---- */

/* y[k] = x[k] w[k] scale, `xs` and `ys` numbers apart; parts exchanged on the way in and out. In
   vectors of either part: GCC 12 fuses what it finds in products of pairs, whatever its flags say. */
static void F(line_times)(C *y, int64_t ys, const C *x, int64_t xs, const C *w, int64_t n, bool in,
                          bool out, T scale) {
  for (int64_t at = 0; at < n; at += LANES) {
    C a[LANES] = {0}, b[LANES] = {0};
    int count = (int)pti_min64(LANES, n - at);
    for (int i = 0; i < count; i++) a[i] = x[(at + i) * xs], b[i] = w[at + i];
    V z[2], u[2];
    F(split)(&a[0].re, z + in, z + !in);
    F(split)(&b[0].re, u, u + 1);
    F(times_one)(z, z, u, out);
    F(merge)(&a[0].re, z, z + 1, scale);
    for (int i = 0; i < count; i++) y[(at + i) * ys] = a[i];
  }
}

/* One line of complex numbers, `stride` apart; `room`: 3 m numbers. */
static bool F(long_line)(const F(plan) * p, C *x, C *y, int64_t stride, bool swap, T scale,
                         C *room) {
  int64_t n = p->n, m = p->m;
  F(cut) j = {.p = p, .x = x, .y = y, .middle = room, .xs = stride, .ys = stride, .scale = scale};
  j.swap = j.swap_back = swap;
  if (!p->chirp) return F(cut_line)(&j);
  C *a = room + m, *b = a + m;
  F(line_times)(a, 1, x, stride, p->c, n, swap, false, 1);
  memset(a + n, 0, (size_t)(m - n) * sizeof(C));
  j = (F(cut)){.p = p, .x = a, .y = b, .middle = room, .xs = 1, .ys = 1, .scale = 1};
  if (!F(cut_line)(&j)) return false;
  F(line_times)(b, 1, b, 1, p->b, m, false, true, 1); /* the way back is forward, too */
  j.x = b;
  j.y = a;
  if (!F(cut_line)(&j)) return false;
  F(line_times)(y, stride, a, 1, p->c, n, true, swap, scale);
  return true;
}

/* One real line through a complex one; `line` has room for n numbers. */
static bool F(long_real)(const F(job) * j, int64_t at, C *line, C *room) {
  const pti_fft *f = j->f;
  int64_t n = f->n, h = n / 2;
  bool from = f->kind == PTI_FFT_FROM_REAL;
  T *real = (T *)(from ? j->x : j->y) + at * n;
  C *half = (from ? j->y : j->x) + at * (h + 1);
  if (from) {
    for (int64_t k = 0; k < n; k++) line[k] = (C){real[k], 0};
  } else {
    line[0] = (C){half[0].re, 0};
    for (int64_t k = 1; k <= h; k++) {
      line[k] = half[k];
      line[n - k] = (C){half[k].re, -half[k].im};
    }
    if (n % 2 == 0) line[h].im = 0;
  }
  if (!F(long_line)(&j->plan, line, line, 1, !from, (T)f->scale, room)) return false;
  if (from) memcpy(half, line, (size_t)(h + 1) * sizeof(C));
  for (int64_t k = 0; !from && k < n; k++) real[k] = line[k].re;
  return true;
}

static bool F(long_lines)(F(job) * j, C *room) {
  const pti_fft *f = j->f;
  bool real = f->kind != PTI_FFT_COMPLEX, ok = true;
  for (int64_t i = 0; ok && i < j->lines && pti_cpu_host->poll(); i++) {
    int64_t place = i / f->inner * f->n * f->inner + i % f->inner;
    ok = real ? F(long_real)(j, i, room + 3 * j->plan.m, room)
              : F(long_line)(&j->plan, j->x + place, j->y + place, f->inner, f->inverse,
                             (T)f->scale, room);
  }
  return ok;
}

static bool F(fft)(const pti_fft *f, const void *x, void *y) {
  F(job) j = {.f = f, .x = (C *)x, .y = y, .lines = f->outer * f->inner};
  bool real = f->kind != PTI_FFT_COMPLEX;
  F(plan) *p = &j.plan;
  F(plan_shape)(p, f->n, j.lines);
  bool halved = real && f->n % 2 == 0 && !p->cut;
  if (halved) F(plan_shape)(p, f->n / 2, j.lines);
  j.room = (size_t)(2 * pti_max64(p->m, p->n + 1));
  /* What long lines and the making of a plan use: numbers, or bundles. */
  int64_t numbers = (p->cut ? 3 * p->m + (real ? f->n : 0) : 0) + (halved ? f->n / 2 : 0);
  size_t bytes = (size_t)numbers * sizeof(C) + (size_t)(p->chirp ? 5 * p->m : 0) * sizeof(V);
  char *block = bytes ? pti_cpu_host->alloc(bytes) : NULL;
  bool ok = (bytes == 0 || block) && F(plan_init)(p);
  V *z = (V *)(void *)block;
  C *room = block ? (C *)(void *)(block + (p->chirp ? 5 * p->m : 0) * (int64_t)sizeof(V)) : NULL;
  if (ok && p->chirp) ok = F(chirp_init)(p, (C *)(z + 4 * p->m), room, z);
  if (ok && halved) {
    F(twiddles)(room, f->n / 2, f->n);
    j.half = room;
  }
  if (ok && p->cut) {
    ok = F(long_lines)(&j, room);
  } else if (ok) {
    int64_t count = (j.lines + LANES - 1) / LANES;
    pti_cpu_host->parallel_for(count, 1 + 16384 / (f->n * LANES), F(bundles), &j);
    ok = !atomic_load(&j.failed);
  }
  if (p->block) pti_cpu_host->free(p->block, p->bytes);
  if (block) pti_cpu_host->free(block, bytes);
  return ok;
}

#undef C
#undef V
#undef LANES
#undef WIDE
#undef TILE
#undef HALF
#undef PICK
#undef PICK_EVEN
#undef PICK_ODD
#undef PICK_LOW
#undef PICK_HIGH
#undef TURN_SQUARE
#undef GET
#undef SUM
#undef DIF
#undef TURNED
#undef PUT
#undef PUT_TIMES
