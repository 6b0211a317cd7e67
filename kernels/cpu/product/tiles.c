/* tiles.c: products of bfloat16 and int8 by AMX, whose registers are tiles of 16 rows of 64 bytes: one instruction
   multiplies 16 x 32 by 32 x 16 numbers of bfloat16, or 16 x 64 by 64 x 16 of int8, and adds to 16 x 16 sums. A panel
   of a is 32 rows, stored row by row, one of b 32 columns, in pairs or fours along k, as tiles require. The same
   micro-kernel is built twice: with the instructions, and with a model of them in C, which computes the same bits, so
   that every machine can test the code around them (PT_AMX=model). Where the system refuses permission to use tiles
   (requested once), the level stays at avx512, as with PT_CPU=avx512.  float16 does not use tiles: bfloat16 has three
   bits fewer, so float16 is converted to float instead. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "product_loops.h"

enum { SIDE = 16, ROWS = 2 * SIDE };
/* 128 functions call the ones below. */
#define NOINLINE __attribute__((noinline))

/* ---- numbers to pairs and fours ---- */

/* Element (i, l) of `panel`, which is step by step, at y[i * along_i + l * along_l]. */
static void pairs(uint32_t *y, const float *x, int64_t width, int64_t count, int64_t steps,
                  int64_t along_i, int64_t along_l) {
  for (int64_t l = 0; l < steps; l++) {
    for (int64_t i = 0; i < width; i++) {
      uint32_t low = 2 * l < count ? pti_bf16_store(x[2 * l * width + i]) : 0;
      uint32_t high = 2 * l + 1 < count ? pti_bf16_store(x[(2 * l + 1) * width + i]) : 0;
      y[i * along_i + l * along_l] = low | high << 16;
    }
  }
}
static void fours(uint32_t *y, const uint32_t *x, int64_t width, int64_t count, int64_t steps,
                  int64_t along_i, int64_t along_l) {
  for (int64_t l = 0; l < steps; l++) {
    for (int64_t i = 0; i < width; i++) {
      uint32_t v = 0;
      for (int64_t q = 0; q < 4 && 4 * l + q < count; q++)
        v |= (x[(4 * l + q) * width + i] & 255) << 8 * q;
      y[i * along_i + l * along_l] = v;
    }
  }
}
static void pairs_of_a(void *to, const void *panel, int64_t width, int64_t pitch, int64_t count,
                       int64_t steps) {
  pairs(to, panel, width, count, steps, pitch, 1);
}
static void pairs_of_b(void *to, const void *panel, int64_t width, int64_t pitch, int64_t count,
                       int64_t steps) {
  (void)pitch;
  pairs(to, panel, width, count, steps, 1, width);
}
static void fours_of_a(void *to, const void *panel, int64_t width, int64_t pitch, int64_t count,
                       int64_t steps) {
  fours(to, panel, width, count, steps, pitch, 1);
}
static void fours_of_b(void *to, const void *panel, int64_t width, int64_t pitch, int64_t count,
                       int64_t steps) {
  (void)pitch;
  fours(to, panel, width, count, steps, 1, width);
}

/* ---- the model: tiles are arrays, instructions functions (Intel's manual, TDPBF16PS and TDPBUUD) ---- */

typedef union tile {
  uint32_t u[SIDE][SIDE];
  float f[SIDE][SIDE];
} tile;

/* Subnormal numbers are zeros, as inputs and as results. */
static float flush(float x) { return fabsf(x) < 0x1p-126f ? copysignf(0, x) : x; }
static float low_half(uint32_t pair) { return flush(pti_bf16_load((uint16_t)pair)); }
static float high_half(uint32_t pair) { return flush(pti_bf16_load((uint16_t)(pair >> 16))); }

static NOINLINE void model_load(tile *t, const void *from, int64_t stride) {
  for (int64_t r = 0; r < SIDE; r++) memcpy(t->u[r], (const char *)from + r * stride, 4 * SIDE);
}
static NOINLINE void model_store(const tile *t, void *to, int64_t stride) {
  for (int64_t r = 0; r < SIDE; r++) memcpy((char *)to + r * stride, t->u[r], 4 * SIDE);
}
/* Even and odd numbers of the pairs have sums of their own, which are added at the end. */
static NOINLINE void model_bf16(tile *c, const tile *a, const tile *b) {
  for (int m = 0; m < SIDE; m++) {
    for (int n = 0; n < SIDE; n++) {
      float even = 0, odd = 0;
      for (int k = 0; k < SIDE; k++) {
        even = flush(fmaf(low_half(a->u[m][k]), low_half(b->u[k][n]), even));
        odd = flush(fmaf(high_half(a->u[m][k]), high_half(b->u[k][n]), odd));
      }
      c->f[m][n] = flush(flush(c->f[m][n]) + flush(even + odd));
    }
  }
}
static NOINLINE void model_int8(tile *c, const tile *a, const tile *b) {
  for (int m = 0; m < SIDE; m++) {
    for (int n = 0; n < SIDE; n++) {
      for (int k = 0; k < SIDE; k++) {
        for (int q = 0; q < 32; q += 8)
          c->u[m][n] += (a->u[m][k] >> q & 255) * (b->u[k][n] >> q & 255);
      }
    }
  }
}

/* ---- the micro-kernel: four tiles of sums, two of a, two of b ---- */

/* Sums of the tiles, h x n, to c. */
#define PUT_SUMS(T, name)                                                                        \
  static NOINLINE void name(const T sums[ROWS][ROWS], int64_t h, int64_t n, T *c, int64_t ldc,   \
                            const T *from, int64_t ldf, T alpha) {                               \
    for (int64_t i = 0; i < h; i++) {                                                            \
      if (from) {                                                                                \
        for (int64_t q = 0; q < n; q++) c[i * ldc + q] = alpha * sums[i][q] + from[i * ldf + q]; \
      } else {                                                                                   \
        for (int64_t q = 0; q < n; q++) c[i * ldc + q] = alpha * sums[i][q];                     \
      }                                                                                          \
    }                                                                                            \
  }
PUT_SUMS(float, put_floats)
PUT_SUMS(uint32_t, put_words)

/* Tiles 0 .. 3 are sums, 4 and 5 of a, 6 and 7 of b; DECLARE declares them; ZERO, LOAD, STORE and DOT work on them. */
#define TILES(name, h, w, DECLARE, ZERO, LOAD, STORE, DOT)                                     \
  static NOINLINE void name(int64_t k, const char *a, int64_t row, const char *b, int64_t ldb, \
                            void *sums) {                                                      \
    DECLARE                                                                                    \
    ZERO(0)                                                                                    \
    if (w > 1) ZERO(1)                                                                         \
    if (h > 1) ZERO(2) if (h > 1 && w > 1) ZERO(3) for (int64_t l = 0; l < k; l += SIDE) {     \
        LOAD(4, a + 4 * l, 4 * row)                                                            \
        LOAD(6, b + 4 * l * ldb, 4 * ldb)                                                      \
        DOT(0, 4, 6)                                                                           \
        if (w > 1) {                                                                           \
          LOAD(7, b + 4 * l * ldb + 64, 4 * ldb) DOT(1, 4, 7)                                  \
        }                                                                                      \
        if (h > 1) {                                                                           \
          LOAD(5, a + 4 * l + 64 * row, 4 * row) DOT(2, 5, 6)                                  \
        }                                                                                      \
        if (h > 1 && w > 1) {                                                                  \
          DOT(3, 5, 7)                                                                         \
        }                                                                                      \
      }                                                                                        \
    STORE(0, sums)                                                                             \
    if (w > 1) STORE(1, (char *)sums + 64)                                                     \
    if (h > 1) STORE(2, (char *)sums + 4 * ROWS * SIDE)                                        \
    if (h > 1 && w > 1) STORE(3, (char *)sums + 4 * ROWS * SIDE + 64)                          \
  }
#define ALL_TILES(kind, DECLARE, ZERO, LOAD, STORE, DOT)   \
  TILES(kind##_1_1, 1, 1, DECLARE, ZERO, LOAD, STORE, DOT) \
  TILES(kind##_1_2, 1, 2, DECLARE, ZERO, LOAD, STORE, DOT) \
  TILES(kind##_2_1, 2, 1, DECLARE, ZERO, LOAD, STORE, DOT) \
  TILES(kind##_2_2, 2, 2, DECLARE, ZERO, LOAD, STORE, DOT)

#define MODEL_DECLARE tile t[8];
#define MODEL_ZERO(i) \
  { memset(&t[i], 0, sizeof t[i]); }
#define MODEL_LOAD(i, from, stride) \
  { model_load(&t[i], from, stride); }
#define MODEL_STORE(i, to) \
  { model_store(&t[i], to, 4 * ROWS); }
#define MODEL_BF16(c, a, b) \
  { model_bf16(&t[c], &t[a], &t[b]); }
#define MODEL_INT8(c, a, b) \
  { model_int8(&t[c], &t[a], &t[b]); }
ALL_TILES(model_bf16, MODEL_DECLARE, MODEL_ZERO, MODEL_LOAD, MODEL_STORE, MODEL_BF16)
ALL_TILES(model_int8, MODEL_DECLARE, MODEL_ZERO, MODEL_LOAD, MODEL_STORE, MODEL_INT8)

/* One function for each height, by which kernels are looked up. */
#define MICRO(kind, T, put, h, w)                                                               \
  static void kind##_micro_##h##_##w(                                                           \
      int64_t k, const void *a, int64_t row, int64_t step, const void *b, int64_t ldb, void *c, \
      int64_t ldc, const void *from, int64_t ldf, double alpha, int64_t n, const char *next) {  \
    (void)step, (void)next;                                                                     \
    _Alignas(64) T sums[ROWS][ROWS];                                                            \
    if (h > SIDE) kind##_2_##w(k, a, row, b, ldb, sums);                                        \
    else kind##_1_##w(k, a, row, b, ldb, sums);                                                 \
    put((const T(*)[ROWS])sums, h, n, c, ldc, from, ldf, (T)alpha);                             \
  }
/* A list, not statements. */
/* clang-format off */
#define EACH_HEIGHT(X, a, b, c, w)                                                      \
  X(a, b, c, 1, w) X(a, b, c, 2, w) X(a, b, c, 3, w) X(a, b, c, 4, w)                   \
  X(a, b, c, 5, w) X(a, b, c, 6, w) X(a, b, c, 7, w) X(a, b, c, 8, w)                   \
  X(a, b, c, 9, w) X(a, b, c, 10, w) X(a, b, c, 11, w) X(a, b, c, 12, w)                \
  X(a, b, c, 13, w) X(a, b, c, 14, w) X(a, b, c, 15, w) X(a, b, c, 16, w)               \
  X(a, b, c, 17, w) X(a, b, c, 18, w) X(a, b, c, 19, w) X(a, b, c, 20, w)               \
  X(a, b, c, 21, w) X(a, b, c, 22, w) X(a, b, c, 23, w) X(a, b, c, 24, w)               \
  X(a, b, c, 25, w) X(a, b, c, 26, w) X(a, b, c, 27, w) X(a, b, c, 28, w)               \
  X(a, b, c, 29, w) X(a, b, c, 30, w) X(a, b, c, 31, w) X(a, b, c, 32, w)
/* clang-format on */
#define NAME(kind, b, c, h, w) [h] = kind##_micro_##h##_##w,
#define KERNEL(name, kind, T, put, count, on, off, of_a, of_b)                       \
  EACH_HEIGHT(MICRO, kind, T, put, 1)                                                \
  EACH_HEIGHT(MICRO, kind, T, put, 2)                                                \
  static const product_kernel name = {                                               \
      .rows = ROWS,                                                                  \
      .lanes = SIDE,                                                                 \
      .group = count,                                                                \
      .step = SIDE,                                                                  \
      .depth = 512,                                                                  \
      .a_by_rows = true,                                                             \
      .regroup = {of_a, of_b},                                                       \
      .micro = {{EACH_HEIGHT(NAME, kind, , , 1)}, {EACH_HEIGHT(NAME, kind, , , 2)}}, \
      .enter = on,                                                                   \
      .leave = off};

KERNEL(model_of_bf16, model_bf16, float, put_floats, 2, NULL, NULL, pairs_of_a, pairs_of_b)
KERNEL(model_of_int8, model_int8, uint32_t, put_words, 4, NULL, NULL, fours_of_a, fours_of_b)

/* ---- the instructions ---- */

#if defined(PT_HAVE_AMX)
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("amx-tile,amx-bf16,amx-int8"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("amx-tile,amx-bf16,amx-int8")
#endif

/* All eight tiles are 16 rows of 64 bytes. */
static void tiles_on(void) {
  struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } shape = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    shape.row_bytes[i] = 64;
    shape.rows[i] = SIDE;
  }
  _tile_loadconfig(&shape);
}
static void tiles_off(void) { _tile_release(); }

#define AMX_DECLARE
#define AMX_ZERO(i) \
  { _tile_zero(i); }
#define AMX_LOAD(i, from, stride) \
  { _tile_loadd(i, from, stride); }
#define AMX_STORE(i, to) \
  { _tile_stored(i, to, 4 * ROWS); }
#define AMX_BF16(c, a, b) \
  { _tile_dpbf16ps(c, a, b); }
#define AMX_INT8(c, a, b) \
  { _tile_dpbuud(c, a, b); }
ALL_TILES(amx_bf16, AMX_DECLARE, AMX_ZERO, AMX_LOAD, AMX_STORE, AMX_BF16)
ALL_TILES(amx_int8, AMX_DECLARE, AMX_ZERO, AMX_LOAD, AMX_STORE, AMX_INT8)
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
KERNEL(amx_of_bf16, amx_bf16, float, put_floats, 2, tiles_on, tiles_off, pairs_of_a, pairs_of_b)
KERNEL(amx_of_int8, amx_int8, uint32_t, put_words, 4, tiles_on, tiles_off, fours_of_a, fours_of_b)
#endif

const product_kernel *pti_product_tiles(bool ints) {
  if (pti_amx_model()) return ints ? &model_of_int8 : &model_of_bf16;
#if defined(PT_HAVE_AMX)
  if (pti_cpu_amx()) return ints ? &amx_of_int8 : &amx_of_bf16;
#endif
  return NULL;
}
