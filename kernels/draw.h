/* draw.h: what random numbers need to know of their bounds, for kernels of every device. */
#ifndef PTI_KERNELS_DRAW_H
#define PTI_KERNELS_DRAW_H

#include <math.h>

#include "dtype.h"

/* The largest number of a floating dtype that is less than b. */
static inline double pti_draw_below(pt_dtype dtype, double b) {
  if (dtype == PT_F64) return nextafter(b, -HUGE_VAL);
  if (dtype == PT_F32) {
    float f = (float)b;
    return (double)f < b ? f : nextafterf(f, -HUGE_VALF);
  }
  bool half = dtype == PT_F16;
  uint16_t h = half ? pti_f16_store((float)b) : pti_bf16_store((float)b);
  if ((half ? pti_f16_load(h) : pti_bf16_load(h)) >= b) {
    h = (uint16_t)(h & 0x8000 ? h + 1 : h == 0 ? 0x8001 : h - 1);
  }
  return half ? pti_f16_load(h) : pti_bf16_load(h);
}

/* A bound of integers, which arrives as a double, within int64_t. */
static inline int64_t pti_draw_bound(double v) {
  return v >= 0x1p63 ? INT64_MAX : v <= -0x1p63 ? INT64_MIN : (int64_t)v;
}

#endif
