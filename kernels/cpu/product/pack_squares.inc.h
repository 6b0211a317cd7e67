/* pack_squares.inc.h: panels of pairs of bfloat16 or fours of int8, for tiles (tiles.c) or vectors, in squares of 16 x 16
   numbers; a number is `group` neighbours along k, 4 bytes. A square that is wider than its panel spoils rows that are
   written after it, or the room behind the panel. */

typedef vector_i32 square[16];

/* Vector i: the first `bytes` bytes of line i of `rows`, zeros for what is not there. */
static inline __attribute__((always_inline)) void
square_of_lines(square v, const char *x, int64_t line, int64_t rows, int64_t bytes) {
  __mmask64 part = bytes >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << pti_max64(0, bytes)) - 1;
  PTI_UNROLLED
  for (int64_t i = 0; i < 16; i++)
    v[i] = i < rows ? (vector_i32)_mm512_maskz_loadu_epi8(part, x + i * line) : (vector_i32){0};
}

/* Vector l: `count` numbers made of lines group * l and the next of `many`, zeros for what is not there. */
static inline __attribute__((always_inline)) void
square_across_lines(square v, int group, const char *x, int64_t line, int64_t count, int64_t many) {
  __mmask16 part = (__mmask16)((1u << pti_min64(16, count)) - 1);
  PTI_UNROLLED
  for (int64_t l = 0; l < 16; l++) {
    __m512i number = _mm512_setzero_si512();
    PTI_UNROLLED
    for (int q = 0; q < group; q++, x += line) {
      if (l * group + q >= many) break;
      __m512i element = group == 2 ? _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(part, x))
                                   : _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(part, x));
      number = _mm512_or_si512(number, _mm512_slli_epi32(element, (unsigned)(32 / group * q)));
    }
    v[l] = (vector_i32)number;
  }
}

static inline __attribute__((always_inline)) void
pack_squares(const product_side *s, bool tiles, const int group, int64_t problem, uint32_t *to,
             int64_t width, int64_t at, int64_t count, int64_t k0, int64_t many, int64_t steps) {
  enum { SQUARE = 16, TALL = 32 * SQUARE };
  int64_t size = 4 / group, line = (s->k_step == 1 ? s->step : s->k_step) * size;
  const char *x =
      (const char *)s->data + (problem * s->batch_step + at * s->step + k0 * s->k_step) * size;
  for (int64_t l = 0; l < steps; l += SQUARE) {
    for (int64_t i = 0; i < width; i += SQUARE) {
      square v;
      const char *from = x + (i * s->step + l * group * s->k_step) * size;
      if (s->k_step == 1) {
        square_of_lines(v, from, line, count - i, many * size - 4 * l);
        if (!tiles) transpose_i32(v);
      } else {
        square_across_lines(v, group, from, line, pti_max64(0, count - i), many - l * group);
        if (tiles) transpose_i32(v);
      }
      uint32_t *y = tiles ? to + l / SQUARE * TALL + i * SQUARE : to + l * width + i;
      PTI_UNROLLED
      for (int r = 0; r < SQUARE; r++) *(anywhere_i32 *)(y + r * (tiles ? SQUARE : width)) = v[r];
    }
  }
}

void pti_product_pack_squares_avx512(const product_side *s, bool tiles, int group, int64_t problem,
                                     void *to, int64_t width, int64_t at, int64_t count, int64_t k0,
                                     int64_t many, int64_t steps) {
  if (group == 2) pack_squares(s, tiles, 2, problem, to, width, at, count, k0, many, steps);
  else pack_squares(s, tiles, 4, problem, to, width, at, count, k0, many, steps);
}
