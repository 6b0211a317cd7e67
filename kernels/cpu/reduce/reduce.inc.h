/* reduce.inc.h: folding dense numbers of one compute type T into one (rows) or into as many
   (columns). Included by reduce_loops.c once per type; S is the type of sums, MEMBER its member of
   pti_sum, LOWEST and HIGHEST bound T.

   A row is folded in LANES interleaved parts, which are then combined in halves: the same on every
   CPU level. */

/* The lanes combined into the first. Written out: a loop over widths takes longer than a short row. */
#define HALF(L, w, both)            \
  for (int j = 0; j < w; j++) {     \
    L a = lane[j], b = lane[j + w]; \
    lane[j] = both;                 \
  }
#define IN_HALVES(L, both) HALF(L, 8, both) HALF(L, 4, both) HALF(L, 2, both) HALF(L, 1, both)
_Static_assert(LANES == 16, "IN_HALVES begins with half the lanes");

/* `element` folds number b into a, `both` partial result b; L is the type in which that is done. */
#define FOLD_ROW(id, L, neutral, element, both)                                       \
  static void F(row_##id)(pti_sum * acc, int64_t * best, const void *from, int64_t n, \
                          int64_t at) {                                               \
    (void)best, (void)at;                                                             \
    const T *x = from;                                                                \
    L lane[LANES];                                                                    \
    for (int j = 0; j < LANES; j++) lane[j] = neutral;                                \
    int64_t i = 0;                                                                    \
    for (; i + LANES <= n; i += LANES) {                                              \
      PTI_ROLLED                                                                      \
      for (int j = 0; j < LANES; j++) {                                               \
        L a = lane[j], b = (L)x[i + j];                                               \
        lane[j] = element;                                                            \
      }                                                                               \
    }                                                                                 \
    int left = (int)(n - i);                                                          \
    for (int j = 0; j < LANES; j++) {                                                 \
      L a = lane[j], b = j < left ? (L)x[i + j] : neutral;                            \
      lane[j] = element;                                                              \
    }                                                                                 \
    IN_HALVES(L, both)                                                                \
    L a = (L)acc->MEMBER, b = lane[0];                                                \
    acc->MEMBER = (S)(both);                                                          \
  }
#define FOLD_COLUMN(id, L, element)                                                      \
  static void F(column_##id)(pti_sum * acc, int64_t * best, const void *from, int64_t n, \
                             int64_t at) {                                               \
    (void)best, (void)at;                                                                \
    const T *x = from;                                                                   \
    PTI_INDEPENDENT                                                                      \
    for (int64_t j = 0; j < n; j++) {                                                    \
      L a = (L)acc[j].MEMBER, b = (L)x[j];                                               \
      acc[j].MEMBER = (S)(element);                                                      \
    }                                                                                    \
  }

#define FOLD(id, L, neutral, element, both) \
  FOLD_ROW(id, L, neutral, element, both)   \
  FOLD_COLUMN(id, L, element)

/* Sums of four numbers are made in T: to make a double of each number would take twice as long as to load it. */
static void F(row_sum)(pti_sum *acc, int64_t *best, const void *from, int64_t n, int64_t at) {
  (void)best, (void)at;
  const T *x = from;
  S lane[LANES] = {0};
  int64_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    PTI_ROLLED
    for (int j = 0; j < LANES; j++) {
      const T *v = x + i + j;
      lane[j] += (S)((v[0] + v[LANES]) + (v[2 * LANES] + v[3 * LANES]));
    }
  }
  for (; i + LANES <= n; i += LANES) {
    PTI_ROLLED
    for (int j = 0; j < LANES; j++) lane[j] += (S)x[i + j];
  }
  int left = (int)(n - i);
  for (int j = 0; j < LANES; j++) lane[j] += j < left ? (S)x[i + j] : 0;
  IN_HALVES(S, a + b)
  acc->MEMBER += lane[0];
}
FOLD_COLUMN(sum, S, a + b)

/* Sums of squares, of which finish takes the root: as above, four at a time in T. Where those overflow or vanish, which
   is rare, the row is folded again with squares in S. */
static S F(squares)(const T *x, int64_t n) {
  S lane[LANES] = {0};
  int64_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    PTI_ROLLED
    for (int j = 0; j < LANES; j++) {
      const T *v = x + i + j;
      T a = v[0], b = v[LANES], c = v[2 * LANES], d = v[3 * LANES];
      lane[j] += (S)((a * a + b * b) + (c * c + d * d));
    }
  }
  for (; i + LANES <= n; i += LANES) {
    PTI_ROLLED
    for (int j = 0; j < LANES; j++) lane[j] += (S)x[i + j] * (S)x[i + j];
  }
  int left = (int)(n - i);
  for (int j = 0; j < LANES; j++) {
    S a = j < left ? (S)x[i + j] : 0;
    lane[j] += a * a;
  }
  IN_HALVES(S, a + b)
  return lane[0];
}
static void F(row_norm)(pti_sum *acc, int64_t *best, const void *from, int64_t n, int64_t at) {
  (void)best, (void)at;
  const T *x = from;
  S sum = F(squares)(x, n);
  if (sizeof(T) < sizeof(S) && !(sum > (S)1e-24 && sum < (S)1e38)) {
    sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (S)x[i] * (S)x[i];
  }
  acc->MEMBER += sum;
}
FOLD_COLUMN(norm, S, a + b * b)
FOLD(prod, S, 1, a *b, a *b)

/* Of four numbers first, as each waits for the one before it. */
#define EXTREME(id, neutral, of)                                                          \
  static void F(row_##id)(pti_sum * acc, int64_t * best, const void *from, int64_t n,     \
                          int64_t at) {                                                   \
    (void)best, (void)at;                                                                 \
    const T *x = from;                                                                    \
    T lane[LANES];                                                                        \
    for (int j = 0; j < LANES; j++) lane[j] = neutral;                                    \
    int64_t i = 0;                                                                        \
    for (; i + 4 * LANES <= n; i += 4 * LANES) {                                          \
      PTI_ROLLED                                                                          \
      for (int j = 0; j < LANES; j++) {                                                   \
        const T *v = x + i + j;                                                           \
        T low = of(v[0], v[LANES]), high = of(v[2 * LANES], v[3 * LANES]);                \
        T four = of(low, high);                                                           \
        lane[j] = of(lane[j], four);                                                      \
      }                                                                                   \
    }                                                                                     \
    for (; i + LANES <= n; i += LANES) {                                                  \
      PTI_ROLLED                                                                          \
      for (int j = 0; j < LANES; j++) lane[j] = of(lane[j], x[i + j]);                    \
    }                                                                                     \
    int left = (int)(n - i);                                                              \
    for (int j = 0; j < LANES; j++) lane[j] = of(lane[j], j < left ? x[i + j] : neutral); \
    IN_HALVES(T, of(a, b))                                                                \
    T most = (T)acc->MEMBER;                                                              \
    acc->MEMBER = (S)of(most, lane[0]);                                                   \
  }                                                                                       \
  FOLD_COLUMN(id, T, of(a, b))
EXTREME(max, LOWEST, MAX2)
EXTREME(min, HIGHEST, MIN2)
FOLD(any, S, 0, (a != 0) | (b != 0), (a != 0) | (b != 0))
FOLD(all, S, 1, (a != 0) & (b != 0), (a != 0) & (b != 0))

/* First the extreme of the row, which is fast; where it beats what was found before, its first position. */
#define ARG(id, base, wins)                                                              \
  static void F(row_##id)(pti_sum * acc, int64_t * best, const void *from, int64_t n,    \
                          int64_t at) {                                                  \
    const T *x = from;                                                                   \
    if (n == 0) return;                                                                  \
    pti_sum found = {.MEMBER = (S)x[0]};                                                 \
    F(row_##base)(&found, NULL, x, n, at);                                               \
    T a = (T)found.MEMBER, b = (T)acc->MEMBER;                                           \
    if (*best >= 0 && !(wins)) return;                                                   \
    int64_t i = 0;                                                                       \
    while (i < n - 1 && x[i] != a && x[i] == x[i]) i++;                                  \
    acc->MEMBER = (S)x[i];                                                               \
    *best = at + i;                                                                      \
  }                                                                                      \
  static void F(column_##id)(pti_sum * acc, int64_t * best, const void *from, int64_t n, \
                             int64_t at) {                                               \
    const T *x = from;                                                                   \
    PTI_INDEPENDENT                                                                      \
    for (int64_t j = 0; j < n; j++) {                                                    \
      T a = x[j], b = (T)acc[j].MEMBER;                                                  \
      bool take = (best[j] < 0) | (wins);                                                \
      acc[j].MEMBER = take ? (S)a : acc[j].MEMBER;                                       \
      best[j] = take ? at : best[j];                                                     \
    }                                                                                    \
  }

ARG(argmax, max, (a > b) | ((a != a) & (b == b)))
ARG(argmin, min, (a < b) | ((a != a) & (b == b)))

#undef HALF
#undef IN_HALVES
#undef FOLD
#undef FOLD_ROW
#undef FOLD_COLUMN
#undef EXTREME
#undef ARG
