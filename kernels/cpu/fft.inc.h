/* fft.inc.h: transforms in one type T. F(name) makes a name of this type. A line is n complex
   numbers, each of them `s` neighbours wide: the s lines beside each other are transformed at once.
   Directions: the passes compute the forward transform; the inverse is the forward one with real
   and imaginary parts exchanged on the way in and out. */

typedef struct F(cpx) {
  T re, im;
} F(cpx);
#define C F(cpx)

static inline C F(mul)(C a, C b) {
  return (C){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
static inline C F(add)(C a, C b) { return (C){a.re + b.re, a.im + b.im}; }
static inline C F(sub)(C a, C b) { return (C){a.re - b.re, a.im - b.im}; }
static inline C F(turn)(C a) { return (C){a.im, -a.re}; } /* times -i */
static inline C F(scaled)(C a, T s) { return (C){a.re * s, a.im * s}; }

/* w[k] = exp(-2 pi i k / n), as products of two short tables. */
static void F(twiddles)(C *w, int64_t n) {
  enum { SHORT = 1024 };
  double low[SHORT][2], re, im;
  int64_t step = n < SHORT ? n : SHORT;
  for (int64_t k = 0; k < step; k++) unit(k, n, &low[k][0], &low[k][1]);
  for (int64_t at = 0; at < n; at += step) {
    unit(at, n, &re, &im);
    for (int64_t k = 0; k < step && at + k < n; k++) {
      double x = low[k][0], y = low[k][1];
      w[at + k] = (C){(T)(x * re - y * im), (T)(-(x * im + y * re))};
    }
  }
}

/* ---- passes ---- */

typedef struct F(pass) {
  const C *x, *w; /* w: of the whole length, taken in steps of `step` */
  C *y;
  int64_t m, s, step; /* m: numbers of this pass's length over p; s: width */
  int p;
} F(pass);

/* Neighbours q0 to q1 of butterfly j. */
#define BUTTERFLY(name) \
  static inline void F(name)(const F(pass) * a, int64_t j, int64_t q0, int64_t q1)
#define ENDS                            \
  int64_t s = a->s, far = s * a->m;     \
  const C *x = a->x + s * j, *w = a->w; \
  C *y = a->y + s * a->p * j;           \
  int64_t at = j * a->step

BUTTERFLY(pass2) {
  ENDS;
  C w1 = w[at];
  for (int64_t q = q0; q < q1; q++) {
    C u = x[q], v = x[q + far];
    y[q] = F(add)(u, v);
    y[q + s] = F(mul)(F(sub)(u, v), w1);
  }
}

BUTTERFLY(pass3) {
  ENDS;
  const T half = (T)0.5, sine = (T)0.86602540378443864676;
  C w1 = w[at], w2 = w[2 * at];
  for (int64_t q = q0; q < q1; q++) {
    C u = x[q], v = x[q + far], z = x[q + 2 * far];
    C sum = F(add)(v, z), d = F(turn)(F(scaled)(F(sub)(v, z), sine));
    C base = F(sub)(u, F(scaled)(sum, half));
    y[q] = F(add)(u, sum);
    y[q + s] = F(mul)(F(add)(base, d), w1);
    y[q + 2 * s] = F(mul)(F(sub)(base, d), w2);
  }
}

BUTTERFLY(pass4) {
  ENDS;
  C w1 = w[at], w2 = w[2 * at], w3 = w[3 * at];
  for (int64_t q = q0; q < q1; q++) {
    C u = x[q], v = x[q + far], z = x[q + 2 * far], t = x[q + 3 * far];
    C even = F(add)(u, z), odd = F(add)(v, t), d = F(sub)(u, z), e = F(turn)(F(sub)(v, t));
    y[q] = F(add)(even, odd);
    y[q + s] = F(mul)(F(add)(d, e), w1);
    y[q + 2 * s] = F(mul)(F(sub)(even, odd), w2);
    y[q + 3 * s] = F(mul)(F(sub)(d, e), w3);
  }
}

/* Any odd radix: pairs of inputs and outputs are conjugate to each other. */
BUTTERFLY(pass_odd) {
  ENDS;
  int p = a->p, h = p / 2;
  T cosine[LARGEST], sine[LARGEST];
  for (int k = 0; k < p; k++) {
    double re, im;
    unit(k, p, &re, &im);
    cosine[k] = (T)re;
    sine[k] = (T)im;
  }
  for (int64_t q = q0; q < q1; q++) {
    C sum[LARGEST / 2];
    C dif[LARGEST / 2];
    C first = x[q];
    C total = first;
    for (int k = 1; k <= h; k++) {
      C u = x[q + k * far];
      C v = x[q + (p - k) * far];
      sum[k - 1] = F(add)(u, v);
      dif[k - 1] = F(sub)(u, v);
      total = F(add)(total, sum[k - 1]);
    }
    y[q] = total;
    for (int o = 1; o <= h; o++) {
      C even = first;
      C odd = {0, 0};
      for (int k = 1; k <= h; k++) {
        even = F(add)(even, F(scaled)(sum[k - 1], cosine[o * k % p]));
        odd = F(add)(odd, F(scaled)(dif[k - 1], sine[o * k % p]));
      }
      odd = F(turn)(odd);
      y[q + o * s] = F(mul)(F(add)(even, odd), w[o * at]);
      y[q + (p - o) * s] = F(mul)(F(sub)(even, odd), w[(p - o) * at]);
    }
  }
}

/* Numbers [lo, hi) of the m s of each input: j s + q. */
static void F(pass_range)(void *ctx, int64_t lo, int64_t hi) {
  const F(pass) *a = ctx;
  for (int64_t j = lo / a->s, q0 = lo % a->s; j * a->s + q0 < hi; j++, q0 = 0) {
    int64_t q1 = pti_min64(hi - j * a->s, a->s);
    switch (a->p) {
    case 2: F(pass2)(a, j, q0, q1); break;
    case 3: F(pass3)(a, j, q0, q1); break;
    case 4: F(pass4)(a, j, q0, q1); break;
    default: F(pass_odd)(a, j, q0, q1);
    }
  }
}

/* The forward transform of a line in x, which is used up; the result is where the return value
   points: x or spare. */
static C *F(forward)(const radices *r, const C *w, C *x, C *spare, int64_t s, bool threads) {
  int64_t left = r->n;
  for (int i = 0; i < r->count; i++) {
    int p = r->p[i];
    F(pass) a = {.x = x, .w = w, .y = spare, .m = left / p, .s = s, .step = r->n / left, .p = p};
    int64_t count = a.m * s;
    if (threads) pti_cpu_host->parallel_for(count, 8192, F(pass_range), &a);
    else F(pass_range)(&a, 0, count);
    left /= p;
    s *= p;
    C *t = x;
    x = spare;
    spare = t;
  }
  return x;
}

/* ---- a plan for one length ---- */

typedef struct F(plan) {
  radices r;  /* of the length, or of Bluestein's convolution */
  C *w;       /* r.n of them */
  int64_t n;  /* the length */
  bool chirp; /* Bluestein's way */
  C *c;       /* (n) exp(-pi i k^2 / n) */
  C *b;       /* (r.n) transform of the conjugate of c, wrapped around, over r.n */
  char *block;
  size_t bytes;
} F(plan);

static bool F(plan_init)(F(plan) * p, int64_t n) {
  p->n = n;
  p->chirp = !factor(n, &p->r);
  if (p->chirp) {
    int64_t m = 1;
    while (m < 2 * n - 1) m *= 2;
    factor(m, &p->r);
  }
  int64_t m = p->r.n;
  p->bytes = (size_t)(m + (p->chirp ? n + 2 * m : 0)) * sizeof(C);
  if ((p->block = pti_cpu_host->alloc(p->bytes)) == NULL) return false;
  p->w = (C *)(void *)p->block;
  F(twiddles)(p->w, m);
  if (!p->chirp) return true;
  p->c = p->w + m;
  p->b = p->c + n;
  C *spare = p->b + m;
  memset(p->b, 0, (size_t)m * sizeof(C));
  for (int64_t k = 0, square = 0; k < n; square = (square + 2 * k + 1) % (2 * n), k++) {
    double re, im;
    unit(square, 2 * n, &re, &im);
    p->c[k] = (C){(T)re, (T)-im};
    C conj = {(T)(re / (double)m), (T)(im / (double)m)};
    p->b[k] = conj;
    if (k > 0) p->b[m - k] = conj;
  }
  C *y = F(forward)(&p->r, p->w, p->b, spare, 1, m >= LONG_LINE);
  if (y != p->b) p->b = y;
  return true;
}

/* Elements of scratch that a line of width s wants, besides the line itself. */
static int64_t F(scratch)(const F(plan) * p, int64_t s) {
  return (p->chirp ? 2 * p->r.n : p->n) * s;
}

/* y = the forward transform of the line in x, which may be used up; y may be x or within scratch. */
static C *F(transform)(const F(plan) * p, C *x, C *scratch, int64_t s, bool threads) {
  if (!p->chirp) return F(forward)(&p->r, p->w, x, scratch, s, threads);
  int64_t n = p->n, m = p->r.n;
  C *a = scratch, *spare = scratch + m * s;
  for (int64_t k = 0; k < n; k++) {
    for (int64_t q = 0; q < s; q++) a[k * s + q] = F(mul)(x[k * s + q], p->c[k]);
  }
  memset(a + n * s, 0, (size_t)((m - n) * s) * sizeof(C));
  C *y = F(forward)(&p->r, p->w, a, spare, s, threads);
  spare = y == a ? spare : a;
  for (int64_t k = 0; k < m; k++) { /* the product, its parts exchanged: the way back is forward */
    for (int64_t q = 0; q < s; q++) {
      C z = F(mul)(y[k * s + q], p->b[k]);
      y[k * s + q] = (C){z.im, z.re};
    }
  }
  y = F(forward)(&p->r, p->w, y, spare, s, threads);
  for (int64_t k = 0; k < n; k++) {
    for (int64_t q = 0; q < s; q++) {
      C z = y[k * s + q];
      x[k * s + q] = F(mul)((C){z.im, z.re}, p->c[k]);
    }
  }
  return x;
}

/* ---- lines ---- */

typedef struct F(job) {
  const pti_fft *f;
  F(plan) plan;
  const C *half; /* real transforms of even length: exp(-2 pi i k / n), k <= n / 4 and more */
  const void *x;
  void *y;
  int64_t chunks; /* groups of neighbouring lines in `inner` */
  bool threads;
  atomic_bool failed;
} F(job);

/* Lines q0 to q0 + s of outer entry o. */
static void F(complex_lines)(const F(job) * j, int64_t o, int64_t q0, int64_t s, C *line,
                             C *scratch) {
  const pti_fft *f = j->f;
  const C *x = (const C *)j->x + o * f->n * f->inner + q0;
  C *to = (C *)j->y + o * f->n * f->inner + q0;
  T scale = (T)f->scale;
  for (int64_t k = 0; k < f->n; k++, x += f->inner) {
    for (int64_t q = 0; q < s; q++) {
      line[k * s + q] = f->inverse ? (C){x[q].im, x[q].re} : x[q];
    }
  }
  const C *y = F(transform)(&j->plan, line, scratch, s, j->threads);
  for (int64_t k = 0; k < f->n; k++, to += f->inner) {
    for (int64_t q = 0; q < s; q++) {
      C z = F(scaled)(y[k * s + q], scale);
      to[q] = f->inverse ? (C){z.im, z.re} : z;
    }
  }
}

/* n real numbers to the first n / 2 + 1 of their transform. */
static void F(from_real)(const F(job) * j, int64_t o, C *line, C *scratch) {
  int64_t n = j->f->n, h = n / 2;
  const T *x = (const T *)j->x + o * n;
  C *to = (C *)j->y + o * (h + 1);
  T scale = (T)j->f->scale;
  if (j->half == NULL) {
    for (int64_t k = 0; k < n; k++) line[k] = (C){x[k], 0};
    const C *y = F(transform)(&j->plan, line, scratch, 1, j->threads);
    for (int64_t k = 0; k <= h; k++) to[k] = F(scaled)(y[k], scale);
    return;
  }
  memcpy(line, x, (size_t)n * sizeof(T)); /* even places are real parts, odd ones imaginary */
  const C *z = F(transform)(&j->plan, line, scratch, 1, j->threads);
  T half = scale / 2;
  to[0] = (C){(z[0].re + z[0].im) * scale, 0};
  to[h] = (C){(z[0].re - z[0].im) * scale, 0};
  for (int64_t k = 1; k < h; k++) {
    C a = z[k], b = {z[h - k].re, -z[h - k].im};
    C even = F(add)(a, b), odd = F(turn)(F(sub)(a, b));
    to[k] = F(scaled)(F(add)(even, F(mul)(odd, j->half[k])), half);
  }
}

/* The other way, without 1 / n: n / 2 + 1 numbers stand for a spectrum that is conjugate to itself. */
static void F(to_real)(const F(job) * j, int64_t o, C *line, C *scratch) {
  int64_t n = j->f->n, h = n / 2;
  const C *x = (const C *)j->x + o * (h + 1);
  T *to = (T *)j->y + o * n, scale = (T)j->f->scale;
  if (j->half == NULL) { /* parts exchanged, as for every inverse */
    line[0] = (C){0, x[0].re};
    for (int64_t k = 1; k <= (n - 1) / 2; k++) {
      line[k] = (C){x[k].im, x[k].re};
      line[n - k] = (C){-x[k].im, x[k].re};
    }
    if (n % 2 == 0 && n > 0) line[h] = (C){0, x[h].re};
    const C *y = F(transform)(&j->plan, line, scratch, 1, j->threads);
    for (int64_t k = 0; k < n; k++) to[k] = y[k].im * scale;
    return;
  }
  line[0] = (C){x[0].re - x[h].re, x[0].re + x[h].re};
  for (int64_t k = 1; k < h; k++) {
    C a = x[k], b = {x[h - k].re, -x[h - k].im}, w = {j->half[k].re, -j->half[k].im};
    C even = F(add)(a, b), odd = F(mul)(F(sub)(a, b), w);
    C z = F(sub)(even, F(turn)(odd)); /* even + i odd */
    line[k] = (C){z.im, z.re};
  }
  const C *y = F(transform)(&j->plan, line, scratch, 1, j->threads);
  for (int64_t k = 0; k < h; k++) {
    to[2 * k] = y[k].im * scale;
    to[2 * k + 1] = y[k].re * scale;
  }
}

static void F(lines)(void *ctx, int64_t lo, int64_t hi) {
  F(job) *j = ctx;
  const pti_fft *f = j->f;
  int64_t width = f->kind == PTI_FFT_COMPLEX ? pti_min64(LANES, f->inner) : 1;
  int64_t own = pti_max64(f->n, 1) * width;
  size_t bytes = (size_t)(own + F(scratch)(&j->plan, width)) * sizeof(C);
  C *line = pti_cpu_host->alloc(bytes);
  if (line == NULL) {
    atomic_store(&j->failed, true);
    return;
  }
  for (int64_t at = lo; at < hi && pti_cpu_host->poll(); at++) {
    int64_t o = at / j->chunks, q = at % j->chunks * LANES;
    if (f->kind == PTI_FFT_FROM_REAL) F(from_real)(j, at, line, line + own);
    else if (f->kind == PTI_FFT_TO_REAL) F(to_real)(j, at, line, line + own);
    else F(complex_lines)(j, o, q, pti_min64(LANES, f->inner - q), line, line + own);
  }
  pti_cpu_host->free(line, bytes);
}

static bool F(run)(const pti_fft *f, const void *x, void *y) {
  F(job) j = {.f = f, .x = x, .y = y, .chunks = 1};
  bool real = f->kind != PTI_FFT_COMPLEX, halved = real && f->n % 2 == 0;
  if (!real) j.chunks = (f->inner + LANES - 1) / LANES;
  size_t bytes = 0;
  C *half = NULL;
  bool ok = F(plan_init)(&j.plan, halved ? f->n / 2 : f->n);
  if (ok && halved) {
    bytes = (size_t)f->n * sizeof(C);
    ok = (half = pti_cpu_host->alloc(bytes)) != NULL;
    if (ok) F(twiddles)(half, f->n);
    j.half = half;
  }
  if (ok) {
    int64_t count = f->outer * j.chunks;
    j.threads = f->n >= LONG_LINE && count < 8;
    if (j.threads) F(lines)(&j, 0, count);
    else pti_cpu_host->parallel_for(count, 1 + 16384 / (f->n * LANES), F(lines), &j);
    ok = !atomic_load(&j.failed);
  }
  if (half) pti_cpu_host->free(half, bytes);
  if (j.plan.block) pti_cpu_host->free(j.plan.block, j.plan.bytes);
  return ok;
}
#undef C
#undef BUTTERFLY
#undef ENDS
