/* pooling.inc.h: the loops of pooling.c for one element type T; F(name) names them. Windows that are
   not adaptive go tap by tap along a line of outputs, which vectors can do. Units: planes. */

enum {
  F(LINE) = 512, /* outputs of a line at a time, a multiple of 16 */
  F(ROOM) = 1024 /* elements that their windows see, where all taps are taken at once */,
  F(TAPS) = 64
};

/* One tap of n windows side by side: their elements are `step` apart. The first of equal ones wins,
   NaN wins over all. */
static inline void F(max_step)(const T *x, int64_t step, int64_t n, T tap, T *best, T *at) {
  PTI_INDEPENDENT
  for (int64_t i = 0; i < n; i++) {
    T v = x[i * step];
    bool take = (v > best[i]) | ((v != v) & (best[i] == best[i]));
    best[i] = take ? v : best[i];
    at[i] = take ? tap : at[i];
  }
}
static void F(max_tap)(const T *x, int64_t step, int64_t n, T tap, T *best, T *at) {
  if (step == 1) F(max_step)(x, 1, n, tap, best, at);
  else if (step == 2) F(max_step)(x, 2, n, tap, best, at);
  else F(max_step)(x, step, n, tap, best, at);
}

/* The same for n windows, a multiple of 16: lines as short as these would be left to a loop's scalar end. */
static inline void F(max_steps)(const T *x, int64_t step, int64_t n, T tap, T *best, T *at) {
  for (int64_t from = 0; from < n; from += 16, x += 16 * step, best += 16, at += 16) {
    PTI_INDEPENDENT
    PTI_ROLLED
    for (int64_t i = 0; i < 16; i++) {
      T v = x[i * step];
      bool take = (v > best[i]) | ((v != v) & (best[i] == best[i]));
      best[i] = take ? v : best[i];
      at[i] = take ? tap : at[i];
    }
  }
}
/* `line`: the windows of n outputs in one line of input, its first tap at `start`, laid out with -infinity around it, so
   that no tap looks beyond. */
static void F(max_taps)(const pti_window *p, const T *line, int64_t start, int64_t n, int64_t tap,
                        T *best, T *at) {
  T x[F(ROOM)];
  int64_t step = p->stride[2], count = (n - 1) * step + (p->k[2] - 1) * p->dil[2] + 1;
  int64_t lo = pti_max64(0, -start), hi = pti_max64(lo, pti_min64(count, p->in[2] - start));
  lo = pti_min64(lo, count), hi = pti_min64(hi, count);
  for (int64_t i = 0; i < lo; i++) x[i] = (T)-INFINITY;
  if (lo < hi) memcpy(x + lo, line + start + lo, (size_t)(hi - lo) * sizeof(T));
  for (int64_t i = hi; i < count; i++) x[i] = (T)-INFINITY;
  for (int64_t w = 0; w < p->k[2]; w++) {
    const T *from = x + w * p->dil[2];
    if (step == 1) F(max_steps)(from, 1, n, (T)(tap + w), best, at);
    else if (step == 2) F(max_steps)(from, 2, n, (T)(tap + w), best, at);
    else F(max_steps)(from, step, n, (T)(tap + w), best, at);
  }
}

static inline void F(add_step)(const T *x, int64_t step, int64_t n, T *sum) {
  PTI_INDEPENDENT
  for (int64_t i = 0; i < n; i++) sum[i] += x[i * step];
}
static void F(add_tap)(const T *x, int64_t step, int64_t n, T *sum) {
  if (step == 1) F(add_step)(x, 1, n, sum);
  else if (step == 2) F(add_step)(x, 2, n, sum);
  else F(add_step)(x, step, n, sum);
}

static inline void F(give_step)(T *x, int64_t step, int64_t n, const T *share) {
  PTI_INDEPENDENT
  for (int64_t i = 0; i < n; i++) x[i * step] += share[i];
}
static void F(give_tap)(T *x, int64_t step, int64_t n, const T *share) {
  if (step == 1) F(give_step)(x, 1, n, share);
  else if (step == 2) F(give_step)(x, 2, n, share);
  else F(give_step)(x, step, n, share);
}

/* From the element of a window's first tap to that of tap `tap`. */
static int64_t F(tap_offset)(const pti_window *p, int64_t tap) {
  int64_t z = tap / p->k[2] / p->k[1] * p->dil[0], y = tap / p->k[2] % p->k[1] * p->dil[1];
  return (z * p->in[1] + y) * p->in[2] + tap % p->k[2] * p->dil[2];
}

/* The largest of one window, element by element. */
static int64_t F(largest)(const pti_window *p, const T *x, span a, span b, span c) {
  int64_t at = -1;
  for (int64_t z = a.from; z < a.until; z += a.step) {
    for (int64_t y = b.from; y < b.until; y += b.step) {
      for (int64_t w = c.from; w < c.until; w += c.step) {
        int64_t i = (z * p->in[1] + y) * p->in[2] + w;
        if (at < 0 || x[i] > x[at] || (x[i] != x[i] && x[at] == x[at])) at = i;
      }
    }
  }
  return at;
}

/* Outputs [from, from + n) of line (o[0], o[1]); offset: of the first TAPS taps. */
static void F(max_line)(const window_job *j, const T *x, int64_t from, int64_t n,
                        const int64_t o[2], const int64_t *offset, T *y, int64_t *index) {
  const pti_window *p = j->p;
  span a = window(p, 0, o[0]), b = window(p, 1, o[1]);
  T at[F(LINE)], best[F(LINE)];
  int64_t whole = (n + 15) / 16 * 16;
  bool short_line = (whole - 1) * p->stride[2] + (p->k[2] - 1) * p->dil[2] < F(ROOM);
  for (int64_t i = 0; i < whole; i++) best[i] = (T)-INFINITY, at[i] = -1;
  for (int64_t z = a.from; z < a.until && !p->adaptive; z += a.step) {
    for (int64_t r = b.from; r < b.until; r += b.step) {
      const T *line = x + (z * p->in[1] + r) * p->in[2];
      int64_t kz = (z - o[0] * p->stride[0] + p->pad[0]) / p->dil[0];
      int64_t ky = (r - o[1] * p->stride[1] + p->pad[1]) / p->dil[1];
      if (short_line) {
        F(max_taps)
        (p, line, from * p->stride[2] - p->pad[2], whole, (kz * p->k[1] + ky) * p->k[2], best, at);
      }
      for (int64_t w = 0; w < p->k[2] && !short_line; w++) {
        int64_t lo, hi;
        pti_reach(p->in[2], p->out[2], p->stride[2], w * p->dil[2] - p->pad[2], &lo, &hi);
        lo = pti_max64(lo, from);
        hi = pti_min64(hi, from + n);
        if (lo >= hi) continue;
        const T *at_tap = line + lo * p->stride[2] + w * p->dil[2] - p->pad[2];
        T tap = (T)((kz * p->k[1] + ky) * p->k[2] + w), *top = best + lo - from,
          *place = at + lo - from;
        F(max_tap)(at_tap, p->stride[2], hi - lo, tap, top, place);
      }
    }
  }
  int64_t corner =
      ((o[0] * p->stride[0] - p->pad[0]) * p->in[1] + o[1] * p->stride[1] - p->pad[1]) * p->in[2] -
      p->pad[2] + j->base;
  for (int64_t i = 0; i < n && !p->adaptive; i++) y[i] = best[i];
  for (int64_t i = 0; i < n && !p->adaptive; i++) {
    index[i] = corner + (from + i) * p->stride[2];
    if (at[i] >= 0)
      index[i] +=
          (int64_t)at[i] < F(TAPS) ? offset[(int64_t)at[i]] : F(tap_offset)(p, (int64_t)at[i]);
    else index[i] = (a.from * p->in[1] + b.from) * p->in[2] + window(p, 2, from + i).from + j->base;
  }
  for (int64_t i = 0; i < n && p->adaptive; i++) {
    int64_t place = F(largest)(p, x, a, b, window(p, 2, from + i));
    y[i] = x[place];
    index[i] = place + j->base;
  }
}

static void F(max_pool)(void *ctx, int64_t lo, int64_t hi) {
  const window_job *j = ctx;
  const pti_window *p = j->p;
  int64_t lines = p->out[0] * p->out[1];
  int64_t offset[F(TAPS)] = {0}, taps = pti_volume(p->k);
  for (int64_t tap = 0; tap < taps && tap < F(TAPS) && !p->adaptive; tap++)
    offset[tap] = F(tap_offset)(p, tap);
  for (int64_t l = lo * lines; l < hi * lines; l++) {
    const T *x = (const T *)j->x + l / lines * pti_volume(p->in);
    int64_t o[2] = {l % lines / p->out[1], l % p->out[1]};
    for (int64_t from = 0; from < p->out[2]; from += F(LINE)) {
      int64_t n = pti_min64(F(LINE), p->out[2] - from), at = l * p->out[2] + from;
      F(max_line)(j, x, from, n, o, offset, (T *)j->y + at, j->index + at);
    }
  }
}

static T F(divisor)(const pti_window *p, span a, span b, span c) {
  if (p->divisor != 0) return (T)p->divisor;
  if (p->count_pad) return (T)(a.count * b.count * c.count);
  int64_t n = (a.until - a.from + a.step - 1) / a.step *
      ((b.until - b.from + b.step - 1) / b.step) * ((c.until - c.from + c.step - 1) / c.step);
  return (T)(n > 0 ? n : 1);
}

/* Sums of windows over a line of outputs, or, where `give`, the reverse: `y` given to their elements. */
static void F(average_line)(const pti_window *p, T *x, int64_t from, int64_t n, const int64_t o[2],
                            T *y, bool give) {
  span a = window(p, 0, o[0]), b = window(p, 1, o[1]);
  for (int64_t z = a.from; z < a.until; z += a.step) {
    for (int64_t r = b.from; r < b.until; r += b.step) {
      T *line = x + (z * p->in[1] + r) * p->in[2];
      for (int64_t i = 0; i < n && p->adaptive; i++) {
        span c = window(p, 2, from + i);
        for (int64_t w = c.from; w < c.until; w++) {
          if (give) line[w] += y[i];
          else y[i] += line[w];
        }
      }
      for (int64_t w = 0; w < p->k[2] && !p->adaptive; w++) {
        int64_t lo, hi;
        pti_reach(p->in[2], p->out[2], p->stride[2], w * p->dil[2] - p->pad[2], &lo, &hi);
        lo = pti_max64(lo, from);
        hi = pti_min64(hi, from + n);
        if (lo >= hi) continue;
        T *at = line + lo * p->stride[2] + w * p->dil[2] - p->pad[2];
        if (give) F(give_tap)(at, p->stride[2], hi - lo, y + lo - from);
        else F(add_tap)(at, p->stride[2], hi - lo, y + lo - from);
      }
    }
  }
}

/* What each window of a line is divided by. */
static void F(divisors)(const pti_window *p, int64_t from, int64_t n, const int64_t o[2], T *d) {
  span a = window(p, 0, o[0]), b = window(p, 1, o[1]);
  for (int64_t i = 0; i < n; i++) d[i] = F(divisor)(p, a, b, window(p, 2, from + i));
}

static void F(avg_pool)(void *ctx, int64_t lo, int64_t hi) {
  const window_job *j = ctx;
  const pti_window *p = j->p;
  int64_t lines = p->out[0] * p->out[1];
  T d[F(LINE)];
  for (int64_t l = lo * lines; l < hi * lines; l++) {
    T *x = (T *)(uintptr_t)j->x + l / lines * pti_volume(p->in);
    int64_t o[2] = {l % lines / p->out[1], l % p->out[1]};
    for (int64_t from = 0; from < p->out[2]; from += F(LINE)) {
      int64_t n = pti_min64(F(LINE), p->out[2] - from);
      T *y = (T *)j->y + l * p->out[2] + from;
      memset(y, 0, (size_t)n * sizeof(T));
      F(average_line)(p, x, from, n, o, y, false);
      F(divisors)(p, from, n, o, d);
      for (int64_t i = 0; i < n; i++) y[i] /= d[i];
    }
  }
}

/* Every window gives its share of the gradient to all of its elements. */
static void F(avg_pool_grad)(void *ctx, int64_t lo, int64_t hi) {
  const window_job *j = ctx;
  const pti_window *p = j->p;
  int64_t lines = p->out[0] * p->out[1], in = pti_volume(p->in);
  T d[F(LINE)];
  memset((T *)j->y + lo * in, 0, (size_t)((hi - lo) * in) * sizeof(T));
  for (int64_t l = lo * lines; l < hi * lines; l++) {
    T *x = (T *)j->y + l / lines * in;
    int64_t o[2] = {l % lines / p->out[1], l % p->out[1]};
    for (int64_t from = 0; from < p->out[2]; from += F(LINE)) {
      int64_t n = pti_min64(F(LINE), p->out[2] - from);
      const T *g = (const T *)j->x + l * p->out[2] + from;
      F(divisors)(p, from, n, o, d);
      for (int64_t i = 0; i < n; i++) d[i] = g[i] / d[i];
      F(average_line)(p, x, from, n, o, d, true);
    }
  }
}
