/* winograd.inc.h: the transforms of winograd.c, for float: one vector holds LANES channels of one element of a tile. */

#define V vector_f32
#define VU anywhere_f32
#define LANES (VECTOR / 4)
#define LOAD(at) (*(const VU *)(at))
#define ROOT 1.4142135623730951f

/* The points are 0, +-1 / sqrt(2), +-sqrt(2) and infinity: d (6) -> B' d, g (3) -> G g, m (6) -> A' m; all with steps
   between elements, of vectors. */
static inline __attribute__((always_inline)) void data_points(const V *d, int from, V *t, int to) {
  V e = d[4 * from] - 2.0f * d[2 * from], f = ROOT * (0.5f * d[3 * from] - d[from]);
  V g = d[4 * from] - 0.5f * d[2 * from], h = ROOT * (d[3 * from] - 0.5f * d[from]);
  t[0] = d[0] - 2.5f * d[2 * from] + d[4 * from];
  t[to] = e + f;
  t[2 * to] = e - f;
  t[3 * to] = g + h;
  t[4 * to] = g - h;
  t[5 * to] = d[from] - 2.5f * d[3 * from] + d[5 * from];
}
static inline __attribute__((always_inline)) void weight_points(const V *g, int from, V *t,
                                                                int to) {
  V a = g[0] * (-2.0f / 3) - g[2 * from] * (1.0f / 3), b = g[from] * (ROOT / 3);
  V c = g[0] * (1.0f / 6) + g[2 * from] * (1.0f / 3), e = g[from] * (ROOT / 6);
  t[0] = g[0];
  t[to] = a - b;
  t[2 * to] = a + b;
  t[3 * to] = c + e;
  t[4 * to] = c - e;
  t[5 * to] = g[2 * from];
}
static inline __attribute__((always_inline)) void sums_of_points(const V *m, int from, V *t,
                                                                 int to) {
  V a = m[from] + m[2 * from], b = (m[from] - m[2 * from]) * (ROOT / 2);
  V c = m[3 * from] + m[4 * from], d = (m[3 * from] - m[4 * from]) * ROOT;
  t[0] = m[0] + a + c;
  t[to] = b + d;
  t[2 * to] = 0.5f * a + 2.0f * c;
  t[3 * to] = 0.5f * b + 2.0f * d + m[5 * from];
}

static void winograd_data(const float *const *from, int64_t channels, float *to, int64_t pitch) {
  for (int64_t c = 0; c < channels; c += LANES) {
    V d[36], t[36];
    UNROLLED
    for (int i = 0; i < 6; i++) {
      V line[6];
      UNROLLED
      for (int q = 0; q < 6; q++) line[q] = LOAD(from[q * 6 + i] + c);
      data_points(line, 1, t + i, 6);
    }
    UNROLLED
    for (int i = 0; i < 6; i++) data_points(t + 6 * i, 1, d + 6 * i, 1);
    UNROLLED
    for (int i = 0; i < 36; i++) *(VU *)(to + i * pitch + c) = d[i];
  }
}

static void winograd_weight(const float *from, int64_t row, int64_t columns, float *to,
                            int64_t pitch) {
  for (int64_t c = 0; c < columns; c += LANES) {
    V t[18], u[36];
    UNROLLED
    for (int i = 0; i < 3; i++) {
      V g[3];
      UNROLLED
      for (int q = 0; q < 3; q++) g[q] = LOAD(from + (q * 3 + i) * row + c);
      weight_points(g, 1, t + i, 3);
    }
    UNROLLED
    for (int i = 0; i < 6; i++) weight_points(t + 3 * i, 1, u + 6 * i, 1);
    UNROLLED
    for (int i = 0; i < 36; i++) *(VU *)(to + i * pitch + c) = u[i];
  }
}

static void winograd_sums(const float *from, int64_t pitch, const float *bias, int64_t n, float *y,
                          int64_t plane, int64_t line, int rows, int cols) {
  for (int64_t c = 0; c < n; c += LANES) {
    V t[24], s[16];
    UNROLLED
    for (int i = 0; i < 6; i++) {
      V m[6];
      UNROLLED
      for (int q = 0; q < 6; q++) m[q] = LOAD(from + (q * 6 + i) * pitch + c);
      sums_of_points(m, 1, t + i, 6);
    }
    UNROLLED
    for (int i = 0; i < 4; i++) sums_of_points(t + 6 * i, 1, s + 4 * i, 1);
    int64_t many = n - c < LANES ? n - c : LANES;
    float *to = y + c * plane;
#if defined(__AVX512F__)
    transpose_16(s);
    for (int64_t o = 0; o < many; o++, to += plane) {
      V v = bias ? s[o] + bias[c + o] : s[o];
      if (rows == 4 && cols == 4) {
        _mm_storeu_ps(to, _mm512_castps512_ps128((__m512)v));
        _mm_storeu_ps(to + line, _mm512_extractf32x4_ps((__m512)v, 1));
        _mm_storeu_ps(to + 2 * line, _mm512_extractf32x4_ps((__m512)v, 2));
        _mm_storeu_ps(to + 3 * line, _mm512_extractf32x4_ps((__m512)v, 3));
        continue;
      }
      for (int r = 0; r < rows; r++)
        _mm512_mask_storeu_ps(to + r * line - 4 * r, (__mmask16)(((1u << cols) - 1) << (4 * r)),
                              (__m512)v);
    }
#else
    for (int64_t o = 0; o < many; o++, to += plane) {
      float add = bias ? bias[c + o] : 0;
      for (int r = 0; r < rows; r++) {
        for (int q = 0; q < cols; q++) to[r * line + q] = s[4 * r + q][o] + add;
      }
    }
#endif
  }
}

#undef V
#undef VU
#undef LANES
#undef LOAD
#undef ROOT
