/* rounded.inc.h: products of q8_0 and q4_0 in integers, for AVX-512 with VNNI, which multiplies and sums bytes four times as
   fast as floats. x becomes integers of three bytes, in units of 2^-23 of the largest number of its block, which is what
   a float32 of that size holds; each byte is multiplied. Bytes of the weights are taken as unsigned, which is an offset
   to each number; the sums of x say by how much. */

static inline void store_bytes(int8_t *to, __m512i words) {
  _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8(words));
}

/* A block of x becomes number `at` of a group; false if its numbers are beyond what is rounded well. */
static bool round_block(const float *x, block_group *g, int at) {
  __m512 u = _mm512_loadu_ps(x), v = _mm512_loadu_ps(x + 16);
  __m512 size = _mm512_max_ps(_mm512_abs_ps(u), _mm512_abs_ps(v)), limit = _mm512_set1_ps(1e30f);
  if (_mm512_cmp_ps_mask(_mm512_abs_ps(u), limit, _CMP_NLT_UQ) |
      _mm512_cmp_ps_mask(size, limit, _CMP_NLT_UQ)) /* of two, the largest is v's NaN, not u's */
    return false;
  float most = _mm512_reduce_max_ps(size);
  if (most > 0 && most < 1e-30f) return false;
  __m512 inverse = _mm512_set1_ps(most > 0 ? BLOCK_UNITS / most : 0);
  __m512i p = _mm512_cvtps_epi32(_mm512_mul_ps(u, inverse));
  __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(v, inverse)), half = _mm512_set1_epi32(128);
  g->scale[at] = most / BLOCK_UNITS;
  g->sum[at] = (float)_mm512_reduce_add_epi32(_mm512_add_epi32(p, q));
  int8_t *to = g->bytes[0] + at / 2 * 64 + at % 2 * 16;
  for (int byte = 0; byte < 3; byte++, to += sizeof g->bytes[0]) {
    store_bytes(to, p);
    store_bytes(to + 32, q);
    p = _mm512_srai_epi32(_mm512_add_epi32(p, half), 8);
    q = _mm512_srai_epi32(_mm512_add_epi32(q, half), 8);
  }
  return true;
}

static bool round_groups(const float *x, int64_t groups, block_group *to) {
  for (int64_t b = 0; b < 8 * groups; b++)
    if (!round_block(x + 32 * b, &to[b / 8], (int)(b % 8))) return false;
  return true;
}

/* 16 bytes of one block before 16 of the next. */
static inline __m256i both(const uint8_t *p, const uint8_t *q) {
  __m256i low = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)p));
  return _mm256_inserti128_si256(low, _mm_loadu_si128((const __m128i *)q), 1);
}

/* The scales of eight blocks of `size` bytes, in front of each. */
static inline __m256 eight_scales(const uint8_t *blocks, int size) {
  uint16_t d[8];
  for (int b = 0; b < 8; b++) memcpy(&d[b], blocks + b * size, 2);
  return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)d));
}

static inline float sum_of_eight(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* One byte of 64 numbers of x times those of two blocks. */
#define TIMES(byte)                                                                           \
  _mm256_dpbusd_epi32(                                                                        \
      _mm256_dpbusd_epi32(_mm256_setzero_si256(), first,                                      \
                          _mm256_loadu_si256((const __m256i *)(x->bytes[byte] + 64 * pair))), \
      second, _mm256_loadu_si256((const __m256i *)(x->bytes[byte] + 64 * pair + 32)))

/* NAME: x times each of some rows of `groups` groups of blocks of `size` bytes. FIRST and SECOND are the first and second halves of the numbers
   of the blocks at p and q, `offset` too large. */
#define ROUNDED_DOTS(NAME, size, offset, FIRST, SECOND)                                          \
  static inline __attribute__((always_inline)) float NAME##_row(                                 \
      const uint8_t *blocks, int64_t groups, const block_group *x) {                             \
    __m256 high = _mm256_setzero_ps(), low = high, above = high;                                 \
    for (int64_t i = 0; i < groups; i++, x++, blocks += 8 * (size)) {                            \
      __m256 d = _mm256_mul_ps(eight_scales(blocks, size), _mm256_loadu_ps(x->scale));           \
      above = _mm256_fmadd_ps(d, _mm256_loadu_ps(x->sum), above);                                \
      PTI_UNROLLED                                                                               \
      for (int pair = 0; pair < 4; pair++) {                                                     \
        const uint8_t *p = blocks + 2 * pair * (size) + 2, *q = p + (size);                      \
        __m256i first = FIRST(p, q), second = SECOND(p, q);                                      \
        __m256i upper = _mm256_add_epi32(_mm256_slli_epi32(TIMES(2), 8), TIMES(1));              \
        __m256i places = _mm256_setr_epi32(2 * pair, 2 * pair, 2 * pair, 2 * pair, 2 * pair + 1, \
                                           2 * pair + 1, 2 * pair + 1, 2 * pair + 1);            \
        __m256 scale = _mm256_permutevar8x32_ps(d, places);                                      \
        high = _mm256_fmadd_ps(_mm256_cvtepi32_ps(upper), scale, high);                          \
        low = _mm256_fmadd_ps(_mm256_cvtepi32_ps(TIMES(0)), scale, low);                         \
      }                                                                                          \
    }                                                                                            \
    low = _mm256_fmadd_ps(above, _mm256_set1_ps(-(offset)), low);                                \
    return sum_of_eight(_mm256_fmadd_ps(high, _mm256_set1_ps(256), low));                        \
  }                                                                                              \
  static void NAME(const uint8_t *blocks, int64_t pitch, int64_t rows, int64_t groups,           \
                   const block_group *x, float *y) {                                             \
    for (int64_t r = 0; r < rows; r++) y[r] = NAME##_row(blocks + r * pitch, groups, x);         \
  }

#define LOW_HALVES(p, q) _mm256_and_si256(both(p, q), _mm256_set1_epi8(15))
#define HIGH_HALVES(p, q) _mm256_and_si256(_mm256_srli_epi16(both(p, q), 4), _mm256_set1_epi8(15))
#define UPPER(v) _mm256_xor_si256(v, _mm256_set1_epi8(-128))
#define FIRST_BYTES(p, q) UPPER(both(p, q))
#define SECOND_BYTES(p, q) UPPER(both(p + 16, q + 16))
ROUNDED_DOTS(rounded_dots_q4_0, 18, 8, LOW_HALVES, HIGH_HALVES)
ROUNDED_DOTS(rounded_dots_q8_0, 34, 128, FIRST_BYTES, SECOND_BYTES)
