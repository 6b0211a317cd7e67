/* conv_loops.c: the loops of conv_loops.h for one CPU level. Compiled once per level; everything here is static but the
   table. Products and additions contract to fused ones where the level has them. */
#include "conv_loops.h"

#include <string.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#define GLUE3(a, b) a##b
#define GLUE(a, b) GLUE3(a, b)
/* Hides the origin of a pointer from the compiler. */
#define HIDE(pointer) __asm__("" : "+r"(pointer))

/* Two halves of rows, two vectors of sums for each, fill the registers with two vectors of weights and a number of x.
   */
#if defined(__AVX512F__)
enum { VECTOR = 64, HALF = 7 };
#define EACH_HALF(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define SUMS(w, t) \
  { NULL, S(1, w, t), S(2, w, t), S(3, w, t), S(4, w, t), S(5, w, t), S(6, w, t), S(7, w, t) }
#else
#if defined(__AVX2__)
enum { VECTOR = 32, HALF = 3 };
#else
enum { VECTOR = 16, HALF = 3 };
#endif
#define EACH_HALF(X) X(1) X(2) X(3)
#define SUMS(w, t) \
  { NULL, S(1, w, t), S(2, w, t), S(3, w, t) }
#endif

#define T float
#define F(name) name##_f32
#include "direct.inc.h"
#if defined(__AVX512F__)
static inline __attribute__((always_inline)) void transpose_16(vector_f32 *v) {
  vector_f32 t[16];
  PTI_UNROLLED
  for (int round = 0; round < 4; round++) { /* in each, row i is interleaved with row i + 8 */
    PTI_UNROLLED
    for (int i = 0; i < 8; i++) {
      t[2 * i] = __builtin_shufflevector(v[i], v[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21,
                                         6, 22, 7, 23);
      t[2 * i + 1] = __builtin_shufflevector(v[i], v[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
                                             13, 29, 14, 30, 15, 31);
    }
    PTI_UNROLLED
    for (int i = 0; i < 16; i++) v[i] = t[i];
  }
}
/* Squares of sums are transposed: a vector then holds the elements of one channel. */
static void store_dense_f32(float *sums, int64_t columns, int u, int64_t n, const float *bias,
                            float *y0, float *y1, int64_t plane) {
  __mmask16 first = (__mmask16)((1u << u) - 1), both = (__mmask16)((1u << (2 * u)) - 1);
  bool joined = y1 == y0 + u;
  for (int64_t at = 0; at < n; at += 16) {
    vector_f32 v[16];
    PTI_UNROLLED
    for (int i = 0; i < 16; i++) v[i] = *(const anywhere_f32 *)(sums + i * columns + at);
    transpose_16(v);
    PTI_UNROLLED
    for (int i = 0; i < 16; i++) {
      if (at + i >= n) return;
      __m512 x = (__m512)(bias ? v[i] + bias[at + i] : v[i]);
      float *a = y0 + (at + i) * plane, *b = y1 + (at + i) * plane;
      if (joined) _mm512_mask_storeu_ps(a, both, x);
      else {
        _mm512_mask_storeu_ps(a, first, x);
        _mm512_mask_storeu_ps(b - u, (__mmask16)(both & ~first), x);
      }
    }
  }
}
static void store_any_f32(void *sums, int64_t columns, int u, int64_t n, const void *bias, void *y0,
                          void *y1, int64_t plane, int64_t step) {
  if (step == 1) store_dense_f32(sums, columns, u, n, bias, y0, y1, plane);
  else store_f32(sums, columns, u, n, bias, y0, y1, plane, step);
}
#else
#define store_any_f32 store_f32
#endif
#include "winograd.inc.h"
#undef T
#undef F

#define T double
#define F(name) name##_f64
#include "direct.inc.h"
#undef T
#undef F

#define S(u, w, t) sum_##u##_##w##_##t
const conv_loops GLUE(pti_conv_loops_, PT_LEVEL)[2] = {
    {HALF, VECTOR / 4, {SUMS(1, f32), SUMS(2, f32)}, store_any_f32, store_rows_f32, winograd},
    {HALF, VECTOR / 8, {SUMS(1, f64), SUMS(2, f64)}, store_f64, store_rows_f64, NULL},
};
