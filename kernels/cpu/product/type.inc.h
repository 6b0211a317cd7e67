/* type.inc.h: vectors, transposes and micro-kernels for one compute type T of BYTES; F(name) names them.

   In a micro-kernel `h` and `w` are constants in every function that it is inlined into: the arrays of sums are
   registers. Products and additions contract to fused ones where the level has them (-ffp-contract=fast). */

#define LANES GLUE(LANES_, BYTES)
#if !defined(MAC)
#define MAC(sum, x, v) ((sum) += (x) * (v))
#endif
typedef T F(vector) __attribute__((vector_size(VECTOR)));
typedef T F(anywhere) __attribute__((vector_size(VECTOR), aligned(BYTES), may_alias));
#define V F(vector)
#define VU F(anywhere)

/* Only the first n lanes, 0 < n <= LANES; zeros for the others. */
static inline __attribute__((always_inline)) V F(load_part)(const T *x, int64_t n) {
#if defined(LOAD_4)
  return (V)GLUE(LOAD_, BYTES)(x, n);
#else
  V v = {0};
  for (int64_t i = 0; i < n; i++) v[i] = x[i];
  return v;
#endif
}
static inline __attribute__((always_inline)) void F(store_part)(T *y, V v, int64_t n) {
#if defined(STORE_4)
  GLUE(STORE_, BYTES)(y, v, n);
#else
  for (int64_t i = 0; i < n; i++) y[i] = v[i];
#endif
}

/* By halves: lanes 0 and 8, 1 and 9, .. first. */
static inline __attribute__((always_inline)) T F(lane_sum)(V v) {
#if defined(SUM_LANES)
  return SUM_LANES(v);
#else
  PTI_UNROLLED
  for (int half = LANES / 2; half > 0; half /= 2) {
    PTI_UNROLLED
    for (int q = 0; q < half; q++) v[q] += v[q + half];
  }
  return v[0];
#endif
}

TRANSPOSE_SQUARE(F(transpose), V, LANES)

/* Numbers of a are reached from every third row's address: 14 addresses, and the rest that a step needs, exceed the
   number of registers. */
static inline __attribute__((always_inline)) void F(tile)(const int h, const int w, int64_t k,
                                                          const char *a, int64_t row, int64_t step,
                                                          const T *b, int64_t ldb, T *c,
                                                          int64_t ldc, const T *from, int64_t ldf,
                                                          T alpha, int64_t n, const char *next) {
  V s[ROWS][2];
  PTI_UNROLLED
  for (int i = 0; i < h; i++) s[i][0] = s[i][1] = (V){0};
  T *y = c; /* prefetched meanwhile */
  PTI_UNROLLED
  for (int i = 0; i < h; i++, y += ldc) {
    __builtin_prefetch(y, 1);
    __builtin_prefetch(y + n - 1, 1);
  }
  const char *at[(ROWS + 2) / 3];
  PTI_UNROLLED
  for (int i = 0; i < h; i += 3, a += 3 * row) at[i / 3] = a;
  for (int64_t l = 0; l < k; l++, b += ldb) {
    V b0 = *(const VU *)b, b1 = {0};
    if (w == 2) b1 = *(const VU *)(b + LANES);
    __builtin_prefetch(next, 0, 2);
    next += PRODUCT_AHEAD;
    PTI_UNROLLED
    for (int i = 0; i < h; i++) {
      T x = *(const T *)(at[i / 3] + i % 3 * row);
      MAC(s[i][0], x, b0);
      if (w == 2) MAC(s[i][1], x, b1);
      if (i % 3 == 2 || i == h - 1) {
        at[i / 3] += step;
        HIDE(at[i / 3]);
      }
    }
  }
  HIDE(c); /* or gcc keeps addresses of rows in vector registers meanwhile, which the sums need */
  int64_t part = n - (w - 1) * LANES; /* of the last vector */
  PTI_UNROLLED
  for (int i = 0; i < h; i++) {
    s[i][0] *= alpha;
    s[i][1] *= alpha;
  }
  if (from) {
    PTI_UNROLLED
    for (int i = 0; i < h; i++, from += ldf) {
      if (w == 2) s[i][0] += *(const VU *)from;
      s[i][w - 1] += F(load_part)(from + (w - 1) * LANES, part);
    }
  }
  PTI_UNROLLED
  for (int i = 0; i < h; i++, c += ldc) {
    if (w == 2) *(VU *)c = s[i][0];
    F(store_part)(c + (w - 1) * LANES, s[i][w - 1], part);
  }
}

#define MICRO(h, w)                                                                             \
  static void F(micro_##h##_##w)(                                                               \
      int64_t k, const void *a, int64_t row, int64_t step, const void *b, int64_t ldb, void *c, \
      int64_t ldc, const void *from, int64_t ldf, double alpha, int64_t n, const char *next) {  \
    F(tile)                                                                                     \
    (h, w, k, a, row * BYTES, step * BYTES, b, ldb, c, ldc, from, ldf, FROM_DOUBLE(alpha), n,   \
     next);                                                                                     \
  }
#define BOTH_WIDTHS(h) MICRO(h, 1) MICRO(h, 2)
EACH_HEIGHT(BOTH_WIDTHS)
#undef BOTH_WIDTHS
#undef MICRO
