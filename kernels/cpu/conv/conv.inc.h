/* conv.inc.h: the loops of conv.c for one element type T; F(name) names them. */

/* `n` output positions of one line, from `at`, at the input line `line` (NULL: outside, zeros) for
   tap `tap`. */
static void F(take_line)(const pti_conv *p, const T *line, int64_t at, int64_t n, int64_t tap,
                         T *to) {
  int64_t step = p->stride[2], first = at * step + tap * p->dil[2] - p->pad[2], lo, hi;
  if (line == NULL) {
    memset(to, 0, (size_t)n * sizeof(T));
    return;
  }
  pti_reach(p->in[2], n, step, first, &lo, &hi);
  lo = pti_min64(lo, n);
  hi = pti_max64(hi, lo);
  if (lo > 0) memset(to, 0, (size_t)lo * sizeof(T));
  if (step == 1) memcpy(to + lo, line + first + lo, (size_t)(hi - lo) * sizeof(T));
  else
    for (int64_t i = lo; i < hi; i++) to[i] = line[first + i * step];
  if (hi < n) memset(to + hi, 0, (size_t)(n - hi) * sizeof(T));
}

/* The reverse: adds a line's worth of patch gradients to the input line. */
static void F(give_line)(const pti_conv *p, T *line, int64_t at, int64_t n, int64_t tap,
                         const T *from) {
  int64_t step = p->stride[2], first = at * step + tap * p->dil[2] - p->pad[2], lo, hi;
  pti_reach(p->in[2], n, step, first, &lo, &hi);
  for (int64_t i = lo; i < hi && step == 1; i++) line[first + i] += from[i];
  for (int64_t i = lo; i < hi && step != 1; i++) line[first + i * step] += from[i];
}

/* Where the input line for output line `row` (depth and height in one) and tap (d, h) begins; -1
   outside. */
static int64_t F(line_at)(const pti_conv *p, int64_t row, int64_t d, int64_t h) {
  int64_t plane = p->out[0] == 1 ? 0 : row / p->out[1];
  int64_t z = plane * p->stride[0] + d * p->dil[0] - p->pad[0];
  int64_t y = (row - plane * p->out[1]) * p->stride[1] + h * p->dil[1] - p->pad[1];
  if (z < 0 || z >= p->in[0] || y < 0 || y >= p->in[1]) return -1;
  return (z * p->in[1] + y) * p->in[2];
}

/* Patches of output positions [from, from + n) of `c` channels of one image: col (c * taps, n) with
   rows `ld` apart, or back into x where `give`. */
static void F(patches)(const pti_conv *p, T *x, int64_t c, int64_t from, int64_t n, T *col,
                       int64_t ld, bool give) {
  int64_t width = p->out[2], taps = pti_volume(p->k), plane = pti_volume(p->in);
  if (n == 0) return;
  for (int64_t i = 0; i < c * taps; i++) {
    int64_t tap = i % taps, w = tap % p->k[2], h = tap / p->k[2] % p->k[1],
            d = tap / p->k[2] / p->k[1];
    T *channel = x + i / taps * plane, *to = col + i * ld;
    int64_t row = from / width, at = from % width; /* lines are short: no division for each */
    for (int64_t left = n, many; left > 0; left -= many, to += many, row++, at = 0) {
      many = pti_min64(left, width - at);
      int64_t line = F(line_at)(p, row, d, h);
      if (!give) F(take_line)(p, line < 0 ? NULL : channel + line, at, many, w, to);
      else if (line >= 0) F(give_line)(p, channel + line, at, many, w, to);
    }
  }
}

/* A tile: `images` images from `image` on, `many` positions in all, those of one image from `from`. */
typedef struct F(tile) {
  int64_t image, images, from, many;
} F(tile);

static F(tile) F(tile_at)(const conv_job *j, int64_t set, int64_t tile) {
  int64_t out = pti_volume(j->p->out), image = set * j->images;
  F(tile) t = {.image = image, .images = pti_min64(j->images, j->p->n - image)};
  t.from = t.images > 1 ? 0 : tile * j->tile;
  t.many = t.images > 1 ? t.images * out : pti_min64(j->tile, out - t.from);
  return t;
}

/* The tile's patches of `c` channels from `channel` on, or back into x where `give`. */
static void F(tile_patches)(const pti_conv *p, F(tile) t, T *x, int64_t channel, int64_t c, T *col,
                            bool give) {
  int64_t out = pti_volume(p->out);
  for (int64_t i = 0; i < t.images; i++) {
    T *image = x + ((t.image + i) * p->c + channel) * pti_volume(p->in);
    F(patches)(p, image, c, t.from, t.images > 1 ? out : t.many, col + i * out, t.many, give);
  }
}

/* Channels [channel, channel + o) of y at the tile, as rows `*ld` apart: y itself where the tile is
   of one image, else a copy in `side`. */
static T *F(tile_rows)(const pti_conv *p, F(tile) t, T *y, int64_t channel, int64_t o, T *side,
                       int64_t *ld) {
  int64_t out = pti_volume(p->out);
  *ld = t.images > 1 ? t.many : out;
  if (t.images == 1) return y + (t.image * p->o + channel) * out + t.from;
  for (int64_t r = 0; r < o; r++) {
    for (int64_t i = 0; i < t.images; i++)
      memcpy(side + r * t.many + i * out, y + ((t.image + i) * p->o + channel + r) * out,
             (size_t)out * sizeof(T));
  }
  return side;
}

/* Scratch for a block's patches and for a tile's rows of `o` output channels. */
static T *F(scratch)(conv_job *j, int64_t o, size_t *bytes, T **side) {
  int64_t rows = j->block * pti_volume(j->p->k);
  *bytes = (size_t)((rows + (j->images > 1 ? o : 0)) * j->tile) * sizeof(T);
  T *col = pti_cpu_host->alloc(*bytes);
  if (col == NULL) atomic_store(&j->failed, true);
  *side = col ? col + rows * j->tile : NULL;
  return col;
}

/* Whether the input itself is the matrix of patches. */
static bool F(direct)(const conv_job *j) { return pointwise(j->p) && j->images == 1; }

/* Units: (set of images, group, tile). */
static void F(conv)(void *ctx, int64_t lo, int64_t hi) {
  conv_job *j = ctx;
  const pti_conv *p = j->p;
  int64_t c = p->c / p->groups, o = p->o / p->groups, taps = pti_volume(p->k), k = c * taps;
  int64_t in = pti_volume(p->in), out = pti_volume(p->out), ld;
  size_t bytes;
  T *side, *col = F(scratch)(j, o, &bytes, &side), *x = (T *)(uintptr_t)j->x;
  for (int64_t u = lo; u < hi && col; u++) {
    int64_t group = u / j->ntile % p->groups, first = group * o;
    F(tile) t = F(tile_at)(j, u / j->ntile / p->groups, u % j->ntile);
    T *y = t.images > 1 ? side : F(tile_rows)(p, t, (T *)j->y, first, o, NULL, &ld);
    if (t.images > 1) ld = t.many;
    for (int64_t r = 0; r < o && (j->bias || c == 0); r++) {
      T v = j->bias ? ((const T *)j->bias)[first + r] : 0;
      for (int64_t i = 0; i < t.many; i++) y[r * ld + i] = v;
    }
    for (int64_t at = 0; at < c; at += j->block) {
      int64_t many = pti_min64(j->block, c - at), channel = group * c + at;
      bool direct = F(direct)(j);
      const T *from = direct ? x + (t.image * p->c + channel) * in + t.from : col;
      if (!direct) F(tile_patches)(p, t, x, channel, many, col, false);
      pti_product(p->dtype, false, false, o, t.many, many * taps, 1,
                  (const T *)j->w + first * k + at * taps, k, from, direct ? in : t.many,
                  j->bias || at ? 1 : 0, y, ld);
    }
    for (int64_t r = 0; r < o && t.images > 1; r++) {
      for (int64_t i = 0; i < t.images; i++)
        memcpy((T *)j->y + ((t.image + i) * p->o + first + r) * out, side + r * ld + i * out,
               (size_t)out * sizeof(T));
    }
  }
  pti_cpu_host->free(col, bytes);
}

/* Units: (set of images, group, block); a unit owns its channels of x. */
static void F(conv_data)(void *ctx, int64_t lo, int64_t hi) {
  conv_job *j = ctx;
  const pti_conv *p = j->p;
  int64_t c = p->c / p->groups, o = p->o / p->groups, taps = pti_volume(p->k), k = c * taps;
  int64_t in = pti_volume(p->in), ld;
  size_t bytes;
  T *side, *col = F(scratch)(j, o, &bytes, &side), *x = (T *)j->y, *g = (T *)(uintptr_t)j->g;
  for (int64_t u = lo; u < hi && col; u++) {
    int64_t group = u / j->nblock % p->groups, set = u / j->nblock / p->groups,
            at = u % j->nblock * j->block;
    int64_t many = pti_min64(j->block, c - at), channel = group * c + at;
    F(tile) whole = F(tile_at)(j, set, 0);
    for (int64_t i = 0; i < whole.images * many; i++) {
      T v = j->bias ? ((const T *)j->bias)[channel + i % many] : 0;
      T *plane = x + ((whole.image + i / many) * p->c + channel + i % many) * in;
      for (int64_t q = 0; q < in; q++) plane[q] = v;
    }
    for (int64_t n = 0; n < j->ntile; n++) {
      F(tile) t = F(tile_at)(j, set, n);
      bool direct = F(direct)(j);
      const T *gy = F(tile_rows)(p, t, g, group * o, o, side, &ld);
      T *to = direct ? x + (t.image * p->c + channel) * in + t.from : col;
      pti_product(p->dtype, true, false, many * taps, t.many, o, 1,
                  (const T *)j->w + group * o * k + at * taps, k, gy, ld, direct ? 1 : 0, to,
                  direct ? in : t.many);
      if (!direct) F(tile_patches)(p, t, x, channel, many, col, true);
    }
  }
  pti_cpu_host->free(col, bytes);
}

/* Units: (group, block); a unit owns the columns of w that belong to its channels. */
static void F(conv_weight)(void *ctx, int64_t lo, int64_t hi) {
  conv_job *j = ctx;
  const pti_conv *p = j->p;
  int64_t c = p->c / p->groups, o = p->o / p->groups, taps = pti_volume(p->k), k = c * taps;
  int64_t in = pti_volume(p->in), ld;
  size_t bytes;
  T *side, *col = F(scratch)(j, o, &bytes, &side), *x = (T *)(uintptr_t)j->x;
  for (int64_t u = lo; u < hi && col; u++) {
    int64_t group = u / j->nblock, at = u % j->nblock * j->block;
    int64_t many = pti_min64(j->block, c - at), channel = group * c + at;
    T *w = (T *)j->y + group * o * k + at * taps;
    for (int64_t r = 0; r < o; r++) memset(w + r * k, 0, (size_t)(many * taps) * sizeof(T));
    for (int64_t n = 0; n < j->sets * j->ntile; n++) {
      F(tile) t = F(tile_at)(j, n / j->ntile, n % j->ntile);
      bool direct = F(direct)(j);
      const T *gy = F(tile_rows)(p, t, (T *)(uintptr_t)j->g, group * o, o, side, &ld);
      const T *from = direct ? x + (t.image * p->c + channel) * in + t.from : col;
      if (!direct) F(tile_patches)(p, t, x, channel, many, col, false);
      pti_product(p->dtype, false, true, o, many * taps, t.many, 1, gy, ld, from,
                  direct ? in : t.many, 1, w, k);
    }
  }
  pti_cpu_host->free(col, bytes);
}
