/* move.inc.h: (rows, n) blocks of elements moved as bytes, whatever their dtype. Included by tensor_loops.c once per
   element type E; F(name) makes a name of it. The caller's blocks are small enough to stay in the first cache. */

#if defined(SIDE)
typedef E F(vector) __attribute__((vector_size(VECTOR)));
typedef E F(anywhere) __attribute__((vector_size(VECTOR), aligned(sizeof(E)), may_alias));
TRANSPOSE_SQUARE(F(transpose), F(vector), SIDE)

/* SIDE rows of as many elements, from lines `step` apart. */
static void F(move_square)(char *to, int64_t row, const char *from, int64_t step) {
  F(vector) v[SIDE];
  PTI_UNROLLED
  for (int r = 0; r < SIDE; r++) v[r] = *(const F(anywhere) *)(from + r * step);
  F(transpose)(v);
  PTI_UNROLLED
  for (int r = 0; r < SIDE; r++) *(F(anywhere) *)(to + r * row) = v[r];
}

/* What is left beside and below squares. */
static void F(move_edge)(char *to, const int64_t ts[2], const char *from, const int64_t fs[2],
                         int64_t rows, int64_t n) {
  for (int64_t i = 0; i < rows; i++, to += ts[0], from += fs[0])
    for (int64_t j = 0; j < n; j++) ((E *)to)[j] = *(const E *)(from + j * fs[1]);
}

static void F(move_squares)(char *to, const int64_t ts[2], const char *from, const int64_t fs[2],
                            int64_t rows, int64_t n) {
  int64_t i1 = rows / SIDE * SIDE, j1 = n / SIDE * SIDE, size = (int64_t)sizeof(E);
  for (int64_t j = 0; j < j1; j += SIDE)
    for (int64_t i = 0; i < i1; i += SIDE)
      F(move_square)(to + i * ts[0] + j * size, ts[0], from + i * size + j * fs[1], fs[1]);
  F(move_edge)(to + j1 * size, ts, from + j1 * fs[1], fs, i1, n - j1);
  F(move_edge)(to + i1 * ts[0], ts, from + i1 * size, fs, rows - i1, n);
}
#endif

/* The source runs across the block: squares of 8 elements touch few of its cache lines at a time. */
static void F(move_across)(char *to, const int64_t ts[2], const char *from, const int64_t fs[2],
                           int64_t rows, int64_t n) {
  for (int64_t j0 = 0; j0 < n; j0 += 8) {
    int64_t j1 = j0 + 8 < n ? j0 + 8 : n;
    for (int64_t i = 0; i < rows; i++) {
      char *y = to + i * ts[0];
      const char *x = from + i * (int64_t)sizeof(E);
      for (int64_t j = j0; j < j1; j++) *(E *)(y + j * ts[1]) = *(const E *)(x + j * fs[1]);
    }
  }
}

static void F(move)(char *to, const int64_t ts[2], const char *from, const int64_t fs[2],
                    int64_t rows, int64_t n) {
  if (fs[0] == (int64_t)sizeof(E) && fs[1] != (int64_t)sizeof(E) && rows > 1) {
#if defined(SIDE)
    if (ts[1] == (int64_t)sizeof(E)) {
      F(move_squares)(to, ts, from, fs, rows, n);
      return;
    }
#endif
    F(move_across)(to, ts, from, fs, rows, n);
    return;
  }
  for (int64_t i = 0; i < rows; i++, to += ts[0], from += fs[0]) {
    if (ts[1] == (int64_t)sizeof(E) && fs[1] == (int64_t)sizeof(E)) {
      memcpy(to, from, (size_t)n * sizeof(E));
    } else if (ts[1] == (int64_t)sizeof(E) && fs[1] == 0) {
      const E v = *(const E *)from;
      for (int64_t j = 0; j < n; j++) ((E *)to)[j] = v;
    } else {
      for (int64_t j = 0; j < n; j++) *(E *)(to + j * ts[1]) = *(const E *)(from + j * fs[1]);
    }
  }
}
