/* depthwise.inc.h: convolution of one channel in and one out, for one element type T; F(name) names
   the loops. There is no product to gain from. A channel is copied into scratch with its padding
   (and, for the gradient of a stepped one, with zeros between its elements); there each tap is one
   long loop over neighbours, lines and all: what falls between two lines is computed and left out. */

enum {
  F(STRETCH) = 512 /* outputs at once, a multiple of 16: they stay in the first-level cache */
};

typedef T F(eight) __attribute__((vector_size(8 * sizeof(T)), aligned(sizeof(T)), may_alias));

/* Lines are short: vectors of eight that overlap at the end take a third of memcpy's time. */
static inline void F(copy_line)(T *to, const T *from, int64_t n) {
  if (n < 8 || n > 256) {
    memcpy(to, from, (size_t)n * sizeof(T));
    return;
  }
  for (int64_t i = 0; i + 8 < n; i += 8) *(F(eight) *)(to + i) = *(const F(eight) *)(from + i);
  *(F(eight) *)(to + n - 8) = *(const F(eight) *)(from + n - 8);
}

/* Copies the elements of the channel `from` to their places in `to`, whose other elements are zero. */
static void F(lay_out)(const T *from, const int64_t size[3], const int64_t space[3],
                       const int64_t lead[3], const int64_t room[3], T *to) {
  for (int64_t i = 0; i < size[0]; i++) {
    T *line = to + ((i * space[0] + lead[0]) * room[1] + lead[1]) * room[2] + lead[2];
    for (int64_t r = 0; r < size[1]; r++, line += space[1] * room[2], from += size[2]) {
      if (space[2] == 1) F(copy_line)(line, from, size[2]);
      else
        for (int64_t q = 0; q < size[2]; q++) line[q * space[2]] = from[q];
    }
  }
}

static T *F(slide_scratch)(slide_job *j, int64_t parts, int64_t *room, size_t *bytes) {
  *room = pti_volume(j->room) + F(STRETCH) * j->step[2];
  *bytes = (size_t)(*room * parts) * sizeof(T);
  T *scratch = pti_cpu_host->alloc(*bytes);
  if (scratch) memset(scratch, 0, *bytes);
  else atomic_store(&j->failed, true);
  return scratch;
}

static int64_t F(tap_at)(const slide_job *j, int64_t tap) {
  int64_t w = tap % j->k[2], h = tap / j->k[2] % j->k[1], d = tap / j->k[2] / j->k[1];
  return (d * j->dil[0] * j->room[1] + h * j->dil[1]) * j->room[2] + w * j->dil[2];
}

/* The sums of `taps` neighbours, for four vectors of outputs at a time, which stay in registers; n is a multiple of 16.
   */
typedef T F(sixteen) __attribute__((vector_size(16 * sizeof(T)), aligned(sizeof(T)), may_alias));
enum { F(TAPS_AT_ONCE) = 32 };
static void F(weigh_all)(const T *x, const int64_t *at, const T *w, int64_t taps, T bias, int64_t n,
                         T *y) {
  int64_t i = 0;
  F(sixteen) *to = (F(sixteen) *)y;
  for (; i + 64 <= n; i += 64, to += 4) {
    F(sixteen) a = (F(sixteen)){0} + bias, b = a, c = a, d = a;
    for (int64_t tap = 0; tap < taps; tap++) {
      const F(sixteen) *from = (const F(sixteen) *)(x + at[tap] + i);
      a += w[tap] * from[0];
      b += w[tap] * from[1];
      c += w[tap] * from[2];
      d += w[tap] * from[3];
    }
    to[0] = a, to[1] = b, to[2] = c, to[3] = d;
  }
  for (; i < n; i += 16, to++) {
    F(sixteen) a = (F(sixteen)){0} + bias;
    for (int64_t tap = 0; tap < taps; tap++) a += w[tap] * *(const F(sixteen) *)(x + at[tap] + i);
    *to = a;
  }
}

static inline void F(weigh)(const T *x, int64_t step, int64_t n, T w, T *y) {
  PTI_INDEPENDENT
  for (int64_t i = 0; i < n; i++) y[i] += w * x[i * step];
}

/* n outputs whose windows begin at x, `step` apart; distance: of the first taps. */
static void F(stretch)(const slide_job *j, const int64_t *distance, const T *x, const T *w, T bias,
                       int64_t n, T *y) {
  int64_t taps = pti_volume(j->k), step = j->step[2];
  if (step == 1 && taps <= F(TAPS_AT_ONCE)) {
    T weight[F(TAPS_AT_ONCE)];
    for (int64_t tap = 0; tap < taps; tap++) weight[tap] = w[j->flip ? taps - 1 - tap : tap];
    F(weigh_all)(x, distance, weight, taps, bias, n, y);
    return;
  }
  for (int64_t i = 0; i < n; i++) y[i] = bias;
  for (int64_t tap = 0; tap < taps; tap++) {
    const T *from = x + F(tap_at)(j, tap);
    T v = w[j->flip ? taps - 1 - tap : tap];
    if (step == 1) F(weigh)(from, 1, n, v, y);
    else if (step == 2) F(weigh)(from, 2, n, v, y);
    else F(weigh)(from, step, n, v, y);
  }
}

/* A run of outputs, `rows` lines of `width` whose windows begin `pitch` apart: as many whole lines at a time as fit a
   stretch, or parts of one. What falls between two lines is computed and left out. */
static void F(run_lines)(const slide_job *j, const int64_t *distance, const T *x, const T *w,
                         T bias, int64_t rows, T *to) {
  int64_t width = j->out[2], pitch = j->room[2];
  int64_t lines = pti_max64(1, F(STRETCH) / pitch);
  T y[F(STRETCH)];
  if (rows == 1 || pitch > F(STRETCH)) {
    for (int64_t i = 0, n; i < rows * width; i += n) {
      int64_t row = i / width, column = i % width;
      n = pti_min64(F(STRETCH), width - column);
      F(stretch)
      (j, distance, x + row * pitch + column * j->step[2], w, bias, (n + 15) / 16 * 16, y);
      F(copy_line)(to + i, y, n);
    }
    return;
  }
  for (int64_t row = 0; row < rows; row += lines) {
    int64_t many = pti_min64(lines, rows - row), n = (many - 1) * pitch + width;
    F(stretch)(j, distance, x + row * pitch, w, bias, (n + 15) / 16 * 16, y);
    for (int64_t i = 0; i < many; i++) F(copy_line)(to + (row + i) * width, y + i * pitch, width);
  }
}

/* Units: (image, channel). */
static void F(slide)(void *ctx, int64_t lo, int64_t hi) {
  slide_job *j = ctx;
  bool dense = j->step[1] == 1 && j->step[2] == 1; /* a plane is one run, else each line is */
  int64_t rows = dense ? j->out[1] : 1, kept = rows * j->out[2], room;
  int64_t runs = kept ? pti_volume(j->out) / kept : 0;
  int64_t pitch = j->room[2], distance[F(TAPS_AT_ONCE)];
  for (int64_t tap = 0; tap < pti_min64(pti_volume(j->k), F(TAPS_AT_ONCE)); tap++)
    distance[tap] = F(tap_at)(j, tap);
  size_t bytes;
  T *scratch = F(slide_scratch)(j, 1, &room, &bytes);
  for (int64_t u = lo; u < hi && scratch; u++) {
    const T *w = (const T *)j->w + u % j->channels * pti_volume(j->k);
    T bias = j->bias ? ((const T *)j->bias)[u % j->channels] : 0;
    F(lay_out)((const T *)j->x + u * pti_volume(j->in), j->in, j->space, j->lead, j->room, scratch);
    for (int64_t r = 0; r < runs; r++) {
      int64_t row = r * rows;
      const T *x = scratch +
          (row / j->out[1] * j->step[0] * j->room[1] + row % j->out[1] * j->step[1]) * pitch;
      T *to = (T *)j->y + u * pti_volume(j->out) + row * j->out[2];
      F(run_lines)(j, distance, x, w, bias, rows, to);
    }
  }
  pti_cpu_host->free(scratch, bytes);
}

/* The sum of x g over n neighbours, a multiple of 16. */
static double F(inner)(const T *x, const T *g, int64_t n) {
  double sum = 0;
  for (int64_t from = 0; from < n; from += F(STRETCH)) {
    T lane[16] = {0};
    for (int64_t i = from; i < pti_min64(n, from + F(STRETCH)); i += 16) {
      PTI_ROLLED
      for (int l = 0; l < 16; l++) lane[l] += x[i + l] * g[i + l];
    }
    for (int l = 0; l < 16; l++) sum += (double)lane[l];
  }
  return sum;
}

/* Gradients of weights; those of the outputs are spaced as their windows are. Units: channels. */
static void F(slide_weight)(void *ctx, int64_t lo, int64_t hi) {
  slide_job *j = ctx;
  const int64_t none[3] = {0};
  int64_t taps = pti_volume(j->k), in = pti_volume(j->in), out = pti_volume(j->out), room;
  size_t bytes;
  T *x = F(slide_scratch)(j, 2, &room, &bytes), *g = x ? x + room : NULL;
  int64_t many = pti_volume(j->room) - F(tap_at)(j, taps - 1);
  for (int64_t c = lo; c < hi && x; c++) {
    T *w = (T *)j->y + c * taps;
    memset(w, 0, (size_t)taps * sizeof(T));
    for (int64_t i = 0; i < j->images; i++) {
      int64_t u = i * j->channels + c;
      F(lay_out)((const T *)j->x + u * in, j->in, j->space, j->lead, j->room, x);
      F(lay_out)((const T *)j->g + u * out, j->out, j->step, none, j->room, g);
      for (int64_t tap = 0; tap < taps; tap++)
        w[tap] += (T)F(inner)(x + F(tap_at)(j, tap), g, (many + 15) / 16 * 16);
    }
  }
  pti_cpu_host->free(x, bytes);
}
