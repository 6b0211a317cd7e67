/* direct.inc.h: the kernel of direct convolution for one element type T; F(name) names it.  `u` and `w` are constants
   in every function that it is inlined into: the sums are registers. Rows are reached from every third row's address,
   as there are not addresses for all. Lines of the image lie pages apart, so none but the kernel itself can fetch them
   ahead of time. */

typedef T F(vector) __attribute__((vector_size(VECTOR)));
typedef T F(anywhere) __attribute__((vector_size(VECTOR), aligned(sizeof(T)), may_alias));
#define V F(vector)
#define VU F(anywhere)
#define LANES (VECTOR / (int)sizeof(T))
#define AHEAD (1024 / (int)sizeof(T))
#define LINES_AHEAD 6

static inline __attribute__((always_inline)) void F(sum)(const int u, const int w,
                                                         const conv_terms *t, const T *p,
                                                         const T *q, const T *weights, T *sums) {
  V s[2 * HALF][2];
  PTI_UNROLLED
  for (int i = 0; i < 2 * u; i++) s[i][0] = s[i][1] = (V){0};
  int64_t inner = t->inner, row = t->row, step = t->step, w_unit = t->w_unit;
  int64_t w_step = t->w_step * w_unit;
  for (int64_t j = 0; j < t->outer; j++) {
    const T *b = weights + t->w_at[j] * w_unit, *at[2][(HALF + 2) / 3];
    PTI_UNROLLED
    for (int i = 0; i < u; i += 3) {
      at[0][i / 3] = p + t->x_at[j] + i * row;
      at[1][i / 3] = q + t->x_at[j] + i * row;
    }
    /* The second half has the same offsets. */
    const T *far = p + t->x_at[pti_min64(j + LINES_AHEAD, t->outer - 1)];
    __builtin_prefetch(far);
    __builtin_prefetch(far + (u - 1) * row);
    __builtin_prefetch(far + (q - p));
    __builtin_prefetch(far + (q - p) + (u - 1) * row);
    for (int64_t l = 0; l < inner; l++, b += w_step) {
      V b0 = *(const VU *)b, b1 = {0};
      if (w == 2) b1 = *(const VU *)(b + LANES);
      __builtin_prefetch(b + AHEAD);
      if (w == 2) __builtin_prefetch(b + AHEAD + LANES);
      PTI_UNROLLED
      for (int i = 0; i < 2 * u; i++) {
        const int half = i / u, r = i % u;
        T x = *(at[half][r / 3] + r % 3 * row);
        s[i][0] += x * b0;
        if (w == 2) s[i][1] += x * b1;
        if (r % 3 == 2 || r == u - 1) {
          at[half][r / 3] += step;
          HIDE(at[half][r / 3]);
        }
      }
    }
  }
  PTI_UNROLLED
  for (int i = 0; i < 2 * u; i++) {
    *(VU *)(sums + i * w * LANES) = s[i][0];
    if (w == 2) *(VU *)(sums + i * w * LANES + LANES) = s[i][1];
  }
}

#define SUM(u, w)                                                                 \
  static void F(sum_##u##_##w)(const conv_terms *t, const void *p, const void *q, \
                               const void *weights, void *sums) {                 \
    F(sum)(u, w, t, p, q, weights, sums);                                         \
  }
#define BOTH_WIDTHS(u) SUM(u, 1) SUM(u, 2)
EACH_HALF(BOTH_WIDTHS)
#undef BOTH_WIDTHS
#undef SUM

static void F(store)(void *sums, int64_t columns, int u, int64_t n, const void *bias, void *y0,
                     void *y1, int64_t plane, int64_t step) {
  for (int64_t o = 0; o < n; o++) {
    const T *s = (const T *)sums + o;
    T add = bias ? ((const T *)bias)[o] : 0;
    T *a = (T *)y0 + o * plane, *b = (T *)y1 + o * plane;
    for (int i = 0; i < u; i++) a[i * step] = s[i * columns] + add;
    for (int i = 0; i < u; i++) b[i * step] = s[(u + i) * columns] + add;
  }
}

/* With an odd number of rows the halves share one. */
static void F(store_rows)(const void *sums, int64_t columns, int64_t n, int64_t many,
                          const void *bias, void *to, int64_t plane, int64_t step) {
  for (int64_t o = 0; o < n; o++) {
    const T *s = (const T *)sums + (o < (n + 1) / 2 ? o : o + n % 2) * columns;
    T add = bias ? ((const T *)bias)[o] : 0, *y = (T *)to + o * plane;
    if (step == 1)
      for (int64_t i = 0; i < many; i++) y[i] = s[i] + add;
    else
      for (int64_t i = 0; i < many; i++) y[i * step] = s[i] + add;
  }
}

#undef V
#undef VU
#undef LANES
#undef AHEAD
#undef LINES_AHEAD
