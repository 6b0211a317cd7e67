/* complex.c: products of complex numbers, element by element. All else that complex tensors can do
   goes through loops over their real parts. */
#include "../tile.h"
#include "../cpu_slots.h"

typedef struct mul_job {
  const pti_iter *it;
  pti_tiling t;
} mul_job;

#define ROW(T, name)                                                                     \
  static void row_##name(char *y, const char *a, const char *b, const int64_t stride[3], \
                         int64_t n) {                                                    \
    for (int64_t i = 0; i < n; i++, y += stride[0], a += stride[1], b += stride[2]) {    \
      T ar = ((const T *)a)[0], ai = ((const T *)a)[1];                                  \
      T br = ((const T *)b)[0], bi = ((const T *)b)[1];                                  \
      ((T *)y)[0] = ar * br - ai * bi;                                                   \
      ((T *)y)[1] = ar * bi + ai * br;                                                   \
    }                                                                                    \
  }                                                                                      \
  static void dense_##name(T *restrict y, const T *a, const T *b, int64_t n) {           \
    for (int64_t i = 0; i < n; i++) {                                                    \
      T ar = a[2 * i], ai = a[2 * i + 1], br = b[2 * i], bi = b[2 * i + 1];              \
      y[2 * i] = ar * br - ai * bi;                                                      \
      y[2 * i + 1] = ar * bi + ai * br;                                                  \
    }                                                                                    \
  }
ROW(float, f32)
ROW(double, f64)

static void mul_tiles(void *ctx, int64_t lo, int64_t hi) {
  const mul_job *j = ctx;
  const pti_iter *it = j->it;
  bool wide = it->dtype[0] == PT_C128, dense = true;
  int64_t stride[3], size = (int64_t)pt_dtype_size(it->dtype[0]);
  for (int o = 0; o < 3; o++) {
    stride[o] = pti_inner_stride(it, o);
    dense = dense && stride[o] == size;
  }
  pti_tile tile;
  for (int64_t at = lo; at < hi; at++) {
    pti_tile_at(it, &j->t, at, &tile);
    for (int64_t r = 0; r < tile.rows; r++) {
      char *p[3];
      for (int o = 0; o < 3; o++) p[o] = tile.ptr[o] + r * pti_outer_stride(it, o);
      if (dense && wide) dense_f64((void *)p[0], (void *)p[1], (void *)p[2], tile.cols);
      else if (dense) dense_f32((void *)p[0], (void *)p[1], (void *)p[2], tile.cols);
      else (wide ? row_f64 : row_f32)(p[0], p[1], p[2], stride, tile.cols);
    }
  }
}

bool pti_cpu_complex_mul(int dev, const pti_iter *it) {
  (void)dev;
  mul_job j = {it, pti_tiles(it)};
  pti_cpu_host->parallel_for(j.t.count, j.t.grain, mul_tiles, &j);
  return true;
}
