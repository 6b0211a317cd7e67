/* conv.inc.h: the loops of conv.c for one element type T; F(name) names them. */

/* `n` output positions of one line, from `at`, at the input line `line` (NULL: outside, zeros) for
   tap `tap`. */
static void F(take_line)(const pti_conv *p, const T *line, int64_t at, int64_t n, int64_t tap,
                         T *to) {
  int64_t step = p->stride[2], first = at * step + tap * p->dil[2] - p->pad[2], width = p->in[2];
  if (line == NULL) {
    memset(to, 0, (size_t)n * sizeof(T));
    return;
  }
  if (step != 1) {
    for (int64_t i = 0; i < n; i++) {
      int64_t w = first + i * step;
      to[i] = w >= 0 && w < width ? line[w] : 0;
    }
    return;
  }
  int64_t before = first < 0 ? -first : 0, until = width - first;
  if (before > n) before = n;
  if (until > n) until = n;
  if (until < before) until = before;
  memset(to, 0, (size_t)before * sizeof(T));
  memcpy(to + before, line + first + before, (size_t)(until - before) * sizeof(T));
  memset(to + until, 0, (size_t)(n - until) * sizeof(T));
}

/* The reverse: adds a line's worth of patch gradients to the input line. */
static void F(give_line)(const pti_conv *p, T *line, int64_t at, int64_t n, int64_t tap,
                         const T *from) {
  int64_t step = p->stride[2], first = at * step + tap * p->dil[2] - p->pad[2], width = p->in[2];
  if (step == 1) {
    int64_t before = first < 0 ? -first : 0, until = width - first < n ? width - first : n;
    for (int64_t i = before; i < until; i++) line[first + i] += from[i];
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    int64_t w = first + i * step;
    if (w >= 0 && w < width) line[w] += from[i];
  }
}

/* Where the input line for output line `row` (depth and height in one) and tap (d, h) begins; -1
   outside. */
static int64_t F(line_at)(const pti_conv *p, int64_t row, int64_t d, int64_t h) {
  int64_t z = row / p->out[1] * p->stride[0] + d * p->dil[0] - p->pad[0];
  int64_t y = row % p->out[1] * p->stride[1] + h * p->dil[1] - p->pad[1];
  if (z < 0 || z >= p->in[0] || y < 0 || y >= p->in[1]) return -1;
  return (z * p->in[1] + y) * p->in[2];
}

/* Patches of output positions [from, from + n) of `c` channels: col (c * taps, n), or back into x
   where `give`. */
static void F(patches)(const pti_conv *p, T *x, int64_t c, int64_t from, int64_t n, T *col,
                       bool give) {
  int64_t width = p->out[2], taps = volume(p->k), plane = volume(p->in);
  for (int64_t i = 0; i < c * taps; i++) {
    int64_t tap = i % taps, w = tap % p->k[2], h = tap / p->k[2] % p->k[1],
            d = tap / p->k[2] / p->k[1];
    T *channel = x + i / taps * plane, *to = col + i * n;
    for (int64_t at = from; at < from + n;) {
      int64_t left = width - at % width, many = from + n - at < left ? from + n - at : left;
      int64_t line = F(line_at)(p, at / width, d, h);
      if (!give) F(take_line)(p, line < 0 ? NULL : channel + line, at % width, many, w, to);
      else if (line >= 0) F(give_line)(p, channel + line, at % width, many, w, to);
      to += many;
      at += many;
    }
  }
}

/* Scratch for patches; NULL with *ok true where the input serves as it is. */
static T *F(scratch)(job *j, int64_t rows, size_t *bytes, bool *direct) {
  *bytes = (size_t)(rows * j->tile) * sizeof(T);
  *direct = pointwise(j->p);
  T *col = *direct ? NULL : pti_cpu_host->alloc(*bytes);
  if (col == NULL && !*direct) atomic_store(&j->failed, true);
  return col;
}

/* Units: (image, group, tile). */
static void F(forward)(void *ctx, int64_t lo, int64_t hi) {
  job *j = ctx;
  const pti_conv *p = j->p;
  int64_t c = p->c / p->groups, o = p->o / p->groups, k = c * volume(p->k), in = volume(p->in),
          out = volume(p->out);
  size_t bytes;
  bool direct;
  T *col = F(scratch)(j, k, &bytes, &direct);
  if (atomic_load(&j->failed)) return;
  for (int64_t u = lo; u < hi; u++) {
    int64_t from = u % j->ntile * j->tile, g = u / j->ntile % p->groups,
            n = u / j->ntile / p->groups;
    int64_t many = out - from < j->tile ? out - from : j->tile;
    T *x = (T *)(uintptr_t)j->x + (n * p->c + g * c) * in;
    T *y = (T *)j->y + (n * p->o + g * o) * out + from;
    const T *w = (const T *)j->w + g * o * k, *bias = (const T *)j->bias;
    for (int64_t r = 0; r < o && bias; r++) {
      for (int64_t i = 0; i < many; i++) y[r * out + i] = bias[g * o + r];
    }
    if (!direct) F(patches)(p, x, c, from, many, col, false);
    product(p, false, false, o, many, k, w, k, direct ? x + from : col, direct ? in : many, y, out,
            bias ? 1 : 0);
  }
  pti_cpu_host->free(col, bytes);
}

/* Units: (image, group, block of input channels); a unit owns its channels of x. */
static void F(data)(void *ctx, int64_t lo, int64_t hi) {
  job *j = ctx;
  const pti_conv *p = j->p;
  int64_t c = p->c / p->groups, o = p->o / p->groups, taps = volume(p->k), k = c * taps;
  int64_t in = volume(p->in), out = volume(p->out);
  size_t bytes;
  bool direct;
  T *col = F(scratch)(j, j->block * taps, &bytes, &direct);
  if (atomic_load(&j->failed)) return;
  for (int64_t u = lo; u < hi; u++) {
    int64_t g = u / j->nblock % p->groups, n = u / j->nblock / p->groups,
            first = u % j->nblock * j->block;
    int64_t many = c - first < j->block ? c - first : j->block;
    T *x = (T *)j->y + (n * p->c + g * c + first) * in;
    const T *w = (const T *)j->w + g * o * k + first * taps, *bias = (const T *)j->bias;
    const T *gy = (const T *)j->g + (n * p->o + g * o) * out;
    for (int64_t r = 0; r < many; r++) {
      T v = bias ? bias[g * c + first + r] : 0;
      for (int64_t i = 0; i < in; i++) x[r * in + i] = v;
    }
    for (int64_t from = 0; from < out; from += j->tile) {
      int64_t n2 = out - from < j->tile ? out - from : j->tile;
      product(p, true, false, many * taps, n2, o, w, k, gy + from, out, direct ? x + from : col,
              direct ? in : n2, direct ? 1 : 0);
      if (!direct) F(patches)(p, x, many, from, n2, col, true);
    }
  }
  pti_cpu_host->free(col, bytes);
}

/* Units: (group, block of input channels); a unit owns the columns of w that belong to its
   channels. */
static void F(weight)(void *ctx, int64_t lo, int64_t hi) {
  job *j = ctx;
  const pti_conv *p = j->p;
  int64_t c = p->c / p->groups, o = p->o / p->groups, taps = volume(p->k), k = c * taps;
  int64_t in = volume(p->in), out = volume(p->out);
  size_t bytes;
  bool direct;
  T *col = F(scratch)(j, j->block * taps, &bytes, &direct);
  if (atomic_load(&j->failed)) return;
  for (int64_t u = lo; u < hi; u++) {
    int64_t g = u / j->nblock, first = u % j->nblock * j->block;
    int64_t many = c - first < j->block ? c - first : j->block;
    T *w = (T *)j->y + g * o * k + first * taps;
    for (int64_t r = 0; r < o; r++) memset(w + r * k, 0, (size_t)(many * taps) * sizeof(T));
    for (int64_t n = 0; n < p->n; n++) {
      T *x = (T *)(uintptr_t)j->x + (n * p->c + g * c + first) * in;
      const T *gy = (const T *)j->g + (n * p->o + g * o) * out;
      for (int64_t from = 0; from < out; from += j->tile) {
        int64_t n2 = out - from < j->tile ? out - from : j->tile;
        if (!direct) F(patches)(p, x, many, from, n2, col, false);
        product(p, false, true, o, many * taps, n2, gy + from, out, direct ? x + from : col,
                direct ? in : n2, w, k, 1);
      }
    }
  }
  pti_cpu_host->free(col, bytes);
}

/* One channel in, one out: no product to gain from. Units: (image, channel). */
static void F(depthwise)(void *ctx, int64_t lo, int64_t hi) {
  job *j = ctx;
  const pti_conv *p = j->p;
  int64_t taps = volume(p->k), rows = p->out[0] * p->out[1], width = p->out[2], in = volume(p->in);
  T line[512];
  for (int64_t u = lo; u < hi; u++) {
    const T *x = (const T *)j->x + u * in, *w = (const T *)j->w + u % p->c * taps,
            *bias = (const T *)j->bias;
    T *y = (T *)j->y + u * rows * width;
    for (int64_t i = 0; i < rows * width; i++) y[i] = bias ? bias[u % p->c] : 0;
    for (int64_t tap = 0; tap < taps; tap++) {
      int64_t kw = tap % p->k[2], kh = tap / p->k[2] % p->k[1], kd = tap / p->k[2] / p->k[1];
      for (int64_t r = 0; r < rows; r++) {
        int64_t at = F(line_at)(p, r, kd, kh);
        for (int64_t i = 0; i < width && at >= 0; i += 512) {
          int64_t n = width - i < 512 ? width - i : 512;
          F(take_line)(p, x + at, i, n, kw, line);
          for (int64_t q = 0; q < n; q++) y[r * width + i + q] += w[tap] * line[q];
        }
      }
    }
  }
}
