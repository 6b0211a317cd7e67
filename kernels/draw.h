/* draw.h: what random numbers need on every device: bounds, and functions whose bits are the same on every CPU level
   and device and in every version, so that a seed gives the same numbers. Those of scalar.h may change with what
   processors do best. */
#ifndef PTI_KERNELS_DRAW_H
#define PTI_KERNELS_DRAW_H

#include <math.h>

#include "dtype.h"
#include "scalar.h"

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

/* The logarithm of a number in (0, 1), by the series of (2 + s) / (2 - s), s = f / (2 + f); 1 + f is what x is but for a
   power of 2. */
PT_FN float PT_NAME(draw_log, f)(float x) {
  uint32_t u = pt_bits_f(x) + (0x3f800000u - 0x3f3504f3u);
  float k = (float)((int32_t)(u >> 23) - 127);
  float f = pt_from_f((u & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  float s = f / (2.0f + f), z = s * s, w = z * z, half = 0.5f * f * f;
  float t1 = w * (0.40000972152f + w * 0.24279078841f);
  float t2 = z * (0.66666662693f + w * 0.28498786688f);
  return s * (half + (t1 + t2)) + k * 9.0580006145e-06f - half + f + k * 6.9313812256e-01f;
}
PT_FN double PT_NAME(draw_log, d)(double x) {
  uint64_t u = pt_bits_d(x) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
  double k = pt_from_d((u >> 52) + 0x4338000000000000u) - (PT_MAGIC_D + 1023.0);
  double f = pt_from_d((u & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1.0;
  double s = f / (2.0 + f), z = s * s, w = z * z, half = 0.5 * f * f;
  double t1 = w *
      (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
  double t2 = z *
      (6.666666666666735130e-01 +
       w *
           (2.857142874366239149e-01 +
            w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
  return s * (half + (t1 + t2)) + k * 1.90821492927058770002e-10 - half + f +
      k * 6.93147180369123816490e-01;
}

/* Taylor's series of sin and cos of f quarter turns. */
PT_FN double pt_draw_sin_quarter(double f) { /* sin(f pi / 2), |f| <= 1/2 */
  double z = f * f;
  double p = 1.6044118478735982e-4; /* Taylor */
  p = p * z - 4.6817541353186881e-3;
  p = p * z + 7.9692626246167046e-2;
  p = p * z - 6.4596409750624625e-1;
  return f * (p * z + 1.5707963267948966);
}
PT_FN double pt_draw_cos_quarter(double f) {
  double z = f * f;
  double p = -2.5202042373060605e-5;
  p = p * z + 9.1926027483942658e-4;
  p = p * z - 2.0863480763352961e-2;
  p = p * z + 2.5366950790104802e-1;
  p = p * z - 1.2337005501361698;
  return p * z + 1.0;
}

#endif
