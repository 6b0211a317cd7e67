/* reduce.c: sums (products, extremes) of the ranks' arrays, in the order of the ranks: the bits depend on their number
   alone, not on the transport or on who came first. */
#include <string.h>

#include "comm/comm.h"
#include "dtype.h"
#include "mem.h"

enum { BLOCK = 1024 };

/* ---- blocks of one compute type ---- */

#define LOOPS(name, T, MIN2, MAX2)                                                \
  static void name(T *restrict acc, const T *restrict x, int n, pti_comm_op op) { \
    switch (op) {                                                                 \
    case PTI_COMM_MIN:                                                            \
      for (int i = 0; i < n; i++) acc[i] = MIN2(acc[i], x[i]);                    \
      break;                                                                      \
    case PTI_COMM_MAX:                                                            \
      for (int i = 0; i < n; i++) acc[i] = MAX2(acc[i], x[i]);                    \
      break;                                                                      \
    case PTI_COMM_PROD:                                                           \
      for (int i = 0; i < n; i++) acc[i] *= x[i];                                 \
      break;                                                                      \
    default:                                                                      \
      for (int i = 0; i < n; i++) acc[i] += x[i];                                 \
    }                                                                             \
  }
/* NaN stays NaN, whichever side it comes from. */
#define FMIN2(a, b) ((a) < (b) || (a) != (a) ? (a) : (b))
#define FMAX2(a, b) ((a) > (b) || (a) != (a) ? (a) : (b))
LOOPS(combine_f32, float, FMIN2, FMAX2)
LOOPS(combine_f64, double, FMIN2, FMAX2)
LOOPS(combine_u64, uint64_t, pti_min64,
      pti_max64) /* unsigned: sums wrap; extremes compare as int64_t */

static void combine_complex(double *restrict acc, const double *restrict x, int n, pti_comm_op op) {
  for (int i = 0; i < 2 * n; i += 2) {
    double re = acc[i], im = acc[i + 1];
    acc[i] = op == PTI_COMM_PROD ? re * x[i] - im * x[i + 1] : re + x[i];
    acc[i + 1] = op == PTI_COMM_PROD ? re * x[i + 1] + im * x[i] : im + x[i + 1];
  }
}

/* ---- storage to compute types and back ---- */

#define EACH(T, expr)           \
  for (int i = 0; i < n; i++) { \
    T v = ((const T *)x)[i];    \
    y[i] = (expr);              \
  }                             \
  break

static void load_f32(float *y, const void *x, int n, pt_dtype dtype) {
  switch (dtype) {
  case PT_F16: EACH(uint16_t, pti_f16_load(v));
  case PT_BF16: EACH(uint16_t, pti_bf16_load(v));
  default: memcpy(y, x, (size_t)n * sizeof *y);
  }
}
static void store_f32(void *to, const float *x, int n, pt_dtype dtype) {
  uint16_t *y = to;
  switch (dtype) {
  case PT_F16: EACH(float, pti_f16_store(v));
  case PT_BF16: EACH(float, pti_bf16_store(v));
  default: memcpy(to, x, (size_t)n * sizeof *x);
  }
}
static void load_int(uint64_t *y, const void *x, int n, pt_dtype dtype) {
  switch (dtype) {
  case PT_I32: EACH(int32_t, (uint64_t)(int64_t)v);
  case PT_I16: EACH(int16_t, (uint64_t)(int64_t)v);
  case PT_I8: EACH(int8_t, (uint64_t)(int64_t)v);
  case PT_U8:
  case PT_BOOL: EACH(uint8_t, v);
  default: memcpy(y, x, (size_t)n * sizeof *y);
  }
}
static void store_int(void *to, const uint64_t *x, int n, pt_dtype dtype) {
  switch (dtype) {
  case PT_I32:
    for (int i = 0; i < n; i++) ((uint32_t *)to)[i] = (uint32_t)x[i];
    break;
  case PT_I16:
    for (int i = 0; i < n; i++) ((uint16_t *)to)[i] = (uint16_t)x[i];
    break;
  case PT_I8:
  case PT_U8:
    for (int i = 0; i < n; i++) ((uint8_t *)to)[i] = (uint8_t)x[i];
    break;
  case PT_BOOL:
    for (int i = 0; i < n; i++) ((uint8_t *)to)[i] = x[i] != 0;
    break;
  default: memcpy(to, x, (size_t)n * sizeof *x);
  }
}
static void load_complex(double *y, const void *x, int n, pt_dtype dtype) {
  if (dtype == PT_C128) memcpy(y, x, 2 * (size_t)n * sizeof *y);
  else
    for (int i = 0; i < 2 * n; i++) y[i] = ((const float *)x)[i];
}
static void store_complex(void *to, const double *x, int n, pt_dtype dtype) {
  if (dtype == PT_C128) memcpy(to, x, 2 * (size_t)n * sizeof *x);
  else
    for (int i = 0; i < 2 * n; i++) ((float *)to)[i] = (float)x[i];
}

/* ---- one block of all ranks ---- */

static void block_f32(char *dst, char *const *src, int nsrc, int n, pt_dtype dtype,
                      pti_comm_op op) {
  float acc[BLOCK], x[BLOCK];
  load_f32(acc, src[0], n, dtype);
  for (int r = 1; r < nsrc; r++) {
    if (dtype == PT_F32) {
      combine_f32(acc, (const float *)(const void *)src[r], n, op);
      continue;
    }
    load_f32(x, src[r], n, dtype);
    combine_f32(acc, x, n, op);
  }
  for (int i = 0; op == PTI_COMM_AVG && i < n; i++) acc[i] /= (float)nsrc;
  store_f32(dst, acc, n, dtype);
}
static void block_f64(char *dst, char *const *src, int nsrc, int n, pti_comm_op op) {
  double acc[BLOCK];
  memcpy(acc, src[0], (size_t)n * sizeof *acc);
  for (int r = 1; r < nsrc; r++) combine_f64(acc, (const double *)(const void *)src[r], n, op);
  for (int i = 0; op == PTI_COMM_AVG && i < n; i++) acc[i] /= nsrc;
  memcpy(dst, acc, (size_t)n * sizeof *acc);
}
static void block_int(char *dst, char *const *src, int nsrc, int n, pt_dtype dtype,
                      pti_comm_op op) {
  uint64_t acc[BLOCK], x[BLOCK];
  load_int(acc, src[0], n, dtype);
  for (int r = 1; r < nsrc; r++) {
    load_int(x, src[r], n, dtype);
    combine_u64(acc, x, n, op);
  }
  store_int(dst, acc, n, dtype);
}
static void block_complex(char *dst, char *const *src, int nsrc, int n, pt_dtype dtype,
                          pti_comm_op op) {
  double acc[2 * BLOCK], x[2 * BLOCK];
  load_complex(acc, src[0], n, dtype);
  for (int r = 1; r < nsrc; r++) {
    load_complex(x, src[r], n, dtype);
    combine_complex(acc, x, n, op);
  }
  for (int i = 0; op == PTI_COMM_AVG && i < 2 * n; i++) acc[i] /= nsrc;
  store_complex(dst, acc, n, dtype);
}

bool pti_comm_reduce(void *dst, void *const *src, int nsrc, int64_t n, pt_dtype dtype,
                     pti_comm_op op) {
  size_t size = pt_dtype_size(dtype), bytes = (size_t)nsrc * sizeof(char *);
  char **at = pti_alloc(bytes), *to = dst;
  if (at == NULL) return false;
  memcpy(at, src, bytes);
  for (int64_t lo = 0; lo < n; lo += BLOCK) {
    int some = (int)pti_min64(BLOCK, n - lo);
    if (pti_is(dtype, PTI_COMPLEX)) block_complex(to, at, nsrc, some, dtype, op);
    else if (pti_compute_of(dtype) == PTI_CF32) block_f32(to, at, nsrc, some, dtype, op);
    else if (pti_compute_of(dtype) == PTI_CF64) block_f64(to, at, nsrc, some, op);
    else block_int(to, at, nsrc, some, dtype, op);
    for (int r = 0; r < nsrc; r++) at[r] += (size_t)some * size;
    to += (size_t)some * size;
  }
  pti_free(at, bytes);
  return true;
}
