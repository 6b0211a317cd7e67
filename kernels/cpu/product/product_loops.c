/* product_loops.c: the loops of product_loops.h for one CPU level. Compiled once per level; everything here is static
   except the tables. */
#include "product_loops.h"

#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define GLUE3(a, b) a##b
#define GLUE(a, b) GLUE3(a, b)
#include "../squares.inc.h"

/* Hides the origin of a pointer from the compiler. */
#define HIDE(pointer) __asm__("" : "+r"(pointer))

/* Rows of a panel of a: two vectors of sums for each, one step's row of b, and a number of a fill the registers: 32 of
   them with AVX-512, 16 before. */
#if defined(__AVX512F__)
enum { VECTOR = 64, ROWS = 14, FEW_ROWS = 6 };
#define LANES_4 16
#define LANES_8 8
#elif defined(__AVX2__)
enum { VECTOR = 32, ROWS = 6, FEW_ROWS = 6 };
#define LANES_4 8
#define LANES_8 4
#else
enum { VECTOR = 16, ROWS = 6, FEW_ROWS = 6 };
#define LANES_4 4
#define LANES_8 2
#endif

/* Products of integers take more than one instruction, so fewer sums suffice to hide latency. */
#define FEW_HEIGHTS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#if defined(__AVX512F__)
#define ALL_HEIGHTS(X) FEW_HEIGHTS(X) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#else
#define ALL_HEIGHTS FEW_HEIGHTS
#endif

/* Numbers of the few rows of a skinny product that stay in the first-level cache. */
enum { DOT_NUMBERS = 4096 };
/* Lines of w that are added up before their sums go back to the cache, where they are longer than so many bytes. */
enum { LINES = 8, SHORT_LINE = 3072 };

/* ---- the first n lanes of a vector, 0 < n <= lanes, for numbers of 4 and of 8 bytes ---- */

#if defined(__AVX512F__)
#define LOAD_4(x, n) _mm512_maskz_loadu_epi32((__mmask16)((1u << (n)) - 1), x)
#define LOAD_8(x, n) _mm512_maskz_loadu_epi64((__mmask8)((1u << (n)) - 1), x)
#define STORE_4(y, v, n) _mm512_mask_storeu_epi32(y, (__mmask16)((1u << (n)) - 1), (__m512i)(v))
#define STORE_8(y, v, n) _mm512_mask_storeu_epi64(y, (__mmask8)((1u << (n)) - 1), (__m512i)(v))
#elif defined(__AVX2__)
#define FIRST_4(n) \
  _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define FIRST_8(n) _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3))
#define LOAD_4(x, n) _mm256_maskload_epi32((const int *)(x), FIRST_4(n))
#define LOAD_8(x, n) _mm256_maskload_epi64((const long long *)(x), FIRST_8(n))
#define STORE_4(y, v, n) _mm256_maskstore_epi32((int *)(y), FIRST_4(n), (__m256i)(v))
#define STORE_8(y, v, n) _mm256_maskstore_epi64((long long *)(y), FIRST_8(n), (__m256i)(v))
#endif

/* ---- conversions of a vector of halves, or of its first n lanes ---- */

#if defined(__AVX512F__)
#define HALF_16(x) _mm256_loadu_si256((const __m256i *)(x))
#define FIRST_16(x, n) _mm256_maskz_loadu_epi16((__mmask16)((1u << (n)) - 1), x)
#define WIDEN_BF16(v) _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16))
#define HALVES(x) _mm512_cvtph_ps(HALF_16(x))
#define HALVES_PART(x, n) _mm512_cvtph_ps(FIRST_16(x, n))
#define BF16(x) WIDEN_BF16(HALF_16(x))
#define BF16_PART(x, n) WIDEN_BF16(FIRST_16(x, n))
#define PUT_HALVES(y, v) \
  _mm256_storeu_si256((__m256i *)(y), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT))
#define PUT_BF16(y, v) _mm256_storeu_si256((__m256i *)(y), bf16_of(v))
#define PUT_BYTES(y, v) _mm_storeu_si128((__m128i *)(y), _mm512_cvtepi32_epi8((__m512i)(v)))

/* As pti_bf16_store does: to nearest, ties to even; NaN stays NaN. */
static inline __attribute__((always_inline)) __m256i bf16_of(__m512 v) {
  __m512i u = _mm512_castps_si512(v), high = _mm512_srli_epi32(u, 16);
  __m512i up =
      _mm512_add_epi32(_mm512_and_epi32(high, _mm512_set1_epi32(1)), _mm512_set1_epi32(0x7fff));
  __m512i near = _mm512_srli_epi32(_mm512_add_epi32(u, up), 16);
  __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(near, nan, high, _mm512_set1_epi32(0x40)));
}
#elif defined(__AVX2__)
#define HALF_16(x) _mm_loadu_si128((const __m128i *)(x))
#define HALVES(x) _mm256_cvtph_ps(HALF_16(x))
#define BF16(x) _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(HALF_16(x)), 16))
#endif

/* ---- the loops for each compute type ---- */

#define SAME(x) (x)
#define NONZERO(x) ((x) != 0)
#define WORD(x) ((uint32_t)(x))
#define LONG(x) ((uint64_t)(x))
#define AS_FLOAT(x) ((float)(x))
#define AS_DOUBLE(x) (x)
#define AS_WORD(x) ((uint32_t)(int64_t)(x))
#define AS_LONG(x) ((uint64_t)(int64_t)(x))

#define DOTS
#define EACH_HEIGHT ALL_HEIGHTS

#define T float
#define F(name) name##_f32
#define BYTES 4
#define FROM_DOUBLE AS_FLOAT
#define COMPUTE PTI_CF32
#if defined(__AVX512F__)
#define SUM_LANES(v) _mm512_reduce_add_ps(v)
#endif
#include "type.inc.h"
#define S float
#define G(name) name##_f32_f32
#define GET SAME
#define PUT SAME
#define VECTOR_AT(x) (*(const VU *)(x))
#define PART_AT F(load_part)
#include "element.inc.h"
#define S uint16_t
#define G(name) name##_f32_bf16
#define GET pti_bf16_load
#define PUT pti_bf16_store
#if defined(PUT_BF16)
#define PUT_VECTOR PUT_BF16
#endif
#if defined(BF16)
#define VECTOR_AT BF16
#endif
#if defined(BF16_PART)
#define PART_AT BF16_PART
#endif
#include "element.inc.h"
#define S uint16_t
#define G(name) name##_f32_f16
#define GET pti_f16_load
#define PUT pti_f16_store
#if defined(PUT_HALVES)
#define PUT_VECTOR PUT_HALVES
#endif
#if defined(HALVES)
#define VECTOR_AT HALVES
#endif
#if defined(HALVES_PART)
#define PART_AT HALVES_PART
#endif
#include "element.inc.h"
#include "type_end.inc.h"

#define T double
#define F(name) name##_f64
#define BYTES 8
#define FROM_DOUBLE AS_DOUBLE
#define COMPUTE PTI_CF64
#if defined(__AVX512F__)
#define SUM_LANES(v) _mm512_reduce_add_pd(v)
#endif
#include "type.inc.h"
#define S double
#define G(name) name##_f64_f64
#define GET SAME
#define PUT SAME
#define VECTOR_AT(x) (*(const VU *)(x))
#define PART_AT F(load_part)
#include "element.inc.h"
#include "type_end.inc.h"

#undef DOTS
#undef EACH_HEIGHT
#define EACH_HEIGHT FEW_HEIGHTS

#define T uint32_t
#define F(name) name##_i32
#define BYTES 4
#define FROM_DOUBLE AS_WORD
#if defined(__AVX512F__)
#define SUM_LANES(v) (uint32_t) _mm512_reduce_add_epi32((__m512i)v)
#endif
#include "type.inc.h"
#define S uint32_t
#define G(name) name##_i32_i32
#define GET SAME
#define PUT SAME
#define VECTOR_AT(x) (*(const VU *)(x))
#define PART_AT F(load_part)
#include "element.inc.h"
#define S int16_t
#define G(name) name##_i32_i16
#define GET WORD
#define PUT SAME
#include "element.inc.h"
#define S int8_t
#define G(name) name##_i32_i8
#define GET WORD
#define PUT SAME
#if defined(PUT_BYTES)
#define PUT_VECTOR PUT_BYTES
#endif
#include "element.inc.h"
#define S uint8_t
#define G(name) name##_i32_u8
#define GET WORD
#define PUT SAME
#if defined(PUT_BYTES)
#define PUT_VECTOR PUT_BYTES
#endif
#include "element.inc.h"
#define S uint8_t
#define G(name) name##_i32_bool
#define GET NONZERO
#define PUT NONZERO
#include "element.inc.h"
#include "type_end.inc.h"

#define T uint64_t
#define F(name) name##_i64
#define BYTES 8
#define FROM_DOUBLE AS_LONG
#define COMPUTE PTI_CI64
#if defined(__AVX512F__)
#define SUM_LANES(v) (uint64_t) _mm512_reduce_add_epi64((__m512i)v)
#endif
#include "type.inc.h"
#define S uint64_t
#define G(name) name##_i64_i64
#define GET SAME
#define PUT SAME
#define VECTOR_AT(x) (*(const VU *)(x))
#define PART_AT F(load_part)
#include "element.inc.h"
#include "type_end.inc.h"

/* ---- pairs of int16, fours of int8 ---- */

static void regroup_pairs(void *to, const void *panel, int64_t width, int64_t count,
                          int64_t steps) {
  const uint32_t *x = panel;
  uint32_t *y = to;
  for (int64_t l = 0; l < steps; l++, y += width) {
    const uint32_t *low = x + 2 * l * width, *high = low + width;
    for (int64_t i = 0; i < width && 2 * l + 1 < count; i++)
      y[i] = (low[i] & 0xffff) | high[i] << 16;
    for (int64_t i = 0; i < width && 2 * l + 1 == count; i++) y[i] = low[i] & 0xffff;
  }
}

#if defined(__AVX512F__)
static void regroup_fours(void *to, const void *panel, int64_t width, int64_t count,
                          int64_t steps) {
  const uint32_t *x = panel;
  uint32_t *y = to;
  for (int64_t l = 0; l < steps; l++, y += width, x += 4 * width) {
    int64_t many = pti_min64(4, count - 4 * l);
    for (int64_t i = 0; i < width && many == 4; i++) {
      y[i] = (x[i] & 255) | (x[i + width] & 255) << 8 | (x[i + 2 * width] & 255) << 16 |
          x[i + 3 * width] << 24;
    }
    for (int64_t i = 0; i < width && many < 4; i++) {
      y[i] = 0;
      for (int64_t q = 0; q < many; q++) y[i] |= (x[i + q * width] & 255) << 8 * q;
    }
  }
}

#endif

#if defined(__AVX512F__)
#define PAIR_SUM(sum, x, v)                    \
  ((sum) = (V)_mm512_add_epi32((__m512i)(sum), \
                               _mm512_madd_epi16(_mm512_set1_epi32((int)(x)), (__m512i)(v))))
#elif defined(__AVX2__)
#define PAIR_SUM(sum, x, v)                    \
  ((sum) = (V)_mm256_add_epi32((__m256i)(sum), \
                               _mm256_madd_epi16(_mm256_set1_epi32((int)(x)), (__m256i)(v))))
#elif defined(__SSE2__)
#define PAIR_SUM(sum, x, v) \
  ((sum) = (V)_mm_add_epi32((__m128i)(sum), _mm_madd_epi16(_mm_set1_epi32((int)(x)), (__m128i)(v))))
#endif

#if defined(PAIR_SUM)
#define T uint32_t
#define F(name) name##_pairs
#define BYTES 4
#define FROM_DOUBLE AS_WORD
#define MAC PAIR_SUM
#include "type.inc.h"
#include "type_end.inc.h"
#endif

/* Pairs of bfloat16, a level of its own (engine/cpu.c): the order of sums is the instruction's, and subnormal numbers
   are zeros. */
#if defined(__AVX512F__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512bf16"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512bf16")
#endif
#undef EACH_HEIGHT
#define EACH_HEIGHT ALL_HEIGHTS
#define T float
#define F(name) name##_bf16_pairs
#define BYTES 4
#define FROM_DOUBLE AS_FLOAT
#define MAC(sum, x, v) \
  ((sum) = (V)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)_mm512_set1_ps(x), (__m512bh)(v)))
#include "type.inc.h"
#include "type_end.inc.h"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

/* Elements of bfloat16 as floats have nothing below their upper halves. */
static void regroup_bf16_pairs(void *to, const void *panel, int64_t width, int64_t count,
                               int64_t steps) {
  const uint32_t *x = panel;
  uint32_t *y = to;
  for (int64_t l = 0; l < steps; l++, y += width) {
    const uint32_t *low = x + 2 * l * width, *high = low + width;
    for (int64_t i = 0; i < width; i++)
      y[i] = (2 * l < count ? low[i] >> 16 : 0) | (2 * l + 1 < count ? high[i] : 0);
  }
}
#endif

#undef EACH_HEIGHT
#define EACH_HEIGHT FEW_HEIGHTS

/* Wraps at 256 as the result does: signed bytes may be treated as unsigned. */
#if defined(__AVX512F__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512vnni"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512vnni")
#endif
#define T uint32_t
#define F(name) name##_fours
#define BYTES 4
#define FROM_DOUBLE AS_WORD
#define MAC(sum, x, v) \
  ((sum) = (V)_mm512_dpbusd_epi32((__m512i)(sum), _mm512_set1_epi32((int)(x)), (__m512i)(v)))
#include "type.inc.h"
#include "type_end.inc.h"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

#if defined(__AVX512F__)
#include "pack_squares.inc.h"
#endif

/* ---- the tables ---- */

#define M(h, w, t) micro_##h##_##w##_##t
#define FEW(w, t) \
  { NULL, M(1, w, t), M(2, w, t), M(3, w, t), M(4, w, t), M(5, w, t), M(6, w, t) }
#if defined(__AVX512F__)
#define ALL(w, t)                                                                               \
  {                                                                                             \
    NULL, M(1, w, t), M(2, w, t), M(3, w, t), M(4, w, t), M(5, w, t), M(6, w, t), M(7, w, t),   \
        M(8, w, t), M(9, w, t), M(10, w, t), M(11, w, t), M(12, w, t), M(13, w, t), M(14, w, t) \
  }
#else
#define ALL FEW
#endif

/* A panel of b takes 32 * 4096 bytes at most: it comes from the second-level cache, which costs less than to read and write the
   sums of large products, which do not stay there, more often. */
#define KERNEL(t, size, most, micros) \
  .rows = most, .lanes = VECTOR / size, .depth = 4096 / size, .micro = {micros(1, t), micros(2, t)}
#define TABLE(t, size, most, micros) \
  .kernel = {KERNEL(t, size, most, micros), .group = 1, .step = VECTOR / size}

#if defined(PAIR_SUM)
static const product_kernel pairs = {KERNEL(pairs, 4, FEW_ROWS, FEW), .group = 2, .step = 1,
                                     .regroup = {regroup_pairs, regroup_pairs}};
const product_kernel *const GLUE(pti_product_pairs_, PT_LEVEL) = &pairs;
#else
const product_kernel *const GLUE(pti_product_pairs_, PT_LEVEL) = NULL;
#endif
#if defined(__AVX512F__)
static const product_kernel fours = {KERNEL(fours, 4, FEW_ROWS, FEW), .group = 4, .step = 1,
                                     .regroup = {regroup_fours, regroup_fours}};
const product_kernel *const GLUE(pti_product_fours_, PT_LEVEL) = &fours;
static const product_kernel bf16_pairs = {KERNEL(bf16_pairs, 4, ROWS, ALL),
                                          .group = 2,
                                          .step = 16,
                                          .slab = 1024,
                                          .squares = true,
                                          .regroup = {regroup_bf16_pairs, regroup_bf16_pairs}};
const product_kernel *const GLUE(pti_product_bf16_pairs_, PT_LEVEL) = &bf16_pairs;
#endif

#define ELEMENT(dtype, t, s) .pack[dtype] = pack_##t##_##s, .finish[dtype] = finish_##t##_##s
#define REAL(dtype, t, s) \
  ELEMENT(dtype, t, s), .dots[dtype] = dots_##t##_##s, .lines[dtype] = lines_##t##_##s

const product_loops GLUE(pti_product_loops_, PT_LEVEL)[PRODUCT_TYPES] = {
    [PRODUCT_F32] = {TABLE(f32, 4, ROWS, ALL), REAL(PT_F32, f32, f32), REAL(PT_BF16, f32, bf16),
                     REAL(PT_F16, f32, f16)},
    [PRODUCT_F64] = {TABLE(f64, 8, ROWS, ALL), REAL(PT_F64, f64, f64)},
    [PRODUCT_I32] = {TABLE(i32, 4, FEW_ROWS, FEW), ELEMENT(PT_I32, i32, i32),
                     ELEMENT(PT_I16, i32, i16), ELEMENT(PT_I8, i32, i8), ELEMENT(PT_U8, i32, u8),
                     ELEMENT(PT_BOOL, i32, bool)},
    [PRODUCT_I64] = {TABLE(i64, 8, FEW_ROWS, FEW), ELEMENT(PT_I64, i64, i64)},
};
