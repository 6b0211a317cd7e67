/* winograd.inc.h: the transforms of winograd.c, for float: one vector holds LANES channels of one element of a tile. */

#define V vector_f32
#define VU anywhere_f32
#define LANES (VECTOR / 4)
#define LOAD(at) (*(const VU *)(at))
#define INLINED static inline __attribute__((always_inline))
#define ROOT 1.4142135623730951f

/* The points are 0, +-1 / sqrt(2), +-sqrt(2) and infinity: d (6) -> B' d, g (3) -> G g, m (6) -> A' m; all with steps
   between elements, of vectors. */
INLINED void data_points(const V *d, int from, V *t, int to) {
  V e = d[4 * from] - 2.0f * d[2 * from], f = ROOT * (0.5f * d[3 * from] - d[from]);
  V g = d[4 * from] - 0.5f * d[2 * from], h = ROOT * (d[3 * from] - 0.5f * d[from]);
  t[0] = d[0] - 2.5f * d[2 * from] + d[4 * from];
  t[to] = e + f;
  t[2 * to] = e - f;
  t[3 * to] = g + h;
  t[4 * to] = g - h;
  t[5 * to] = d[from] - 2.5f * d[3 * from] + d[5 * from];
}
INLINED void weight_points(const V *g, int from, V *t, int to) {
  V a = g[0] * (-2.0f / 3) - g[2 * from] * (1.0f / 3), b = g[from] * (ROOT / 3);
  V c = g[0] * (1.0f / 6) + g[2 * from] * (1.0f / 3), e = g[from] * (ROOT / 6);
  t[0] = g[0];
  t[to] = a - b;
  t[2 * to] = a + b;
  t[3 * to] = c + e;
  t[4 * to] = c - e;
  t[5 * to] = g[2 * from];
}
INLINED void sums_of_points(const V *m, int from, V *t, int to) {
  V a = m[from] + m[2 * from], b = (m[from] - m[2 * from]) * (ROOT / 2);
  V c = m[3 * from] + m[4 * from], d = (m[3 * from] - m[4 * from]) * ROOT;
  t[0] = m[0] + a + c;
  t[to] = b + d;
  t[2 * to] = 0.5f * a + 2.0f * c;
  t[3 * to] = 0.5f * b + 2.0f * d + m[5 * from];
}

/* A line of a tile. With stride 1 it is as above. With stride 2 every second number meets the outer taps, and the others
   the middle one. Two taps are three of which the first is 0, and so is its value at point 0: that leaves five points,
   behind which the other numbers stand as they are, one for each output; the weights have the middle tap in place of
   point 0. The gradient for the input (with padding 1) has twice as many outputs, of the middle tap and of the others in
   turn. */
INLINED void data_line(winograd_kind kind, const V *d, V *t, int to) {
  if (kind == WINOGRAD_ONE) {
    data_points(d, 1, t, to);
    return;
  }
  int step = kind == WINOGRAD_TWO ? 2 : 1, middle = kind == WINOGRAD_TWO;
  V outer[6] = {{0}}, points[6];
  PTI_UNROLLED
  for (int i = 0; i < 5; i++) outer[1 + i] = d[step * i];
  data_points(outer, 1, points, 1);
  PTI_UNROLLED
  for (int i = 0; i < 5; i++) t[i * to] = points[1 + i];
  PTI_UNROLLED
  for (int i = 0; i < 4; i++) t[(5 + i) * to] = d[step * i + middle];
}
INLINED void weight_line(winograd_kind kind, const V *g, V *t, int to) {
  V outer[3] = {{0}, g[0], g[2]};
  weight_points(kind == WINOGRAD_ONE ? g : outer, 1, t, to);
  if (kind != WINOGRAD_ONE) t[0] = g[1];
}
INLINED void sums_line(winograd_kind kind, const V *m, V *t, int to) {
  if (kind == WINOGRAD_ONE) {
    sums_of_points(m, 1, t, to);
    return;
  }
  V points[6] = {{0}}, s[4];
  PTI_UNROLLED
  for (int i = 0; i < 5; i++) points[1 + i] = m[i];
  sums_of_points(points, 1, s, 1);
  PTI_UNROLLED
  for (int i = 0; i < 4; i++) {
    if (kind == WINOGRAD_TWO) t[i * to] = s[i] + m[5 + i];
    else t[2 * i * to] = m[5 + i], t[(2 * i + 1) * to] = s[i];
  }
}

/* The transforms, in one dim and then in the other. */
INLINED void data_tile(winograd_kind kind, const float *const *from, int64_t channels, float *to,
                       int64_t pitch) {
  const winograd_size size = pti_winograd_sizes[kind];
  V line[WINOGRAD_MOST], t[WINOGRAD_MOST * WINOGRAD_MOST];
  for (int64_t c = 0; c < channels; c += LANES) {
    for (int i = 0; i < size.in; i++) {
      PTI_UNROLLED
      for (int q = 0; q < size.in; q++) line[q] = LOAD(from[q * size.in + i] + c);
      data_line(kind, line, t + i, size.in);
    }
    for (int i = 0; i < size.points; i++) {
      data_line(kind, t + size.in * i, line, 1);
      PTI_UNROLLED
      for (int q = 0; q < size.points; q++)
        *(VU *)(to + (i * size.points + q) * pitch + c) = line[q];
    }
  }
}
INLINED void weight_tile(winograd_kind kind, const float *from, int64_t row, int64_t columns,
                         float *to, int64_t pitch) {
  for (int64_t c = 0; c < columns; c += LANES) {
    V line[6], t[18];
    for (int i = 0; i < 3; i++) {
      PTI_UNROLLED
      for (int q = 0; q < 3; q++) line[q] = LOAD(from + (q * 3 + i) * row + c);
      weight_line(kind, line, t + i, 3);
    }
    for (int i = 0; i < 6; i++) {
      weight_line(kind, t + 3 * i, line, 1);
      PTI_UNROLLED
      for (int q = 0; q < 6; q++) *(VU *)(to + (i * 6 + q) * pitch + c) = line[q];
    }
  }
}

#if defined(__AVX512F__)
/* A vector has 16 / out lines of a tile; whole ones are stored without a mask, which is faster. */
INLINED void store_lines(vector_f32 v, float *y, int64_t line, int out, int rows, int cols) {
  __m512 x = (__m512)v;
  if (out == 4 && rows >= 4 && cols == 4) {
    _mm_storeu_ps(y, _mm512_castps512_ps128(x));
    _mm_storeu_ps(y + line, _mm512_extractf32x4_ps(x, 1));
    _mm_storeu_ps(y + 2 * line, _mm512_extractf32x4_ps(x, 2));
    _mm_storeu_ps(y + 3 * line, _mm512_extractf32x4_ps(x, 3));
  } else if (out == 8 && rows >= 2 && cols == 8) {
    _mm256_storeu_ps(y, _mm512_castps512_ps256(x));
    _mm256_storeu_ps(y + line, _mm512_extractf32x8_ps(x, 1));
  } else {
    for (int r = 0; r < 16 / out && r < rows; r++)
      _mm512_mask_storeu_ps(y + r * line - out * r, (__mmask16)(((1u << cols) - 1) << (out * r)),
                            x);
  }
}
#endif
INLINED void sums_tile(winograd_kind kind, const float *from, int64_t pitch, const float *bias,
                       int64_t n, float *y, int64_t plane, int64_t line, int rows, int cols) {
  const int points = pti_winograd_sizes[kind].points, out = pti_winograd_sizes[kind].out;
  V m[WINOGRAD_MOST], t[WINOGRAD_MOST * WINOGRAD_MOST], s[WINOGRAD_MOST * WINOGRAD_MOST];
  for (int64_t c = 0; c < n; c += LANES) {
    for (int i = 0; i < points; i++) {
      PTI_UNROLLED
      for (int q = 0; q < points; q++) m[q] = LOAD(from + (q * points + i) * pitch + c);
      sums_line(kind, m, t + i, points);
    }
    for (int i = 0; i < out; i++) sums_line(kind, t + points * i, s + out * i, 1);
    int64_t many = n - c < LANES ? n - c : LANES;
    float *to = y + c * plane;
#if defined(__AVX512F__)
    for (int i = 0; i < out * out / 16; i++) {
      int from_row = 16 / out * i;
      transpose_16(s + 16 * i);
      for (int64_t o = 0; o < many; o++) {
        V v = bias ? s[16 * i + o] + bias[c + o] : s[16 * i + o];
        store_lines(v, to + o * plane + from_row * line, line, out, rows - from_row, cols);
      }
    }
#else
    for (int64_t o = 0; o < many; o++, to += plane) {
      float add = bias ? bias[c + o] : 0;
      for (int r = 0; r < rows; r++) {
        for (int q = 0; q < cols; q++) to[r * line + q] = s[out * r + q][o] + add;
      }
    }
#endif
  }
}

#define EACH_KIND(X) X(one, WINOGRAD_ONE) X(two, WINOGRAD_TWO) X(back, WINOGRAD_TWO_BACK)
#define KIND(name, kind)                                                                          \
  static void data_##name(const float *const *from, int64_t channels, float *to, int64_t pitch) { \
    data_tile(kind, from, channels, to, pitch);                                                   \
  }                                                                                               \
  static void sums_##name(const float *from, int64_t pitch, const float *bias, int64_t n,         \
                          float *y, int64_t plane, int64_t line, int rows, int cols) {            \
    sums_tile(kind, from, pitch, bias, n, y, plane, line, rows, cols);                            \
  }
EACH_KIND(KIND)
static void weight_one(const float *from, int64_t row, int64_t columns, float *to, int64_t pitch) {
  weight_tile(WINOGRAD_ONE, from, row, columns, to, pitch);
}
static void weight_two(const float *from, int64_t row, int64_t columns, float *to, int64_t pitch) {
  weight_tile(WINOGRAD_TWO, from, row, columns, to, pitch);
}
static const winograd_loops winograd[WINOGRAD_KINDS] = {{data_one, weight_one, sums_one},
                                                        {data_two, weight_two, sums_two},
                                                        {data_back, weight_two, sums_back}};

#undef EACH_KIND
#undef KIND
#undef INLINED
#undef V
#undef VU
#undef LANES
#undef LOAD
#undef ROOT
